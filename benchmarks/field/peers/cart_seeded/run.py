"""CART with the seed given to the method: rows to fit and rows to start from are the same draw."""

import cart_peer

cart_peer.run(seeded=True)
