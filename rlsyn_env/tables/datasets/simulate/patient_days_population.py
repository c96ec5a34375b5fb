"""A population of patient-days in AI-READI's shape whose correlations are known exactly.

Behind every column is a latent variable. Given whether the patient has diabetes, all latents are
jointly normal: the patient's factors carry the static columns and part of the daily ones; a day's
own factors and noise make the rest. Columns are fixed maps of the latents (a scale, a logarithm, a
composition of the day), which :meth:`PatientDaysPopulation.latents` undoes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm

from rlsyn_env.tables.datasets.ai_readi.daily_columns import (
    ACTIVITY_COLUMNS,
    DAILY_COLUMNS,
    HEART_RATE_RULE,
    HOURS_RULE,
    SLEEP_COLUMNS,
    TARGET,
)

FloatArray = npt.NDArray[np.float64]

DIABETES_SHARE = 0.377
N_CONTINUOUS_STATIC, N_BINARY_STATIC = 56, 35
N_FACTORS, N_DAY_FACTORS = 6, 3

ECG = ("Rate", "PR", "QRSD", "QT", "QTc", "P", "QRS", "T")
LABORATORY = tuple(f"lab_{i:02d}" for i in range(1, N_CONTINUOUS_STATIC - len(ECG) + 1))
STATIC_CONTINUOUS = tuple(f"ecg_{name}" for name in ECG) + LABORATORY
STATIC_BINARY = tuple(f"condition_{i:02d}" for i in range(1, N_BINARY_STATIC + 1))

# Latents of the daily columns: their location and scale after the map that is named.
_DAILY = {
    "mean_heart_rate": (76.0, 8.0),
    "log mean_glucose": (4.85, 0.22),
    "mean_respiration": (14.5, 1.6),
    "logit mean_stress": (-0.85, 0.45),
    "log sd_glucose": (3.1, 0.4),
    "log total_steps": (8.7, 0.55),
    "log heart_rate_reserve": (2.6, 0.3),
    "log total_kcal": (7.6, 0.2),
    "logit sleep": (-0.75, 0.25),
    "log light/awake": (2.0, 0.4),
    "log deep/awake": (0.7, 0.5),
    "log rem/awake": (1.0, 0.5),
    "logit active": (1.2, 0.5),
    "log generic/sedentary": (-1.5, 0.5),
    "log running/sedentary": (-5.0, 0.9),
    "log walking/sedentary": (-2.3, 0.6),
}
DAILY_LATENTS = tuple(_DAILY)


class PatientDaysPopulation:
    """The distribution that :func:`simulate_patient_days` draws from.

    Args:
        seed: of its parameters.

    Attributes:
        loadings: (72, 6) of the latents of daily and static columns on the patient's factors.
        day_loadings: (16, 3) of the daily latents on the day's factors.
        shift: (6,) by which diabetes moves the factors.
        thresholds: (35,) of the binary columns' latents, with ``binary_loadings`` (35, 6).
        static_location, static_scale, static_missing: (56,) of the static continuous columns.
    """

    constraints = (HEART_RATE_RULE, HOURS_RULE)

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(np.random.SeedSequence([seed, 2]))
        n_daily = len(DAILY_LATENTS)
        self.shift = rng.normal(0, 0.5, N_FACTORS)
        self.shift[0] = 1.6
        self.loadings = _loadings(n_daily + N_CONTINUOUS_STATIC, 0.6, rng)
        self.loadings[[1, 4], 0] = 0.6  # diabetes raises glucose and its spread
        self.day_loadings = _loadings(n_daily, 0.4, rng)[:, :N_DAY_FACTORS]
        self.binary_loadings = _loadings(N_BINARY_STATIC, 0.7, rng)
        self.thresholds = norm.isf(rng.beta(1.2, 5, N_BINARY_STATIC) * 0.9 + 0.02)
        self.static_location = rng.uniform(5, 200, N_CONTINUOUS_STATIC).round(1)
        self.static_scale = (self.static_location * rng.uniform(0.08, 0.25, 56)).round(2)
        self.static_missing = np.where(
            rng.random(N_CONTINUOUS_STATIC) < 0.4, rng.uniform(0.01, 0.15, 56), 0.0
        )
        own = np.ones(len(self.loadings)) - (self.loadings**2).sum(axis=1)
        own[:n_daily] -= (self.day_loadings**2).sum(axis=1)
        self.own_variance = np.maximum(own, 0.1)

    @property
    def static_columns(self) -> tuple[str, ...]:
        """Columns that repeat over a patient's days, in table order."""
        return (*STATIC_CONTINUOUS, TARGET, *STATIC_BINARY)

    @property
    def prevalences(self) -> pd.Series:
        """Exact share of patients with each binary column."""
        means = np.outer([0.0, 1.0], self.binary_loadings @ self.shift)
        weights = np.array([1 - DIABETES_SHARE, DIABETES_SHARE])
        shares = weights @ norm.sf(self.thresholds - means)
        return pd.Series([DIABETES_SHARE, *shares], index=[TARGET, *STATIC_BINARY])

    def missing_shares(self) -> pd.Series:
        """Return the exact share of patients without a value, by static continuous column."""
        return pd.Series(self.static_missing, index=list(STATIC_CONTINUOUS))

    def latent_correlations(self) -> pd.DataFrame:
        """Return exact correlations (72, 72) over patient-days of the columns of :meth:`latents`.

        The target's correlation with each is ``latent_correlations_with_target``.
        """
        covariance = self._covariance()
        deviation = np.sqrt(np.diag(covariance))
        names = [*DAILY_LATENTS, *STATIC_CONTINUOUS]
        return pd.DataFrame(covariance / np.outer(deviation, deviation), names, names)

    def latent_correlations_with_target(self) -> pd.Series:
        """Return exact correlations (72,) of the latents with having diabetes."""
        spread = np.sqrt(DIABETES_SHARE * (1 - DIABETES_SHARE))
        values = self.loadings @ self.shift * spread / np.sqrt(np.diag(self._covariance()))
        return pd.Series(values, index=[*DAILY_LATENTS, *STATIC_CONTINUOUS])

    def latents(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the latents (n, 72) behind the columns of ``table``, up to its rounding."""
        t = table
        asleep, active = t[list(SLEEP_COLUMNS)].sum(axis=1), t[list(ACTIVITY_COLUMNS)].sum(axis=1)
        maps = [
            t["mean_heart_rate"],
            np.log(t["mean_glucose"]),
            t["mean_respiration"],
            _logit(t["mean_stress"] / 100),
            np.log(t["sd_glucose"]),
            np.log(t["total_steps"]),
            np.log(t["mean_heart_rate"] - t["resting_heart_rate"]),
            np.log(t["total_kcal"]),
            _logit(asleep / 24),
            *(np.log(t[name] / t["hours_awake"]) for name in SLEEP_COLUMNS[:3]),
            _logit(active / (24 - asleep)),
            *(np.log(t[name] / t["hours_sedentary"]) for name in ACTIVITY_COLUMNS[:3]),
        ]
        daily = {
            name: (value - location) / scale
            for (name, (location, scale)), value in zip(_DAILY.items(), maps, strict=True)
        }
        static = (t[list(STATIC_CONTINUOUS)] - self.static_location) / self.static_scale
        return pd.concat([pd.DataFrame(daily), static], axis=1)

    def daily_values(self, latents: FloatArray) -> dict[str, FloatArray]:
        """Undo :meth:`latents` for the 16 daily columns; ``latents`` is (n, 16)."""
        location, scale = np.array(list(_DAILY.values())).T
        x = dict(zip(DAILY_LATENTS, (location + scale * latents).T, strict=True))
        asleep = 24 / (1 + np.exp(-x["logit sleep"]))
        active = (24 - asleep) / (1 + np.exp(-x["logit active"]))
        sleep = [np.exp(x[f"log {stage}/awake"]) for stage in ("light", "deep", "rem")]
        moving = [np.exp(x[f"log {kind}/sedentary"]) for kind in ("generic", "running", "walking")]
        values = [
            x["mean_heart_rate"],
            np.exp(x["log mean_glucose"]),
            x["mean_respiration"],
            100 / (1 + np.exp(-x["logit mean_stress"])),
            np.exp(x["log sd_glucose"]),
            np.exp(x["log total_steps"]),
            x["mean_heart_rate"] - np.exp(x["log heart_rate_reserve"]),
            np.exp(x["log total_kcal"]),
            *(asleep * part / (1 + sum(sleep)) for part in (*sleep, 1.0)),
            *(active * part / (1 + sum(moving)) for part in (*moving, 1.0)),
        ]
        return dict(zip(DAILY_COLUMNS, values, strict=True))

    def _covariance(self) -> FloatArray:
        n_daily = len(DAILY_LATENTS)
        shifted = self.loadings @ self.shift
        covariance = self.loadings @ self.loadings.T + np.diag(self.own_variance)
        covariance += DIABETES_SHARE * (1 - DIABETES_SHARE) * np.outer(shifted, shifted)
        covariance[:n_daily, :n_daily] += self.day_loadings @ self.day_loadings.T
        return np.asarray(covariance)


def _loadings(n: int, most: float, rng: np.random.Generator) -> FloatArray:
    """(n, 6) loadings whose squares add up to at most ``most``."""
    raw = rng.normal(0, 1, (n, N_FACTORS)) * (rng.random((n, N_FACTORS)) < 0.5)
    length = np.maximum(np.sqrt((raw**2).sum(axis=1, keepdims=True)), 1e-9)
    return np.asarray(raw / length * np.sqrt(rng.uniform(0.2, most, (n, 1))))


def _logit(share: pd.Series) -> pd.Series:
    return pd.Series(np.log(share / (1 - share)))
