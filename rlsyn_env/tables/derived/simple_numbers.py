"""The number with the fewest digits in an interval: the constant that a person would have used."""

from __future__ import annotations

import math

import numpy as np

_DIGITS = 15


def simplest(low: float, high: float, *, open_low: bool = False) -> float | None:
    """Return the number in [low, high] with the fewest digits; None when the interval is empty.

    Args:
        low: lower end, finite.
        high: upper end, finite.
        open_low: leave ``low`` itself out.
    """
    if not (math.isfinite(low) and math.isfinite(high)) or low > high:
        return None
    if open_low and low == high:
        return None
    if high < 0 and not open_low:
        found = simplest(-high, -low)
        return None if found is None else -found
    if (low < 0 or (low == 0 and not open_low)) and high >= 0:
        return 0.0
    largest = max(abs(low), abs(high))
    exponent = math.floor(math.log10(largest))
    for digits in range(_DIGITS + 1):
        power = exponent - digits
        # 10.0**-2 is not the decimal 0.01; dividing by 100 is as near as float64 gets
        count = low * 10.0**-power if power < 0 else low / 10.0**power
        whole = math.floor(count) + 1 if open_low else math.ceil(count - 1e-12 * abs(count))
        value = whole / 10.0**-power if power < 0 else whole * 10.0**power
        if (low < value if open_low else low <= value) and value <= high:
            return float(value)
    return high


def digits_of(value: float) -> int:
    """Return the significant digits of a number: 2 for 2500, 3 for 0.125, 0 for 0 and 1."""
    if value in (0.0, 1.0, -1.0):
        return 0
    return len(f"{abs(value):.14e}".split("e")[0].replace(".", "").rstrip("0"))


def roundest_date(low: float, high: float) -> str:
    """Return the first of a year, a month, a day, or else a moment, in (low, high], as ISO text.

    Args:
        low, high: seconds since 1970.
    """
    moment = np.datetime64(round(high * 1e6), "us")
    for unit in ("Y", "M", "D", "h", "m", "s"):
        start = moment.astype(f"datetime64[{unit}]").astype("datetime64[us]")
        if start.astype(np.int64) / 1e6 > low:
            shown = start.astype("datetime64[D]") if unit in ("Y", "M", "D") else start
            return str(shown.astype("datetime64[s]") if unit in ("h", "m", "s") else shown)
    return str(moment)
