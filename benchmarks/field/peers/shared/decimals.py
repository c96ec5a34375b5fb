"""Continuous columns with as many decimals as the schema declares.

For peers whose generator draws from a density: 36.6 degrees stay 36.6, not 36.5917. Peers that
return values of training rows, or round by rules of their own, have no need of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import yaml

if TYPE_CHECKING:
    from peer_table import Task


def rounded(task: Task, frame: pd.DataFrame) -> pd.DataFrame:
    """Return ``frame`` with the continuous columns of the task rounded, all else as it is."""
    schema = yaml.safe_load((task.folder / "schema.yaml").read_text(encoding="utf-8"))
    result = frame.copy()
    for name in task.numeric:
        decimals = schema["columns"][name].get("decimals")
        if decimals is not None:
            result[name] = pd.to_numeric(result[name]).round(decimals)
    return result
