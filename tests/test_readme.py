"""The README's Python runs as it stands, and co-trains without our harness."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def test_every_block_is_tested():
    assert len(BLOCKS) == 4


@pytest.mark.slow
def test_native_vec_env_with_plain_ppo():
    names: dict = {}
    exec(BLOCKS[0], names)
    assert names["env"].core.adversary.updates > 0
    assert names["table"].shape == (1000, 11)
    assert len(names["table"].drop_duplicates()) > 900


@pytest.mark.slow
def test_sb3_make_vec_env_with_a_shared_adversary():
    names: dict = {}
    exec(BLOCKS[1], names)
    adversary = names["adversary"]
    # One counter for sixteen environments: it trains once per 512 records of all together.
    assert adversary.records_seen == 16 * 40
    assert adversary.updates == 1
    assert {env.unwrapped.core.adversary for env in names["env"].envs} == {adversary}


def test_plain_loop_over_make_vec():
    names: dict = {}
    exec(BLOCKS[2], names)
    assert names["env"].adversary.updates == 3
    assert names["records"].shape == (512, 11)


@pytest.mark.slow
def test_the_judge_during_training(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(BLOCKS[3], names)
    events = EventAccumulator(str(tmp_path / "runs/PPO_1"))
    events.Reload()
    d = names["d"]
    assert [point.step for point in events.Scalars("validation/c2st")] == [0, 512 * d]
