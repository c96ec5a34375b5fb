"""Variants are options that the command line takes; the page is made from results."""

import re
from dataclasses import replace

import pytest

from agents.cli.main import build_parser as rlsyn_parser
from agents.cli.train import _given_options
from agents.runs.config import TrainConfig
from agents.runs.run_data import load_run_data
from agents.runs.training import build_run
from benchmarks.ablation import VARIANTS, choose_variants, main, page
from benchmarks.field.peer_folders import load_peers
from benchmarks.field.results import ResultsFile
from rlsyn_env.errors import ConfigError, TableError
from tests.benchmarks.made_up_results import result


@pytest.fixture(scope="module")
def peer():
    return load_peers()["rlsyn"]


@pytest.fixture(scope="module")
def data():
    return load_run_data(TrainConfig(dataset="breast_cancer"))


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_can_be_run(name, data):
    options = ["train", "--algo", "ppo", "--dataset", "breast_cancer", *VARIANTS[name][1]]
    config = TrainConfig(**_given_options(rlsyn_parser().parse_args(options)))
    run = build_run(replace(config, n_envs=128), data)
    assert run.algorithm.name == "PPO"
    changed = replace(config, target=None) != TrainConfig(algo="ppo", dataset="breast_cancer")
    assert changed == (name != "default")


def test_options_count_in_the_hash_beside_the_sources(peer):
    variants = {variant.name: variant for variant in choose_variants(peer, None)}
    assert list(variants) == list(VARIANTS)
    hashes = [variants[name].hash() for name in ("default", "bins-12", "bins-48")]
    assert len(set(hashes)) == 3
    assert {text.partition("-")[0] for text in hashes} == {peer.hash()}
    assert variants["reward-sigmoid"].options == ("--reward", "sigmoid")
    assert variants["reward-sigmoid"].folder == peer.folder
    with pytest.raises(ConfigError, match="no variant 'nothing'"):
        choose_variants(peer, ["nothing"])


def test_the_page_shows_means_in_the_order_of_the_variants():
    records = [
        result("one-shot", "t", 0, c2st=0.9),
        result("default", "t", 0, c2st=0.6, corr=0.02),
        result("default", "t", 1, c2st=0.7, corr=0.04),
        result("default", "t", 1, c2st=0.8, corr=0.04),
        result("one-shot", "t", 1, status="timed out"),
    ]
    text = page(records, records[0]["hash"].partition("-")[0])
    rows = [line for line in text.splitlines() if re.match(r"\| (default|one-shot) \| \d", line)]
    assert rows == [
        "| default | 2 | 0.700 ± 0.141 | - | - | 0.030 ± 0.014 | - | - | 2 ± 0 |",
        "| one-shot | 1 | 0.900 | - | - | - | - | - | 2 |",
    ]
    assert "| one-shot | t | 1 | timed out | it broke |" in text
    assert "| *real rows* |  | 0.450 ± 0.000 |" in text
    assert "70 training and 30 held-out rows" in text
    assert "earlier sources" not in text
    text = page([*records, {**records[0], "hash": "other-options"}], "other")
    assert "3 of 4 results are of earlier sources" in text
    with pytest.raises(TableError, match="no results"):
        page([], "")


def test_finished_cells_are_skipped_and_earlier_versions_only_if_wanted(
    tmp_path, monkeypatch, peer, capsys
):
    (variant,) = choose_variants(peer, ["one-shot"])
    file = ResultsFile(tmp_path / "ablation.jsonl")
    file.append({**result("one-shot", "breast_cancer", 0, c2st=0.9), "hash": variant.hash()})
    file.append({**result("one-shot", "breast_cancer", 1, c2st=0.9), "hash": "earlier-x"})
    ran = []

    def run(self, environment):
        ran.append((self.cell.peer, self.cell.seed, self.peer.options))
        return {
            **result("one-shot", "breast_cancer", self.cell.seed, status="crashed"),
            "hash": "n",
        }

    monkeypatch.setattr("benchmarks.field.cells.CellRun.run", run)
    fixed = ["--results", str(tmp_path), "--work", str(tmp_path / "work"), "--seeds", "0", "1"]
    fixed += ["--variants", "one-shot", "--tables", "breast_cancer"]
    assert main([*fixed, "--keep"]) == 0
    assert ran == []
    assert main(fixed) == 0
    assert ran == [("one-shot", 1, ("--env", "RLSyn/RecordOneShot-v0"))]
    assert "| one-shot | breast_cancer | 1 | crashed |" in (tmp_path / "ablation.md").read_text()
    (tmp_path / "ablation.md").unlink()
    assert main(["--table-only", "--results", str(tmp_path)]) == 0
    assert (tmp_path / "ablation.md").is_file()
    assert main(["--table-only", "--results", str(tmp_path / "none")]) == 2
    assert "no results" in capsys.readouterr().err
    assert main(["--list"]) == 0
    assert "--reward softplus" in capsys.readouterr().out
