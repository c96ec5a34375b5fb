"""CART with the method's default of no seed of its own."""

import cart_peer

cart_peer.run(seeded=False)
