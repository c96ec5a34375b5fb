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


def mixed_visits(n: int = 1200, seed: int = 0) -> pd.DataFrame:
    """Return ``n`` rows of nine columns of every kind, with missing values and a binary target.

    Age and sex drive blood pressure and body mass; a skewed laboratory value with a point mass at 0
    depends on the ward, is missing more often where it was not needed, and with age and pressure
    decides the outcome. ``seed`` draws the rows.

    Args:
        n: number of rows.
        seed: of the draw.

    Returns:
        Text, whole and decimal numbers; ``readmitted`` is 0 or 1.
    """
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 90, n)
    sex = rng.choice(["F", "M"], n)
    mass = (21 + 0.06 * age + rng.gamma(3.0, 1.4, n)).round(1)
    pressure = (95 + 0.5 * age + 0.8 * (mass - 26) + 4 * (sex == "M") + rng.normal(0, 9, n)).round()
    ward = np.where(
        pressure + rng.normal(0, 8, n) > 140, "cardiology", rng.choice(["general", "surgery"], n)
    )
    troponin = (rng.lognormal(0.02 * (age - 60), 0.6, n) * (1 + (ward == "cardiology"))).round(2)
    troponin = np.where((ward == "surgery") & (rng.random(n) < 0.6), 0.0, troponin)
    known = rng.random(n) > np.where(ward == "cardiology", 0.03, 0.3)
    days = 1 + rng.poisson(1.5 + 0.8 * troponin.clip(max=5))
    risk = 0.03 * (age - 60) + 0.7 * (troponin > 1.5) + 0.2 * (days - 3) - 0.8
    return pd.DataFrame(
        {
            "age": age,
            "sex": sex,
            "body_mass": mass,
            "pressure": pressure.astype(np.int64),
            "ward": ward,
            "troponin": np.where(known, troponin, np.nan),
            "days": days,
            "smoker": np.where(rng.random(n) < 0.2 + 0.15 * (sex == "M"), "yes", "no"),
            "readmitted": (rng.random(n) < 1 / (1 + np.exp(-risk))).astype(np.int64),
        }
    )


def _noisy(usual: np.ndarray, n_levels: int, rng: np.random.Generator) -> np.ndarray:
    """Keep ``usual`` with probability 0.85, else draw one of ``n_levels`` at random."""
    return np.where(
        rng.random(len(usual)) < _STRENGTH, usual, rng.integers(0, n_levels, len(usual))
    )
