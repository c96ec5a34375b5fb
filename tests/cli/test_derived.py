"""Derived columns on the command line: found, told, kept in the table, and turned off."""

import numpy as np
import pandas as pd
import pytest
import yaml


@pytest.fixture
def table(work) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.integers(0, 90, 150), "b": rng.integers(0, 90, 150)})
    table["lab"] = np.where(rng.random(150) < 0.3, np.nan, rng.normal(5, 1, 150).round(2))
    table["measured"] = np.where(table.lab.isna(), "f", "t")
    table["c"] = table.a - table.b
    table["y"] = (table.a + rng.normal(0, 30, 150) > 45).astype(int)
    table.to_csv(work / "table.csv", index=False)
    return table


def test_a_run_keeps_the_relations(cli, work, table, tiny) -> None:
    options = ("--data", "table.csv", "--target", "y", "--out", "run", *tiny)
    code, _, err = cli("train", *options)
    assert code == 0
    assert "column 'c' is computed: c = a - b" in err
    assert "column 'measured' is computed: measured = map(lab, missing" in err
    synthetic = pd.read_csv(work / "run/synthetic.csv")
    assert list(synthetic.columns) == list(table.columns)
    assert (synthetic.c == synthetic.a - synthetic.b).all()
    assert (synthetic.measured.eq("f") == synthetic.lab.isna()).all()
    assert yaml.safe_load((work / "run/schema.yaml").read_text())["columns"]["c"]["derived"] == (
        "c = a - b"
    )


def test_the_search_can_be_turned_off_and_the_run_remembers(cli, work, table, tiny) -> None:
    options = ("--data", "table.csv", "--target", "y", "--out", "run", "--no-derived", *tiny)
    code, _, err = cli("train", *options)
    assert code == 0
    assert "computed" not in err
    assert "no_derived: true" in (work / "run/config.yaml").read_text()
    assert "derived: " not in (work / "run/schema.yaml").read_text().split("columns:")[1]


def test_the_schema_command_shows_formulas(cli, table) -> None:
    code, out, err = cli("schema", "table.csv", "--target", "y")
    assert code == 0
    assert "derived: c = a - b" in out
    assert "note: column 'c' is computed" in err
    code, out, _ = cli("schema", "table.csv", "--target", "y", "--no-derived")
    assert code == 0
    assert "derived" not in yaml.safe_load(out)["columns"]["c"]


def test_a_broken_formula_in_a_schema_file_is_one_line(cli, work, table, tiny) -> None:
    _, out, _ = cli("schema", "table.csv", "--target", "y")
    (work / "schema.yaml").write_text(out.replace("c = a - b", "c = a - bb"))
    code, _, err = cli("train", "--data", "table.csv", "--schema", "schema.yaml", *tiny)
    assert code == 2
    assert "there is no column 'bb'; did you mean 'b'?" in err
    assert len(err.strip().splitlines()) == 1
