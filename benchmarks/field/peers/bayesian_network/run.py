"""The Bayesian network of synthcity: a tree over all columns, values drawn with noise."""

import synthcity_peer

synthcity_peer.run("bayesian_network")
