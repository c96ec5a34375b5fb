"""Nested parts of the training rows, sizes of a table, and the page made from results."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.field.results import ResultsFile
from benchmarks.field.subsets import stratified_order
from benchmarks.field.tables import FIELD_TABLES, prepare
from benchmarks.learning_curves import build_parser, by_size, main, sized_tables
from tests.benchmarks.made_up_results import result

TABLE = FIELD_TABLES["breast_cancer"]


def test_every_beginning_of_the_order_is_stratified():
    classes = pd.Series(["a"] * 70 + ["b"] * 25 + [None] * 5).sample(frac=1, random_state=3)
    order = stratified_order(classes, seed=0)
    assert sorted(order) == list(range(100))
    for n in range(1, 101):
        part = classes.iloc[order[:n]]
        for value, share in (("a", 0.70), ("b", 0.25)):
            assert abs((part == value).sum() - share * n) <= 1
    assert (order != stratified_order(classes, seed=1)).any()
    assert (order == stratified_order(classes, seed=0)).all()


def test_rows_of_a_class_are_drawn_and_a_continuous_target_is_not_stratified():
    classes = pd.Series([0, 1] * 50)
    first = {row for seed in range(40) for row in stratified_order(classes, seed)[:2]}
    assert len(first) > 30
    order = stratified_order(pd.Series(np.linspace(0, 1, 50)), seed=0)
    assert sorted(order) == list(range(50))
    assert (np.diff(order) != 1).any()


def test_sizes_are_nested_and_share_the_held_out_rows():
    whole = prepare(TABLE, None)
    for seed in (0, 1):
        inside, outside = set(), whole.split(seed)[1]
        for table in sized_tables([TABLE], [50, 100, 200, None], None):
            train, test = prepare(table, None).split(seed)
            assert len(train) == (table.train_rows or 398)
            assert inside <= set(train.index)
            assert abs(train["target"].mean() - 0.627) < 0.01
            pd.testing.assert_frame_equal(test, outside)
            inside = set(train.index)
        assert inside == set(whole.split(seed)[0].index)


def test_sizes_that_a_table_does_not_have_are_left_out():
    names = [table.name for table in sized_tables([TABLE], [50, 398, 400, None], None)]
    assert names == ["breast_cancer@50", "breast_cancer@all"]
    assert build_parser().parse_args(["--rows", "50", "all"]).rows == [50, None]


@pytest.mark.parametrize("rows", ["5", "many", "-3"])
def test_a_size_must_be_a_number_or_all(rows, capsys):
    with pytest.raises(SystemExit):
        build_parser().parse_args(["--rows", rows])
    assert "--rows" in capsys.readouterr().err


RECORDS = [
    result("arf", "pima@all", 0, train=537, c2st=0.7),
    result("rlsyn", "pima@all", 0, train=537, c2st=0.6),
    result("rlsyn", "pima@50", 0, train=50, c2st=0.6, s2r_over_r2r=0.9, membership_excess=0.01),
    result("rlsyn", "pima@50", 1, train=50, c2st=0.8, s2r_over_r2r=0.7, membership_excess=0.03),
    result("arf", "pima@50", 0, train=50, status="crashed"),
]


def test_results_are_ordered_by_rows():
    curves = by_size(RECORDS)
    assert list(curves) == ["pima"]
    assert list(curves["pima"]) == [50, 537]
    assert curves["pima"][50]["rlsyn"].figure("c2st").mean == pytest.approx(0.7)
    assert not curves["pima"][50]["arf"].ok


def test_page_and_figure_are_made_again_without_a_run(tmp_path, capsys):
    command = ["--table-only", "--results", str(tmp_path)]
    assert main(command) == 2
    assert "no results" in capsys.readouterr().err
    file = ResultsFile(tmp_path / "learning_curves.jsonl")
    for record in RECORDS:
        file.append(record)
    assert main(command) == 0
    text = (tmp_path / "learning-curves.md").read_text()
    assert "| 50 | rlsyn | 2 | 0.700 ± 0.141 | 0.800 ± 0.141 | 0.020 ± 0.014 | - |" in text
    assert text.index("| 537 | rlsyn | 1 | 0.600 |") < text.index("| 537 | arf | 1 | 0.700 |")
    assert "| arf | pima@50 | 0 | crashed | it broke |" in text
    assert "--data-dir DIR --tables pima --rows 50 all --seeds 0 1\n" in text
    figure = tmp_path / "images" / "learning_curves.svg"
    assert "(images/learning_curves.svg)" in text
    before = figure.read_bytes()
    assert main(command) == 0
    assert figure.read_bytes() == before


def test_a_page_of_default_and_other_tables_names_a_command_for_each(tmp_path):
    file = ResultsFile(tmp_path / "learning_curves.jsonl")
    for record in [*RECORDS, result("rlsyn", "breast_cancer@50", 4, train=50, c2st=0.6)]:
        file.append(record)
    assert main(["--table-only", "--results", str(tmp_path)]) == 0
    lines = (tmp_path / "learning-curves.md").read_text().splitlines()
    commands = [line.strip() for line in lines if line.startswith("    python")]
    assert commands == [
        "python -m benchmarks.learning_curves --data-dir DIR --seeds 4",
        "python -m benchmarks.learning_curves --data-dir DIR --tables pima --rows 50 all "
        "--seeds 0 1",
    ]


def test_finished_cells_are_skipped(tmp_path, monkeypatch):
    ran = []

    def run(self, environment):
        ran.append((self.cell.table, len(self.table.split(self.cell.seed)[0])))
        record = result(self.cell.peer, self.cell.table, self.cell.seed, status="crashed")
        return {**record, "hash": self.peer.hash()}

    monkeypatch.setattr("benchmarks.field.cells.CellRun.run", run)
    monkeypatch.setattr("benchmarks.field.matrix.given_environment", lambda python, peer: None)
    command = ["--results", str(tmp_path), "--work", str(tmp_path / "work"), "--python", "python"]
    command += ["--peers", "arf", "--tables", "breast_cancer", "--seeds", "0"]
    assert main([*command, "--rows", "50"]) == 0
    assert main([*command, "--rows", "50", "100", "all"]) == 0
    assert ran == [
        ("breast_cancer@50", 50), ("breast_cancer@100", 100), ("breast_cancer@all", 398)
    ]  # fmt: skip
