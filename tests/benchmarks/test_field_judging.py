"""The field's judge gives what the project's own evaluation gives, from CSV files."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.field.code_figures import code_matrix, forest_two_sample_auc
from benchmarks.field.judging import judge, read_real, read_synthetic
from benchmarks.field.references import cached_references, references
from benchmarks.field.tables import FIELD_TABLES, choose_tables, prepare
from rlsyn_env.errors import ConfigError, TableError
from rlsyn_env.metrics import evaluate
from rlsyn_env.metrics.preparation import encode_tables
from rlsyn_env.tables.inference import infer_schema


def make_table(n: int, seed: int, noise: float = 0.3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = x + noise * rng.normal(size=n)
    level = np.where(x > 0.5, "high", np.where(x < -0.5, "low", "middle"))
    return pd.DataFrame(
        {
            "x": x.round(2),
            "y": np.where(rng.random(n) < 0.1, np.nan, y.round(2)),
            "level": pd.Series(level).where(rng.random(n) > 0.1),
            "count": pd.array(rng.poisson(3, n), dtype="Int64"),
            "sick": (y + rng.normal(size=n) > 0).astype(int),
        }
    )


@pytest.fixture(scope="module")
def tables():
    train, test, synthetic = make_table(140, 0), make_table(70, 1), make_table(140, 2, noise=0.9)
    return train, test, synthetic, infer_schema(train, target="sick")


@pytest.fixture(autouse=True)
def small_forests(monkeypatch):
    for module in ("rlsyn_env.metrics.fidelity", "benchmarks.field.code_figures"):
        monkeypatch.setattr(f"{module}.N_TREES", 30)


def test_figures_agree_with_evaluate(tables):
    train, test, synthetic, schema = tables
    known = references(train, test, schema, 3)
    figures = judge(train, test, synthetic, schema, 3, known)
    report = evaluate(train, test, synthetic, schema=schema, seed=3, n_bootstrap=100)
    for name, metric in report.metrics.items():
        assert figures[name]["value"] == pytest.approx(metric.value, abs=1e-5), name
        if "low" in figures[name]:
            assert figures[name]["low"] == pytest.approx(metric.low, abs=1e-5), name
        for reference in ("real", "independent"):
            expected = metric.reference[reference]
            if expected is not None:
                assert figures[name][reference] == pytest.approx(expected, abs=1e-5), name
    assert set(figures) - set(report.metrics) == {
        "domias_auc", "domias_folds_auc", "c2st_codes", "corr",
    }  # fmt: skip
    for name in ("domias_auc", "domias_folds_auc"):
        assert figures[name]["low"] < 0.5 < figures[name]["high"]
    assert figures["corr"]["independent"] > figures["corr"]["value"] > figures["corr"]["real"] / 2


def test_a_copy_is_found(tables):
    train, test, _, schema = tables
    figures = judge(train, test, train.copy(), schema, 0, references(train, test, schema, 0))
    assert figures["corr"]["value"] == 0.0
    assert figures["membership_auc"]["value"] > 0.95
    assert figures["domias_folds_auc"]["low"] > figures["domias_auc"]["high"] > 0.5
    assert figures["membership_excess"]["value"] > 0.4
    assert figures["s2r_over_r2r"]["value"] == 1.0
    assert figures["exact_copies"]["value"] == 1.0


def test_references_are_computed_once_per_rows_and_judge(tables, tmp_path, monkeypatch):
    train, test, _, schema = tables
    file = tmp_path / "references.json"
    first = cached_references(file, train, test, schema, 0)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("computed again")

    monkeypatch.setattr("benchmarks.field.references.references", fail)
    assert cached_references(file, train, test, schema, 0) == first
    with pytest.raises(RuntimeError, match="computed again"):
        cached_references(file, train, test.iloc[:-1], schema, 0)


def test_csv_files_are_read_alike_for_everybody(tables, tmp_path):
    train, test, synthetic, schema = tables
    for name, table in (("train", train), ("test", test)):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    rows, held_out, complete = read_real(tmp_path / "train.csv", tmp_path / "test.csv", schema)
    assert len(rows) == 140
    assert len(held_out) == 70
    assert list(map(str, rows.dtypes)) == list(map(str, train.dtypes))
    path = tmp_path / "synthetic.csv"
    as_floats = synthetic.astype({"count": "float64", "sick": "float64"})
    as_floats[synthetic.columns[::-1]].to_csv(path, index=False)  # 3.0 for 3, another order
    released = read_synthetic(path, complete, 140)
    known = references(rows, held_out, complete, 0)
    assert judge(rows, held_out, released, complete, 0, known) == judge(
        rows, held_out, synthetic, complete, 0, known
    )
    with pytest.raises(TableError, match="140 rows"):
        read_synthetic(path, complete, 139)
    synthetic.drop(columns="x").to_csv(path, index=False)
    with pytest.raises(TableError, match="lacks the columns x"):
        read_synthetic(path, complete, 140)


def test_codes_are_numbers_with_missing_levels_as_minus_one(tables):
    train, _, _, schema = tables
    _, encoded = encode_tables({"train": train}, schema)
    matrix = code_matrix(encoded["train"])
    names = sorted(train.columns)
    level = matrix[:, names.index("level")]
    assert set(level) == {-1.0, 0.0, 1.0, 2.0}
    assert (level == -1).sum() == train["level"].isna().sum()
    assert np.isnan(matrix[:, names.index("y")]).sum() == train["y"].isna().sum()
    assert forest_two_sample_auc(matrix, matrix[::2], seed=0) < 0.4  # copies
    shifted = matrix + np.array([0, 0, 0, 1.5, 0])
    assert forest_two_sample_auc(matrix, shifted, seed=0) > 0.8


def test_embedded_tables_split_as_scikit_learn_does():
    from sklearn.model_selection import train_test_split

    prepared = prepare(FIELD_TABLES["breast_cancer"], None)
    rows = np.arange(len(prepared.table))
    target = prepared.table["target"]
    train, test = prepared.split(2)
    expected = train_test_split(rows, test_size=0.3, random_state=2, stratify=target)
    assert list(train.index) == list(expected[0])
    assert list(test.index) == list(expected[1])
    assert all(column.bounds is None for column in prepared.schema.columns)


def test_a_file_is_prepared_the_same_for_everybody(tmp_path):
    folder = tmp_path / "heart-4centers"
    folder.mkdir()
    (folder / "heart_4centers.csv").write_text(
        "center,cp,chol,empty,fixed,num\n"
        + "".join(f"{'ab'[k % 2]},{k % 4},{k if k % 3 else ''},,7,{k % 5}\n" for k in range(60))
    )
    (table,) = choose_tables(["heart-4centers"], tmp_path)
    prepared = prepare(table, tmp_path)
    assert list(prepared.table.columns) == ["center", "cp", "chol", "num"]
    assert set(prepared.table["num"]) == {0, 1}
    assert str(prepared.table["chol"].dtype) == "Int64"  # 3 in every CSV file, not 3.0
    kinds = {column.name: column.kind.value for column in prepared.schema.columns}
    assert kinds == {"center": "binary", "cp": "categorical", "chol": "integer", "num": "binary"}
    assert [t.name for t in choose_tables(None, tmp_path)] == [
        "breast_cancer",
        "diabetes",
        "heart-4centers",
    ]
    with pytest.raises(ConfigError, match="no table 'pime'"):
        choose_tables(["pime"], tmp_path)
