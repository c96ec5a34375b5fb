"""Parts of the training rows: the smaller ones within the larger ones, classes in proportion."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rlsyn_env.tables.splits import IntArray, is_class_target


def stratified_order(target: pd.Series, seed: int) -> IntArray:
    """Return row numbers ``(n,)`` int64 in an order of which every beginning is stratified.

    Rows of a class of m rows are spread evenly: the k-th comes after a share of (k + 1/2) / m of
    all rows, so the first r rows hold r m / n of them, give or take one. Within a class the order
    is drawn from the seed. A continuous target is not stratified.

    Args:
        target: of the rows; a missing value is a class of its own.
        seed: of the order within classes.
    """
    drawn = np.random.default_rng(seed).permutation(len(target))
    if not is_class_target(target):
        return drawn.astype(np.int64)
    codes = pd.factorize(target, use_na_sentinel=False)[0][drawn]
    rank = pd.Series(codes).groupby(codes).cumcount().to_numpy()
    share = (rank + 0.5) / np.bincount(codes)[codes]
    return drawn[np.argsort(share, kind="stable")].astype(np.int64)
