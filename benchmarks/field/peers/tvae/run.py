"""Variational autoencoder for tables (Xu et al. 2019), of the Synthetic Data Vault."""

import sdv_peer
from sdv.single_table import TVAESynthesizer

sdv_peer.run(
    lambda metadata: TVAESynthesizer(metadata, epochs=300, enable_gpu=False), {"epochs": 300}
)
