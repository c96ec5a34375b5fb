"""Exact relations are found in every form, with missing values, and never where there is none."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlsyn_env.tables.derived.detection import derive_columns
from rlsyn_env.tables.derived.evaluation import evaluate
from rlsyn_env.tables.inference import infer_schema

N = 200
RNG = np.random.default_rng(0)
A, B = RNG.integers(1, 1000, N), RNG.integers(1, 1000, N)
C = RNG.integers(0, 50, N)
X, Y = RNG.normal(100, 20, N).round(2), RNG.normal(50, 9, N).round(2)
HEIGHT, WEIGHT = RNG.normal(1.7, 0.1, N).round(2), RNG.normal(75, 12, N).round(1)
ADMITTED = pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 10**8, N), unit="s")
STAY = RNG.integers(60, 30 * 86400, N)
DISCHARGED = ADMITTED + pd.to_timedelta(STAY, unit="s")
FLAGS = {f"f{i}": RNG.integers(0, 2, N) for i in range(6)}
HOLES = np.where(np.arange(N) % 7 == 0, np.nan, X)
CAUSE = RNG.choice(["fall", "burn", "crash", "other"], N)

RELATIONS = {
    "difference": ({"a": A, "b": B, "c": A - B}, "c = a - b"),
    "other sign": ({"a": A, "b": B, "c": B - A}, "c = b - a"),
    "minus a sum": ({"a": A, "b": B, "c": -A - B}, "c = -1 * (a + b)"),
    "sum": ({"x": X, "y": Y, "c": (X + Y).round(2)}, "c = x + y"),
    "total first": ({"total": A + B, "a": A, "b": B}, "b = total - a"),
    "parts": ({"a": A, "b": B, "c": C, "other": X, "t": A + B + C}, "t = a + b + c"),
    "signed parts": ({"a": A, "b": B, "c": C, "x": X, "t": (A + B - C + X).round(2)},
                     "t = a + b + x - c"),
    "count of flags": ({**FLAGS, "n": sum(FLAGS.values())}, "n = f0 + f1 + f2 + f3 + f4 + f5"),
    "weighted": ({"s": A, "d": B, "m": ((A + 2 * B) / 3).round(1)},
                 "m = round((s + 2 * d) / 3, 1)"),
    "product": ({"a": A, "b": B, "p": A * B}, "p = a * b"),
    "square": ({"a": A, "p": A**2}, "p = a ^ 2"),
    "full ratio": ({"a": A, "b": B, "r": A / B}, "r = a / b"),
    "rounded ratio": ({"x": X, "y": Y, "r": (X / Y).round(2)}, "r = round(x / y, 2)"),
    "bmi": ({"w": WEIGHT, "h": HEIGHT, "bmi": (WEIGHT / HEIGHT**2).round(1)},
            "bmi = round(w / h ^ 2, 1)"),
    "bmi first": ({"bmi": (WEIGHT / HEIGHT**2).round(1), "w": WEIGHT, "h": HEIGHT},
                  "bmi = round(w / h ^ 2, 1)"),
    "unit": ({"cm": X, "inch": (X / 2.54).round(4)}, "inch = round(cm / 2.54, 4)"),
    "fahrenheit": ({"c": X, "f": (X * 1.8 + 32).round(1)}, "f = round(1.8 * c + 32, 1)"),
    "copy": ({"x": X, "again": X}, "again = x"),
    "decade": ({"a": A, "d": A // 10}, "d = floor(a / 10)"),
    "half to even": ({"a": A, "b": B, "m": np.round((A + B) / 2).astype(int)},
                     "m = round((a + b) / 2)"),
    "half up": ({"a": A, "b": B, "m": np.floor((A + B) / 2 + 0.5).astype(int)},
                "m = round_half_up((a + b) / 2)"),
    "length of stay": ({"i": ADMITTED, "o": DISCHARGED, "los": (STAY / 86400).round(2)},
                       "los = round((o - i) / 86400, 2)"),
    "full days": ({"i": ADMITTED, "o": DISCHARGED, "los": STAY // 86400},
                  "los = floor((o - i) / 86400)"),
    "discharge": ({"i": ADMITTED, "s": STAY, "o": DISCHARGED}, "o = i + s"),
    "levels": ({"cause": CAUSE, "code": pd.Series(CAUSE).map(
        {"fall": 3, "burn": 1, "crash": 3, "other": 9}).to_numpy()},
        'code = map(cause, "burn" -> 1, "crash" -> 3, "fall" -> 3, "other" -> 9)'),
    "age band": ({"age": C, "band": np.where(C < 18, "young", np.where(C < 40, "mid", "old"))},
                 'band = steps(age, "young", 18 -> "mid", 40 -> "old")'),
    "year": ({"i": ADMITTED, "y": ADMITTED.year},
             'y = steps(i, 2020, "2021-01-01" -> 2021, "2022-01-01" -> 2022, '
             '"2023-01-01" -> 2023)'),
    "measured": ({"measured": np.where(np.isnan(HOLES), "f", "t"), "x": HOLES},
                 'measured = map(x, missing -> "f", else -> "t")'),
    "missing in, missing out": ({"x": HOLES, "y": Y, "d": (HOLES - Y).round(2)}, "d = x - y"),
    "odd names": ({"mean a": A, "b`c": B, "round": A - B}, "`round` = `mean a` - `b``c`"),
}  # fmt: skip


def formulas(table, **options):
    schema = infer_schema(table, derive=True, **options)
    return [column.derived.text for column in schema.columns if column.derived is not None]


@pytest.mark.parametrize("case", RELATIONS)
def test_a_relation_is_found(case: str) -> None:
    columns, text = RELATIONS[case]
    assert formulas(pd.DataFrame(columns)) == [text]


def test_one_row_that_breaks_it_is_enough() -> None:
    c = A - B
    c[17] += 1
    assert formulas(pd.DataFrame({"a": A, "b": B, "c": c})) == []


def test_missing_values_must_be_explained() -> None:
    d = (X - Y).round(2)
    d[3] = np.nan
    assert formulas(pd.DataFrame({"x": X, "y": Y, "d": d})) == []
    filled = np.where(np.isnan(HOLES), 0.0, (HOLES - Y).round(2))
    assert formulas(pd.DataFrame({"x": HOLES, "y": Y, "d": filled})) == []


def test_the_target_and_kept_columns_are_generated() -> None:
    table = pd.DataFrame({"a": A, "b": B, "c": A - B})
    assert formulas(table, target="c") == ["b = a - c"]
    schema = derive_columns(infer_schema(table, target="c"), table, keep=("a", "b"))
    assert schema.feature_names == ("a", "b", "c")
    assert infer_schema(table).feature_names == ("a", "b", "c")


def test_derived_columns_never_lead_back_to_themselves() -> None:
    columns = {"t": A + B, "c": X, "a": A, "b": B, "k": (2.5 * X).round(3), "u": 10 * (A + B)}
    schema = infer_schema(pd.DataFrame(columns), derive=True)
    assert len(schema.feature_names) == 3
    schema.check(pd.DataFrame(columns))


def test_rows_of_a_group_are_one_piece_of_evidence() -> None:
    rng = np.random.default_rng(0)
    patients = pd.DataFrame({"lab": rng.normal(100, 15, 60).round(2), "a": rng.normal(size=60)})
    patients["rare"] = np.isin(np.arange(60), [5, 20, 40, 50]).astype(int)
    patients["elderly"] = np.where(patients["lab"] < 100, "no", "yes")
    patients["person"] = np.arange(60)
    days = patients.loc[np.repeat(np.arange(60), 12)].reset_index(drop=True)
    days["sleep"], days["active"] = rng.normal(7, 1, len(days)).round(2), rng.random(len(days))
    days["rest"] = (24 - days["sleep"]).round(2)
    unaware = formulas(days.drop(columns="person"))
    assert [text.split(" = ")[0] for text in unaware] == ["rare", "elderly", "rest"]
    aware = formulas(days, group="person")
    assert [text.split(" = ")[0] for text in aware] == ["elderly", "rest"]
    assert aware[1] == "rest = 24 - sleep"
    assert formulas(days[days["person"] < 29], group="person") == []


def test_few_rows_show_nothing() -> None:
    table = pd.DataFrame({"a": A, "b": B, "c": A - B})
    assert formulas(table.head(29)) == []
    assert formulas(table.head(30)) == ["c = a - b"]


def test_a_rare_level_is_no_evidence() -> None:
    code = np.where(np.arange(N) < 4, "rare", CAUSE)
    number = pd.Series(code).map({"rare": 0, "fall": 3, "burn": 1, "crash": 2, "other": 9})
    assert formulas(pd.DataFrame({"code": code, "number": number})) == []


def test_rows_with_a_division_by_zero_must_be_missing() -> None:
    b = B.copy()
    b[:9] = 0
    with np.errstate(divide="ignore"):
        ratio = np.where(b == 0, np.nan, (A / b).round(2))
    assert formulas(pd.DataFrame({"a": A, "b": b, "r": ratio})) == ["r = round(a / b, 2)"]
    assert formulas(pd.DataFrame({"a": A, "b": b, "r": np.nan_to_num(ratio)})) == []


KINDS = ("normal", "decimals", "integer", "few", "flag", "rare", "text", "holes", "date")


def independent_column(kind: str, n: int, rng: np.random.Generator):
    draws = {
        "normal": lambda: rng.normal(size=n),
        "decimals": lambda: rng.lognormal(2, 1, n).round(1),
        "integer": lambda: rng.integers(0, 500, n),
        "few": lambda: rng.integers(0, 6, n),
        "flag": lambda: rng.integers(0, 2, n),
        "rare": lambda: (rng.random(n) < 0.05).astype(int),
        "text": lambda: rng.choice(["a", "b", "c", "d"], n),
        "holes": lambda: np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n).round(2)),
        "date": lambda: (
            pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D")
        ),
    }
    return draws[kind]()


@given(
    kinds=st.lists(st.sampled_from(KINDS), min_size=2, max_size=14),
    n=st.integers(30, 400),
    seed=st.integers(0, 2**31 - 1),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_nothing_is_found_among_independent_columns(kinds: list[str], n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({f"c{i}": independent_column(k, n, rng) for i, k in enumerate(kinds)})
    assert formulas(table) == []


@given(
    weights=st.lists(st.integers(-3, 3).filter(bool), min_size=1, max_size=5),
    shift=st.integers(-20, 20),
    n=st.integers(60, 300),
    seed=st.integers(0, 2**31 - 1),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_weighted_sums_are_found(weights: list[int], shift: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({f"x{i}": rng.normal(50, 9, n).round(1) for i in range(len(weights) + 2)})
    parts = table.to_numpy()[:, : len(weights)]
    table["total"] = (parts @ np.array(weights, dtype=float) + shift).round(1)
    found = infer_schema(table, derive=True).column("total").derived
    assert found is not None
    assert sorted(found.sources) == [f"x{i}" for i in range(len(weights))]


@pytest.mark.parametrize("seed", range(3))
def test_the_day_of_a_time_is_found_and_no_multiple_of_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2019-03-01")
    stamp = start + pd.to_timedelta(rng.integers(0, 900 * 86400, 240), unit="s")
    stamp = pd.Series(stamp).where(rng.random(240) < 0.9, pd.Series(stamp).dt.normalize())
    table = pd.DataFrame({"stamp": stamp, "day": stamp.dt.normalize(), "x": rng.normal(size=240)})
    schema = infer_schema(table, derive=True)
    formula = schema.column("day").derived
    assert formula is not None
    assert formula.short_text == "day = stamp - 43199.5"
    late = pd.Series(
        pd.to_datetime(["2021-05-05 23:59:59", "2021-05-05 00:00:00", "2021-05-06 00:00:00"])
    )
    days = evaluate(formula, {"stamp": late}, schema)
    assert days.dt.strftime("%d").tolist() == ["05", "05", "06"]
