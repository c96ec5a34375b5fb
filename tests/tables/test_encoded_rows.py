"""Compact encoded rows give back the values of their table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rlsyn_env.errors import EncodingError
from rlsyn_env.tables.encoded_rows import EncodedRows
from rlsyn_env.tables.encoder import RecordEncoder


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 20000  # more than are encoded at once
    return pd.DataFrame(
        {
            **{f"code_{j}": (rng.random(n) < 0.1).astype("int8") for j in range(13)},
            "level": rng.choice(["a", "b", "c"], n),
            "gappy": np.where(rng.random(n) < 0.2, np.nan, rng.integers(0, 2, n)),
            "many": rng.integers(0, 400, n),
            "number": rng.normal(size=n),
        }
    )


def test_rows_decode_to_the_values_they_were_encoded_from(table) -> None:
    encoder = RecordEncoder.fit(table)
    rows = EncodedRows(encoder, table, np.random.default_rng(1))
    chosen = np.array([0, 19999, 5, 5, 16384])
    expected = table.iloc[chosen].reset_index(drop=True)
    for records in (rows.take(chosen), rows.take(slice(0, 6))):
        assert records.dtype == np.float32
        assert records.min() > 0
        assert records.max() < 1
    decoded = encoder.decode(rows.take(chosen))
    exact = [column for column in table if column not in ("many", "number")]
    pd.testing.assert_frame_equal(decoded[exact], expected[exact], check_dtype=False)
    np.testing.assert_allclose(decoded["number"], expected["number"], atol=0.2)


def test_a_yes_or_no_feature_is_one_bit(table) -> None:
    codes = table.filter(like="code_")
    rows = EncodedRows(RecordEncoder.fit(codes), codes, np.random.default_rng(1))
    assert rows.n_bytes == 2 * len(table)


def test_no_rows_and_unknown_values(table) -> None:
    encoder = RecordEncoder.fit(table)
    empty = EncodedRows(encoder, table.iloc[:0], np.random.default_rng(0))
    assert len(empty) == 0
    assert empty.take(slice(10)).shape == (0, encoder.n_features)
    strange = table.assign(level="z")
    with pytest.raises(EncodingError, match="level"):
        EncodedRows(encoder, strange, np.random.default_rng(0))
