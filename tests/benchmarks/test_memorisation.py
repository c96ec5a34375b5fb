"""The memorisation curve: figures along a run, the page and its figure."""

import pandas as pd

from benchmarks import memorisation


def curves() -> pd.DataFrame:
    rows = [
        {"records": records, "c2st": c2st + 0.02 * seed, "membership_excess": excess, "seed": seed}
        for seed in (0, 1)
        for records, c2st, excess in ((100, 0.7, 0.0), (200, 0.6, 0.01), (400, 0.56, 0.2))
    ]
    return pd.DataFrame(rows, index=[0, 1, 2, 0, 1, 2])


def test_the_page_compares_the_stop_with_the_best(tmp_path):
    text = memorisation.page(curves(), 210, "some table", "the command", "image.svg")
    assert "| 200 | 0.610 +- 0.014 | 0.010 +- 0.000 |" in text
    assert "0.040 above each seed's best C2ST" in text
    assert "membership excess is 0.010" in text
    memorisation.draw(curves(), 210, tmp_path / "image.svg")
    assert "<svg" in (tmp_path / "image.svg").read_text(encoding="utf-8")


def test_a_table_from_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("agents.runs.training._budget", lambda *_: 512)
    arguments = ["--table", "breast_cancer", "--seeds", "0", "--times", "2"]
    arguments += ["--measurements", "3", "--docs", str(tmp_path)]
    assert memorisation.main(arguments) == 0
    page = (tmp_path / "memorisation.md").read_text(encoding="utf-8")
    assert "| 1,024 |" in page
    assert (tmp_path / "images" / "memorisation-breast_cancer.svg").is_file()


def test_a_table_that_is_not_there_is_an_error(capsys):
    assert memorisation.main(["--table", "heart-failure", "--data-dir", "nowhere"]) == 2
    assert "heart-failure" in capsys.readouterr().err
