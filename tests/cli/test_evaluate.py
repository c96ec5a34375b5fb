"""Judging from the command line: a run's table or any other, the figures and the page."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pandas as pd
import pytest

from rlsyn_env.metrics import fidelity, utility


@pytest.fixture
def small_forests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fidelity, "N_TREES", 10)
    monkeypatch.setattr(utility, "N_TREES", 10)


@pytest.fixture
def three_files(csv_run: Path, work: Path, mixed_table: pd.DataFrame) -> tuple[str, ...]:
    """The rows of the finished run as files, and the options that name them."""
    split = json.loads((csv_run / "split.json").read_text())
    for role in ("train", "test"):
        mixed_table.iloc[split[role]].to_csv(work / f"{role}.csv", index=False)
    return (
        "--train", "train.csv", "--test", "test.csv", "--synthetic", "runs/mine/synthetic.csv",
        "--target", "died",
    )  # fmt: skip


def assert_opens_offline(page: str) -> None:
    """No script, and nothing to fetch: every source is in the page itself."""
    assert "<script" not in page
    assert "url(" not in page
    assert "@import" not in page
    for target in re.findall(r'(?:src|href|srcset|action)="([^"]*)"', page):
        assert target.startswith(("data:", "#")), target[:80]


def assert_refused(result: tuple[int, str, str], *words: str) -> None:
    code, out, err = result
    assert code == 2, err
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    for word in words:
        assert word in err


@pytest.mark.slow
def test_training_leaves_a_page_with_its_curves_and_where_it_comes_from(csv_run: Path) -> None:
    page = (csv_run / "report.html").read_text(encoding="utf-8")
    assert_opens_offline(page)
    for tag in ("reward/mean", "fidelity/column_shapes", "records/distinct_share"):
        assert f"{tag} over training" in page
    config = (csv_run / "config.yaml").read_text()
    sha = re.search(r"sha256: (\w{64})", config)
    assert sha is not None
    assert sha[1] in page
    for part in ("trained by", "training seed", "stable-baselines3 2", "240 rows"):
        assert part in page


@pytest.mark.slow
def test_both_ways_give_the_same_figures(csv_run: Path, cli, work, three_files) -> None:
    of_run = json.loads((csv_run / "metrics.json").read_text())
    code, out, err = cli("evaluate", *three_files, "--out", "judged")
    assert code == 0, err
    judged = json.loads((work / "judged/metrics.json").read_text())
    assert judged["metrics"] == of_run["metrics"]
    assert judged["details"] == of_run["details"]
    for line in of_run["verdict"].values():
        assert line in out
    assert "judged/report.html" in out
    page = (work / "judged/report.html").read_text(encoding="utf-8")
    assert_opens_offline(page)
    assert str(work / "test.csv") in page
    assert "No training run was given" in page
    assert sorted(path.name for path in (work / "judged").iterdir()) == [
        "metrics.json",
        "report.html",
    ]


@pytest.mark.slow
def test_the_full_suite_of_a_run(csv_run, cli, work, small_forests, monkeypatch) -> None:
    for name in ("statsmodels", "statsmodels.api", "anonymeter", "anonymeter.evaluators"):
        monkeypatch.setitem(sys.modules, name, None)
    code, out, err = cli(
        "evaluate", "runs/mine", "--suite", "full", "--subgroups", "sex", "--subgroups", "age",
        "--quasi-identifiers", "age,sex", "--n-jobs", "2", "--seed", "3", "--out", "full",
    )  # fmt: skip
    assert code == 0, err
    report = json.loads((work / "full/metrics.json").read_text())
    assert report["settings"]["suite"] == "full"
    assert report["settings"]["subgroups"] == ["sex", "age"]
    assert report["settings"]["quasi_identifiers"] == ["age", "sex"]
    assert report["settings"]["seed"] == 3
    assert {"domias_auc", "attribute_inference", "repu", "wnmi"} <= set(report["metrics"])
    assert "domias_auc" in out
    # What was left out for want of a package is said in one line each, with the remedy.
    assert not {"singling_out", "effect_bias"} & set(report["metrics"])
    notes = err.splitlines()
    assert sum("pip install --no-deps anonymeter" in line for line in notes) == 1
    assert sum("pip install statsmodels" in line for line in notes) == 1
    page = (work / "full/report.html").read_text(encoding="utf-8")
    assert_opens_offline(page)
    assert "reward/mean over training" in page
    assert "combinations of age, sex" in page
    before = json.loads((csv_run / "metrics.json").read_text())
    assert before["settings"]["suite"] == "quick"


def test_the_paper_suite_of_tables(cli, work, mixed_table, small_forests) -> None:
    table = mixed_table.drop(columns="patient_id")
    for name, rows in (
        ("train", slice(0, 110)),
        ("test", slice(110, 200)),
        ("syn", slice(60, 170)),
    ):
        table.iloc[rows].to_csv(work / f"{name}.csv", index=False)
    code, out, err = cli(
        "evaluate", "--train", "train.csv", "--test", "test.csv", "--synthetic", "syn.csv",
        "--target", "died", "--suite", "paper", "--out", "judged",
    )  # fmt: skip
    assert code == 0, err
    report = json.loads((work / "judged/metrics.json").read_text())
    assert report["settings"]["suite"] == "paper"
    named = {"apd", "dwd", "cwc", "cluster_nmi", "s2r_svm", "r2s_svm", "attribute_inference"}
    assert named <= set(report["metrics"])
    assert all(report["metrics"][name]["value"] is not None for name in named)
    assert "s2r_over_r2r_svm" in out
    assert "judged as the paper judges AI-READI" in err
    page = (work / "judged/report.html").read_text(encoding="utf-8")
    assert_opens_offline(page)
    assert "s2r_over_r2r_svm" in page


@pytest.mark.slow
def test_no_html_leaves_no_older_page_beside_new_figures(csv_run, cli, work, small_forests) -> None:
    assert (csv_run / "report.html").exists()
    code, out, err = cli("evaluate", "runs/mine", "--no-html")
    assert code == 0, err
    assert not (csv_run / "report.html").exists()
    assert (csv_run / "metrics.json").exists()
    assert "report.html" not in out


def test_what_cannot_be_judged_is_refused_in_one_line(
    cli, work, tmp_path, mixed_table: pd.DataFrame
) -> None:
    files = tmp_path / "tables"
    files.mkdir()
    table = mixed_table.drop(columns="patient_id")
    tables = {
        "train": table.head(100),
        "test": table.tail(60),
        "nine": table.tail(9),
        "narrow": table.drop(columns="lab"),
        "text": table.assign(lab=[f"{x}x" for x in table["lab"]]),
        "one_class": table.head(100).assign(died=1),
    }
    for name, content in tables.items():
        content.to_csv(files / f"{name}.csv", index=False)
    (files / "broken.csv").write_text("a,b\n1,2\n3\n")

    def judge(*more: object, **roles: str) -> tuple[int, str, str]:
        roles = {"train": "train", "test": "test", "synthetic": "train", **roles}
        options = [x for k, v in roles.items() for x in (f"--{k}", files / f"{v}.csv")]
        return cli("evaluate", *options, "--target", "died", "--out", "judged", *more)

    assert_refused(judge(synthetic="narrow"), "synthetic table lacks", "lab")
    assert_refused(judge(synthetic="broken"), "broken.csv", "line 3")
    assert_refused(judge(synthetic="text"), "lab", "row 1", "is not a number")
    assert_refused(judge(synthetic="nowhere"), "nowhere.csv", "does not exist")
    assert_refused(judge(test="nine"), "test table has 9 rows")
    assert_refused(judge(train="one_class"), "died", "one class")
    full = ("--suite", "full")
    assert_refused(judge(*full, "--subgroups", "sexx"), "subgroup 'sexx'", "did you mean 'sex'")
    assert_refused(judge(*full, "--quasi-identifiers", "age,zip"), "quasi-identifier 'zip'")
    assert_refused(judge("--subgroups", "sex"), "--suite full")
    assert_refused(judge("--suite", "paper", "--subgroups", "sex"), "--suite full")
    assert_refused(judge("--n-jobs", "0"), "--n-jobs")
    assert_refused(judge("--seed", "-1"), "--seed")
    assert_refused(judge("--out", files / "train.csv"), "--out", "is a file")
    assert list(work.iterdir()) == []
