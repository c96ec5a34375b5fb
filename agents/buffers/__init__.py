"""What SB3 algorithms keep of their experience: whole episodes, or transitions scored anew."""

from agents.buffers.episodes import EpisodeRolloutBuffer
from agents.buffers.replay import CoreLink, RelabellingReplayBuffer

__all__ = ["CoreLink", "EpisodeRolloutBuffer", "RelabellingReplayBuffer"]
