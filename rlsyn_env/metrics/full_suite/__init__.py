"""The full suite: every further figure of the judge, one file per concept."""

from rlsyn_env.metrics.full_suite.wasserstein import compared_dimension_wise_distances

__all__ = ["compared_dimension_wise_distances"]
