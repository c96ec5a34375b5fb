"""The clinical tables that come inside scikit-learn: nothing to download."""

from __future__ import annotations

from sklearn.datasets import load_breast_cancer, load_diabetes

from rlsyn_env.tables.datasets.dataset import Dataset


def breast_cancer() -> Dataset:
    """Return Wisconsin diagnostic breast cancer: 569 rows, 30 measurements and ``target``."""
    return Dataset(
        "breast_cancer",
        load_breast_cancer(as_frame=True).frame,
        target="target",
        description="Wisconsin diagnostic breast cancer: 30 cell nucleus measurements, 2 classes",
    )


def diabetes() -> Dataset:
    """Return diabetes progression: 442 rows, 10 baseline variables unscaled and ``target``."""
    return Dataset(
        "diabetes",
        load_diabetes(as_frame=True, scaled=False).frame,
        target="target",
        description="Diabetes: 10 baseline variables, disease progression after one year",
    )
