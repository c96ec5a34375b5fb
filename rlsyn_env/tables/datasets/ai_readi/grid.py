"""Readings on a grid of five minutes, with short gaps interpolated."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rlsyn_env.tables.datasets.ai_readi.readings import Readings

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

SLOT_SECONDS = 300
SLOTS_PER_DAY = 24 * 3600 // SLOT_SECONDS
DAY_START_SLOT = 8 * 3600 // SLOT_SECONDS
"""Days begin at 08:00 UTC."""
LONGEST_GAP = 3 * 3600 // SLOT_SECONDS
"""Slots in a row without a value that are still interpolated."""


def day_of(seconds: FloatArray) -> IntArray:
    """Return the number of the day that each moment is in, counted from 1970-01-01 08:00 UTC."""
    return np.asarray((seconds // SLOT_SECONDS - DAY_START_SLOT) // SLOTS_PER_DAY, dtype=np.int64)


def slot_means(readings: Readings, first_day: int, n_days: int) -> FloatArray:
    """Return the mean of the readings that start in each slot, (n_days * 288,); NaN for none."""
    slots, inside = _slots(readings.start, first_day, n_days)
    keep = inside & ~np.isnan(readings.value)
    n = n_days * SLOTS_PER_DAY
    total = np.bincount(slots[keep], weights=readings.value[keep], minlength=n)
    count = np.bincount(slots[keep], minlength=n)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def slot_overlaps(
    readings: Readings, first_day: int, n_days: int
) -> tuple[IntArray, IntArray, FloatArray]:
    """Cut intervals at the borders of the slots.

    Returns:
        For every piece: the number of its reading, its slot, and its length in seconds; an
        interval without length gives one piece of 0 seconds.
    """
    start = readings.start / SLOT_SECONDS - first_day * SLOTS_PER_DAY - DAY_START_SLOT
    end = np.maximum(
        readings.end / SLOT_SECONDS - first_day * SLOTS_PER_DAY - DAY_START_SLOT, start
    )
    first = np.floor(start).astype(np.int64)
    last = np.maximum(np.ceil(end).astype(np.int64) - 1, first)
    pieces = last - first + 1
    reading = np.repeat(np.arange(len(start)), pieces)
    offset = np.arange(len(reading)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    slot = first[reading] + offset
    length = np.minimum(end[reading], slot + 1) - np.maximum(start[reading], slot)
    inside = (slot >= 0) & (slot < n_days * SLOTS_PER_DAY)
    return reading[inside], slot[inside], length[inside] * SLOT_SECONDS


def interpolate(values: FloatArray, *, nearest: bool = False) -> FloatArray:
    """Fill gaps of up to three hours in (n,) or (n, k) ``values``, linearly in time.

    Longer gaps stay NaN as a whole, and so does what lies before the first and after the last
    value. ``nearest`` takes the closest known slot instead (an activity is one or the other).
    """
    columns = values.reshape(len(values), -1)
    known = np.flatnonzero(~np.isnan(columns).any(axis=1))
    if len(known) < 2:
        return values
    filled = columns.copy()
    slots = np.arange(len(columns))
    after = np.searchsorted(known, slots).clip(1, len(known) - 1)
    left, right = known[after - 1], known[after]
    gap = np.isnan(columns).any(axis=1) & (slots > left) & (slots < right)
    gap &= right - left - 1 <= LONGEST_GAP
    share = ((slots - left) / (right - left))[gap][:, None]
    if nearest:
        share = np.round(share)
    filled[gap] = columns[left[gap]] * (1 - share) + columns[right[gap]] * share
    return filled.reshape(values.shape)


def _slots(
    seconds: FloatArray, first_day: int, n_days: int
) -> tuple[IntArray, npt.NDArray[np.bool_]]:
    slots = (seconds // SLOT_SECONDS).astype(np.int64) - first_day * SLOTS_PER_DAY - DAY_START_SLOT
    inside = (slots >= 0) & (slots < n_days * SLOTS_PER_DAY)
    return np.where(inside, slots, 0), inside
