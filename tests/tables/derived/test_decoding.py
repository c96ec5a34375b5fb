"""Derived columns leave the episode and come back consistent, in their own dtype."""

import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlsyn_env.adversary import Adversary
from rlsyn_env.core import RecordCore
from rlsyn_env.errors import EncodingError, SchemaError
from rlsyn_env.metrics.fidelity import column_shapes
from rlsyn_env.tables.encoder import RecordEncoder
from rlsyn_env.tables.inference import infer_schema, load_schema
from rlsyn_env.tables.rare_columns import drop_rare
from rlsyn_env.tables.schema import TableSchema
from rlsyn_env.tables.training_data import settle_schema


def mixed(n: int = 300, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(1, 100, n), rng.integers(0, 50, n)
    table = pd.DataFrame({"a": a, "b": b})
    table["sum"] = (a + b).astype("uint8")
    table["half"] = pd.array(a * 2, dtype="Int64")
    table["lab"] = np.where(rng.random(n) < 0.3, np.nan, rng.normal(5, 1, n).round(1))
    table["lab_x_b"] = (table.lab * b).round(1)
    table["measured"] = np.where(table.lab.isna(), "f", "t")
    table["ratio"] = np.where(b == 0, np.nan, (a / np.where(b == 0, 1, b)).round(2))
    table["single"] = (a / 4).astype("float32")
    table["flag"] = pd.array(a > 30, dtype="boolean")
    table["band"] = pd.Categorical(
        np.where(a > 60, "high", "low"), categories=["low", "middle", "high"], ordered=True
    )
    day = datetime.date(2020, 1, 1)
    table["day"] = [day + datetime.timedelta(days=int(x)) for x in rng.integers(0, 500, n)]
    table["later"] = [
        d + datetime.timedelta(days=int(x)) for d, x in zip(table.day, b, strict=True)
    ]
    return table


GENERATED = ("a", "b", "lab", "day")


def fitted(table: pd.DataFrame) -> RecordEncoder:
    return RecordEncoder.fit(table, infer_schema(table, derive=True))


def assert_consistent(table: pd.DataFrame) -> None:
    a, b = table.a.to_numpy(), table.b.to_numpy()
    assert (table["sum"] == a + b).all()
    assert (table.half == 2 * a).all()
    assert (table.measured == np.where(table.lab.isna(), "f", "t")).all()
    assert (table.lab_x_b.isna() == table.lab.isna()).all()
    known = table.lab.notna()
    np.testing.assert_allclose(table.lab_x_b[known], (table.lab * b).round(1)[known], atol=1e-9)
    assert (table.ratio.isna() == (b == 0)).all()
    np.testing.assert_array_equal(table.single, (a / 4).astype("float32"))
    assert (table.flag == (a > 30)).all()
    assert (table.band == np.where(a > 60, "high", "low")).all()
    days = pd.to_datetime(table.later) - pd.to_datetime(table.day)
    assert (days.dt.days == b).all()


def test_derived_columns_are_no_features_and_come_back() -> None:
    table = mixed()
    encoder = fitted(table)
    assert encoder.feature_names == GENERATED
    assert encoder.schema.feature_names == GENERATED
    assert encoder.schema.compared_names == tuple(table.columns)
    decoded = encoder.decode(encoder.encode(table, np.random.default_rng(0)))
    assert list(decoded.columns) == list(table.columns)
    pd.testing.assert_series_equal(decoded.dtypes, table.dtypes)
    inside = table.b.eq(decoded.b) & table.a.eq(decoded.a)  # not clipped at a tail
    assert inside.mean() > 0.95
    for name in ("sum", "half", "ratio", "measured", "single", "flag", "band"):
        pd.testing.assert_series_equal(decoded[name][inside], table[name][inside])


@given(seed=st.integers(0, 2**31 - 1), n=st.integers(1, 200))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_random_records_decode_to_consistent_rows(seed: int, n: int) -> None:
    encoder = fitted(mixed())
    records = np.random.default_rng(seed).random((n, encoder.n_features))
    assert_consistent(encoder.decode(records.astype(np.float32)))


def test_the_encoder_round_trips_as_json_and_the_schema_as_yaml(tmp_path) -> None:
    table = mixed()
    encoder = fitted(table)
    encoder.save(tmp_path / "encoder.json")
    again = RecordEncoder.load(tmp_path / "encoder.json")
    assert again.to_json() == encoder.to_json()
    records = np.random.default_rng(1).random((50, encoder.n_features))
    pd.testing.assert_frame_equal(again.decode(records), encoder.decode(records))
    encoder.schema.save(tmp_path / "schema.yaml")
    loaded = TableSchema.load(tmp_path / "schema.yaml")
    assert [c.derived for c in loaded.columns] == [c.derived for c in encoder.schema.columns]
    assert "derived: " in (tmp_path / "schema.yaml").read_text()


def test_a_formula_can_be_removed_and_written_by_hand(tmp_path) -> None:
    table = mixed()[["a", "b", "sum"]].astype("int64")
    schema = infer_schema(table, derive=True)
    text = schema.to_yaml()
    assert "derived: sum = a + b" in text
    assert "column 'sum' is computed: sum = a + b" in schema.notices()
    path = tmp_path / "schema.yaml"
    path.write_text(text.replace("sum = a + b", "sum = 2 * a"))
    doubled = RecordEncoder.fit(table, load_schema(path, table))
    decoded = doubled.decode(np.full((3, 2), 0.5))
    assert (decoded["sum"] == 2 * decoded.a).all()
    path.write_text("columns: {a: integer, b: integer, sum: integer}")
    assert load_schema(path, table).feature_names == ("a", "b", "sum")


def edited(formula: str, kind: str = "integer") -> str:
    quoted = formula.replace("'", "''")
    return (
        "target: y\ncolumns:\n  a: integer\n  y: integer\n  id: identifier\n"
        "  sex: {kind: binary, levels: [F, M]}\n"
        f"  c: {{kind: {kind}, derived: '{quoted}'}}\n"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (edited("c = a + nothing"), "there is no column 'nothing'"),
        (edited("c = a +"), "a column is expected at the end"),
        (edited("c = a + sex"), "'sex' holds binary text, not numbers"),
        (edited("c = a + id"), "'id' is not generated"),
        (edited("c = 7"), "it uses no column"),
        (edited("c = c + a"), "columns 'c' are derived from one another"),
        (edited("c = a", kind="constant"), "its kind is constant"),
        (edited('c = map(sex, "F" -> 1)'), "it does not say what 'M' becomes"),
        (edited('c = map(sex, "F" -> 1, "M" -> "x")'), "'x' is not a value of a integer column"),
        (edited("c = map(a, 1 -> 2)"), "it does not say what other values becomes"),
        (edited("c = steps(sex, 1, 2 -> 3)"), "'sex' has no order"),
        (edited('c = steps(a, 1, "2020-01-01" -> 3)'), "the bounds of 'a' must be numbers"),
        (edited("c = a").replace("target: y", "target: c"), "the column is the target"),
        (edited("c = a").replace("'c = a'", "[a]"), "derived is ['a'], expected text"),
    ],
)
def test_a_broken_formula_gives_one_clear_error(text: str, problem: str, tmp_path) -> None:
    path = tmp_path / "schema.yaml"
    path.write_text(text)
    with pytest.raises(SchemaError) as refusal:
        TableSchema.load(path)
    message = str(refusal.value)
    assert problem in message
    assert str(path) in message
    assert "'c'" in message
    assert "\n" not in message


def test_a_derived_column_cannot_be_fixed() -> None:
    encoder = fitted(mixed())
    with pytest.raises(EncodingError, match=r"'sum' is computed \(sum = a \+ b\).*'a', 'b'"):
        encoder.encode_value("sum", 3)
    core = RecordCore(2, "box", encoder=encoder)
    with pytest.raises(EncodingError, match=r"'sum' is computed"):
        core.reset(fixed={"sum": 3})


def test_test_rows_that_break_the_relation_are_encoded_and_compared() -> None:
    train, test = mixed(seed=0), mixed(seed=1)
    test["sum"] = 7
    test["measured"] = "t"
    encoder = fitted(train)
    encoder.schema.check(test)
    records = encoder.encode(test, np.random.default_rng(0))
    assert 0 <= column_shapes(test, encoder.decode(records), encoder.schema) <= 1


def test_relations_are_sought_among_training_rows_only() -> None:
    table = mixed()
    table.loc[250:, "half"] = 1
    adversary = Adversary.from_dataset(table.iloc[:250], validation_size=0.1)
    assert "half" not in adversary.encoder.feature_names
    adversary = Adversary.from_dataset(table.iloc[:250], validation_size=0.1, derive=False)
    assert adversary.encoder.feature_names == tuple(table.columns)


def test_a_given_schema_is_followed_and_the_switch_undoes_formulas() -> None:
    table = mixed()
    plain, derived = infer_schema(table), infer_schema(table, derive=True)
    assert settle_schema(plain, table, given=True) == plain
    assert settle_schema(derived, table, given=True) == derived
    assert settle_schema(derived, table, derive=False) == plain
    assert settle_schema(plain, table) == derived


def test_inputs_of_a_formula_are_not_dropped_as_rare() -> None:
    rng = np.random.default_rng(0)
    flags = pd.DataFrame((rng.random((300, 5)) < 0.1).astype(int), columns=list("abcde"))
    flags["n"] = flags.sum(axis=1)
    flags["age"] = rng.integers(0, 90, 300)
    schema = TableSchema(infer_schema(flags, derive=True).columns, min_prevalence=0.5)
    dropped = drop_rare(schema, flags)
    needed = {n for c in schema.columns if c.derived is not None for n in c.derived.sources}
    assert needed <= set(dropped.names)


def test_a_level_that_no_training_row_has_becomes_the_commonest_value() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"cause": rng.choice(["a", "b", "c"], 300, p=[0.5, 0.3, 0.2])})
    table["code"] = table.cause.map({"a": 5, "b": 6, "c": 5})
    whole = pd.concat([table, pd.DataFrame({"cause": ["d"], "code": [6]})], ignore_index=True)
    schema = settle_schema(infer_schema(whole), table)
    encoder = RecordEncoder.fit(table, schema)
    assert encoder.feature_names == ("cause",)
    low, high = encoder.encode_value("cause", "d")
    decoded = encoder.decode(np.array([[(low + high) / 2]]))
    assert decoded.cause.tolist() == ["d"]
    assert decoded.code.tolist() == [5]


def test_zero_divisors_take_a_bound_where_the_column_has_no_missing_values(tmp_path) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.integers(1, 9, 100), "b": rng.integers(0, 3, 100)})
    table["r"] = (table.a / (table.b + 1)).round(1)
    path = tmp_path / "schema.yaml"
    path.write_text(
        "columns:\n  a: integer\n  b: integer\n"
        "  r: {kind: continuous, bounds: [0, 8], decimals: 1, derived: 'r = a / b'}\n"
    )
    encoder = RecordEncoder.fit(table, load_schema(path, table))
    decoded = encoder.decode(rng.random((200, 2)))
    zero = decoded.b == 0
    assert zero.any()
    assert (decoded.r[zero] == 8).all()
    assert (decoded.r[~zero] == (decoded.a / decoded.b)[~zero].round(1)).all()
