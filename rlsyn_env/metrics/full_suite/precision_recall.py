"""alpha-precision and beta-recall (Alaa et al. 2022, arXiv 2102.08921), standardised space.

alpha-precision: is an alpha share of the synthetic rows inside the ball (around the real centre)
that holds an alpha share of the real rows? beta-recall: is a beta share of real rows covered by
synthetic rows of the inner beta share, a real row being covered when a synthetic one is nearer
than its nearest real neighbour? Both are 1 minus the area between that curve and the diagonal,
over the largest possible area. Real rows themselves do not reach 1 in recall: the reference
column says what can be had.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.neighbors import NearestNeighbors

from rlsyn_env.metrics.bootstrap import percentile_interval, resample_counts
from rlsyn_env.metrics.full_suite.context import Context, Findings
from rlsyn_env.metrics.judge_fidelity import fidelity_reference
from rlsyn_env.metrics.privacy import nearest_rows
from rlsyn_env.metrics.report import Metric

N_STEPS = 30
MAX_ROWS = 3000


@dataclass(frozen=True)
class PrecisionRecall:
    """Smallest level at which each row counts.

    Attributes:
        inside: bool ``(m, N_STEPS)``: synthetic row within the real ball of each level alpha.
        covered: bool ``(n, N_STEPS)``: real row covered at each level beta.
    """

    inside: np.ndarray
    covered: np.ndarray

    def precision(self, counts: np.ndarray | None = None) -> np.ndarray:
        """alpha-precision ``(B,)`` for resamples of the synthetic rows."""
        return _closeness(self.inside, counts)

    def recall(self, counts: np.ndarray | None = None) -> np.ndarray:
        """beta-recall ``(B,)`` for resamples of the real rows."""
        return _closeness(self.covered, counts)


def _levels() -> np.ndarray:
    return np.linspace(0.0, 1.0, N_STEPS)


def _closeness(hits: np.ndarray, counts: np.ndarray | None) -> np.ndarray:
    weights = np.ones((1, len(hits))) if counts is None else counts
    curve = (weights @ hits) / weights.sum(axis=1, keepdims=True)
    levels = _levels()
    closeness: np.ndarray = 1.0 - np.abs(levels - curve).sum(axis=1) / levels.sum()
    return np.clip(closeness, 0.0, 1.0)


def precision_recall(real: np.ndarray, synthetic: np.ndarray) -> PrecisionRecall:
    """Measure ``synthetic (m, k)`` against ``real (n, k)``, n at least 2."""
    levels = _levels()
    centre = real.mean(axis=0)
    radii = np.quantile(np.linalg.norm(real - centre, axis=1), levels)
    inside = np.linalg.norm(synthetic - centre, axis=1)[:, None] <= radii
    to_real = NearestNeighbors(n_neighbors=2).fit(real).kneighbors(real)[0][:, 1]
    nearest, to_synthetic = nearest_rows(real, synthetic)
    depth = np.linalg.norm(synthetic[nearest] - synthetic.mean(axis=0), axis=1)
    covered = (to_synthetic <= to_real)[:, None] & (depth[:, None] <= np.quantile(depth, levels))
    return PrecisionRecall(inside, covered)


def judge_precision_recall(context: Context) -> Findings:
    """Return ``alpha_precision`` and ``beta_recall``, as many rows of each kind."""
    size = min(context.test.n_rows, context.tables["value"].n_rows, MAX_ROWS)
    notices: tuple[str, ...] = ()
    if size == MAX_ROWS:
        notices = (f"alpha-precision and beta-recall use at most {MAX_ROWS:,} rows of each kind",)
    cut = context.rows.cut
    test = cut(context.test, size, "precision test")
    real = context.design.transform(test)
    tables = {k: cut(t, size, "precision tables") for k, t in context.tables.items()}
    found = {k: precision_recall(real, context.design.transform(t)) for k, t in tables.items()}
    rng = context.stream("precision resamples")
    synthetic_counts = resample_counts(rng, context.n_bootstrap, tables["value"].n_rows)
    test_counts = resample_counts(rng, context.n_bootstrap, test.n_rows, groups=test.groups)

    def metric(values: dict[str, float], replicates: np.ndarray, description: str) -> Metric:
        low, high = percentile_interval(replicates)
        return Metric(
            family="fidelity",
            value=values["value"],
            low=low,
            high=high,
            ideal=1.0,
            direction="nearest to 1",
            reference=fidelity_reference(values),
            description=description,
        )

    scored = found["value"]
    return Findings(
        {
            "alpha_precision": metric(
                {k: float(f.precision()[0]) for k, f in found.items()},
                scored.precision(synthetic_counts),
                "Do synthetic rows lie where real rows lie? 1 when every ball around the centre "
                "holds the same share of both.",
            ),
            "beta_recall": metric(
                {k: float(f.recall()[0]) for k, f in found.items()},
                scored.recall(test_counts),
                "Are all held-out rows covered by synthetic rows nearby? Read it against the real "
                "rows' figure: even those do not reach 1.",
            ),
        },
        notices=notices,
    )
