"""A record in the table's own terms, as text."""

from __future__ import annotations

import numpy as np

from rlsyn_env.core import RecordCore


def record_text(core: RecordCore, index: int = 0) -> str:
    """Describe the record that environment ``index`` is writing.

    Features already emitted are shown with their decoded value, the others with a dot. Between
    episodes (and in the one-step formulation) it shows the last finished record.
    """
    d = core.n_features
    emitted = core.step_index if core.mode != "oneshot" else 0
    if emitted > 0:
        values = (core.observations()[index : index + 1, :d] + 1) / np.float32(2)
        values[:, emitted:] = 0.5  # decodable; not shown
    elif core.finished_records is not None:
        values, emitted = core.finished_records[index : index + 1], d
    else:
        values, emitted = np.full((1, d), 0.5, dtype=np.float32), 0
    row = core.encoder.decode(np.clip(values, 0, 1).astype(np.float32)).iloc[0]
    width = max(len(name) for name in core.encoder.feature_names)
    lines = [
        f"{name:<{width}}  {row[name] if j < emitted else '.'}"
        for j, name in enumerate(core.encoder.feature_names)
    ]
    return "\n".join(lines)
