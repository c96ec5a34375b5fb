"""TabDDPM (Kotelnikov et al. 2023) as synthcity has it."""

import synthcity_peer

synthcity_peer.run("ddpm")
