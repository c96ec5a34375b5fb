"""When a relation is too good to be chance.

A relation is kept when writing the result down row by row takes at least 30 bits more than writing
down the formula. The first is ``log2`` of the number of ways in which the result's values can be
dealt to the rows; the second is ``log2`` of the number of formulas that were tried, constants
included. So among tables whose columns have nothing to do with one another (every dealing is as
likely), at most one in 2^30 shows a false relation per column.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

NEEDED_BITS = 30.0
LEAST_ROWS = 30
"""Rows that a result must have values in."""
LEAST_DISTINCT = 5
"""Distinct values of a result of arithmetic."""
LEAST_OF_A_LEVEL = 5
"""Rows that each level, or each step, of a source must have."""
BITS_PER_DIGIT = math.log2(10)


def arrangement_bits(values: npt.NDArray[np.generic]) -> float:
    """Return log2 of the number of distinct orders of ``values`` (n,)."""
    counts = np.unique(values, return_counts=True)[1]
    return float((gammaln(len(values) + 1) - gammaln(counts + 1).sum()) / math.log(2))
