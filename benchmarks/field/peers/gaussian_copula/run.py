"""Gaussian copula of the Synthetic Data Vault."""

import sdv_peer
from sdv.single_table import GaussianCopulaSynthesizer

sdv_peer.run(lambda metadata: GaussianCopulaSynthesizer(metadata))
