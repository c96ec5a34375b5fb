"""wNMI: how far the table of pairwise dependences is from the real one, strong ones first.

The mean over pairs hides a lost dependence behind many pairs that have none. Here each pair's
difference of normalised mutual information counts by how dependent the pair is in either table
(TabPC, arXiv 2603.23016): ``sum w |real - synthetic| / sum w`` with ``w = real + synthetic``.

Numbers are cut into 10 bins of equal width on edges of the real table, missing is a bin of its
own; mutual information is divided by the mean of the two entropies.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rlsyn_env.metrics.bootstrap import distance_interval, resample_counts
from rlsyn_env.metrics.column_shapes import cell_shares, shares
from rlsyn_env.metrics.full_suite.context import Context, Findings
from rlsyn_env.metrics.judge_fidelity import fidelity_reference
from rlsyn_env.metrics.pair_trends import binned_cells, choose_pairs
from rlsyn_env.metrics.preparation import Feature, FeatureTable, subsample
from rlsyn_env.metrics.report import Metric

MAX_RESAMPLED_PAIRS = 300
MAX_LISTED_PAIRS = 50


def pairwise_nmi(
    features: Sequence[Feature],
    pairs: Sequence[tuple[int, int]],
    real: FeatureTable,
    table: FeatureTable,
    counts: np.ndarray | None = None,
) -> np.ndarray:
    """Normalised mutual information ``(B, len(pairs))`` in [0, 1] of columns of ``table``.

    Args:
        features: the compared columns.
        pairs: positions in ``features``.
        real: gives the edges of the bins.
        table: rows to measure.
        counts: ``(B, n)`` resamples of ``table``; every row once if None.
    """
    weights = shares(counts, table.n_rows)
    cells = {k: binned_cells(features[k], real, table) for k in {k for pair in pairs for k in pair}}
    entropies = {
        k: _entropy(cell_shares(positions, n_cells, weights))
        for k, (positions, n_cells) in cells.items()
    }
    nmi = np.zeros((len(weights), len(pairs)))
    for p, (i, j) in enumerate(pairs):
        joint = cells[i][0] * cells[j][1] + cells[j][0]
        occurring, positions = np.unique(joint, return_inverse=True)
        together = _entropy(cell_shares(positions, len(occurring), weights))
        mean = 0.5 * (entropies[i] + entropies[j])
        shared = np.maximum(entropies[i] + entropies[j] - together, 0.0)
        nmi[:, p] = np.divide(shared, mean, out=np.zeros_like(mean), where=mean > 1e-12)
    return np.clip(nmi, 0.0, 1.0)


def weighted_nmi_distance(real: np.ndarray, synthetic: np.ndarray) -> np.ndarray:
    """wNMI ``(B,)`` of two ``(B, p)`` arrays of normalised mutual information, in [0, 1]."""
    weights = real + synthetic
    total = weights.sum(axis=1)
    distance = (weights * np.abs(real - synthetic)).sum(axis=1)
    return np.divide(distance, total, out=np.zeros_like(total), where=total > 0)


def _entropy(probabilities: np.ndarray) -> np.ndarray:
    logs = np.log(probabilities, out=np.zeros_like(probabilities), where=probabilities > 0)
    entropy: np.ndarray = -(probabilities * logs).sum(axis=1)
    return entropy


def judge_mutual_information(context: Context) -> Findings:
    """Return ``wnmi`` and the pairs that are worst in it."""
    pairs = choose_pairs(len(context.features))
    test = context.test

    def measure(table: FeatureTable) -> np.ndarray:
        return pairwise_nmi(context.features, pairs, test, table)

    truth = measure(test)
    found = {name: measure(table) for name, table in context.tables.items()}
    values: dict[str, float | None] = {
        name: float(weighted_nmi_distance(truth, nmi)[0]) if pairs else None
        for name, nmi in found.items()
    }
    low = high = None
    details = []
    if values["value"] is not None:
        rng = context.stream("wnmi resamples")
        chosen = [pairs[k] for k in subsample(len(pairs), MAX_RESAMPLED_PAIRS, rng)]
        synthetic = context.tables["value"]
        replicates = weighted_nmi_distance(
            *(
                pairwise_nmi(
                    context.features,
                    chosen,
                    test,
                    table,
                    resample_counts(rng, context.n_bootstrap, table.n_rows, groups=table.groups),
                )
                for table in (test, synthetic)
            )
        )
        low, high = distance_interval(values["value"], replicates)
        contributions = np.abs(truth - found["value"]) * (truth + found["value"])
        details = [
            {
                "columns": [context.features[k].name for k in pairs[p]],
                "real": float(truth[0, p]),
                "value": float(found["value"][0, p]),
            }
            for p in np.argsort(-contributions[0], kind="stable")[:MAX_LISTED_PAIRS]
        ]
    metric = Metric(
        family="fidelity",
        value=values["value"],
        low=low,
        high=high,
        ideal=0.0,
        direction="lower",
        reference=fidelity_reference(values),
        description=(
            "Difference of pairwise normalised mutual information from held-out rows, weighted by "
            "how dependent a pair is: a lost strong dependence is not hidden by many weak ones."
        ),
        note="" if pairs else "a single column has no pairs",
    )
    return Findings({"wnmi": metric}, {"wnmi": details})
