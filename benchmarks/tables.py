"""Made-up tables with a known truth, for benchmarks and tests."""

from __future__ import annotations

import numpy as np
import pandas as pd

#: Levels of each column; none is ordered.
LEVELS: dict[str, tuple[str, ...]] = {
    "region": ("north", "east", "south", "west"),
    "clinic": ("alder", "birch", "cedar", "elm", "fir"),
    "diagnosis": ("asthma", "copd", "flu", "none"),
    "drug": ("albuterol", "ipratropium", "oseltamivir", "placebo", "none"),
    "ward": ("day", "general", "intensive"),
    "outcome": ("better", "same", "worse"),
}
_STRENGTH = 0.85  # probability of the usual level; the rest is shared by all levels


def dependent_categories(n: int = 600, seed: int = 0) -> pd.DataFrame:
    """Return ``n`` rows of six strongly dependent categorical columns.

    Every column is, with probability 0.85, a fixed function of one or two earlier ones, and else a
    level at random. The functions are fixed and follow no order of the levels: jitter inside a
    level, or a linear model of level numbers, cannot fake the dependence. ``seed`` draws the rows.

    Args:
        n: number of rows.
        seed: of the draw.

    Returns:
        Columns as in :data:`LEVELS`, text, no missing values.
    """
    rng = np.random.default_rng(seed)
    sizes = {name: len(levels) for name, levels in LEVELS.items()}
    region = rng.choice(4, size=n, p=[0.4, 0.3, 0.2, 0.1])
    clinic = _noisy(np.array([2, 0, 4, 1])[region], sizes["clinic"], rng)
    diagnosis = _noisy(np.array([3, 1, 0, 2, 1])[clinic], sizes["diagnosis"], rng)
    drug = _noisy(np.array([2, 0, 4, 1])[diagnosis], sizes["drug"], rng)
    ward = _noisy((2 * diagnosis + region) % 3, sizes["ward"], rng)
    outcome = _noisy((drug + 2 * ward) % 3, sizes["outcome"], rng)
    codes = [region, clinic, diagnosis, drug, ward, outcome]
    return pd.DataFrame(
        {
            name: np.array(levels, dtype=object)[code]
            for (name, levels), code in zip(LEVELS.items(), codes, strict=True)
        }
    )


def _noisy(usual: np.ndarray, n_levels: int, rng: np.random.Generator) -> np.ndarray:
    """Keep ``usual`` with probability 0.85, else draw one of ``n_levels`` at random."""
    return np.where(
        rng.random(len(usual)) < _STRENGTH, usual, rng.integers(0, n_levels, len(usual))
    )
