"""Every algorithm trains, goes on and generates on a CUDA device, where there is one."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch

from agents.registry import ALGORITHMS
from tests.cli.test_algorithms import check_like, small

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_trains_and_generates_on_cuda_and_its_model_on_the_cpu(
    algo: str, cli, work: Path, mixed_csv: Path
) -> None:
    code, _, err = cli(
        "train", "--algo", algo, "--data", mixed_csv, "--target", "died", "--out", "runs/mine",
        "--drop", "visit", "--device", "cuda", *small(algo),
    )  # fmt: skip
    assert code == 0, err
    table = pd.read_csv(mixed_csv).drop(columns=["patient_id", "visit"])
    check_like(pd.read_csv(work / "runs/mine/synthetic.csv"), table)
    for device in ("cuda", "cpu"):
        code, _, err = cli(
            "generate", "runs/mine", "-n", "30", "--device", device, "--out", f"{device}.csv",
        )  # fmt: skip
        assert code == 0, err
        assert len(pd.read_csv(work / f"{device}.csv")) == 30


def test_a_run_of_cuda_goes_on_there_and_on_the_cpu(cli, work: Path, mixed_csv: Path) -> None:
    code, _, err = cli(
        "train", "--data", mixed_csv, "--target", "died", "--out", "runs/mine", "--device", "cuda",
        *small("ppo"),
    )  # fmt: skip
    assert code == 0, err
    for records, device in ((128, "cuda"), (192, "cpu"), (256, "cuda")):
        code, _, err = cli(
            "train", "--resume", "runs/mine", "--total-records", records, "--device", device,
            "--no-progress",
        )  # fmt: skip
        assert code == 0, err
