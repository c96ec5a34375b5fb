"""What the command line says of constraints and reward terms."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlsyn_env.tables.inference import infer_schema


@pytest.mark.parametrize(
    ("pairs", "problem"),
    [
        (["constraint=2"], "unknown reward term 'constraint'; known terms: constraints"),
        (["constraints"], "--reward-term takes name=weight, got 'constraints'"),
        (["constraints=much"], "--reward-term takes name=weight"),
        (["constraints=nan"], "not a number"),
        (["constraints=1", "constraints=2"], "names 'constraints' twice"),
        (["constraints=2"], "the schema has none"),
    ],
)
def test_a_bad_reward_term_is_refused(
    cli, work: Path, tiny, pairs: list[str], problem: str
) -> None:
    code, _, err = cli("train", "--dataset", "diabetes", "--reward-term", *pairs, *tiny)
    assert code == 2
    assert problem in err
    assert list(work.iterdir()) == []


def test_a_bad_rule_is_refused_before_anything_is_written(
    cli, work: Path, tmp_path: Path, mixed_csv: Path, mixed_table, tiny
) -> None:
    schema = tmp_path / "schema.yaml"
    text = infer_schema(mixed_table).to_yaml()
    schema.write_text(text + "constraints: ['aeg < 90']\n")
    code, _, err = cli("train", "--data", mixed_csv, "--schema", schema, *tiny)
    assert code == 2
    assert "constraint 'aeg < 90': no column 'aeg' is generated; did you mean 'age'" in err
    assert list(work.iterdir()) == []


def test_enforcing_nothing_is_noted(cli, csv_run: Path, work: Path) -> None:
    command = ("generate", csv_run, "-n", 20, "--out", work / "new.csv", "--no-progress")
    code, _, err = cli(*command, "--enforce-constraints")
    assert code == 0
    assert "note: the schema has no constraints" in err
