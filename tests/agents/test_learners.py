"""Imitation, averaging and snapshot choice together: who may have them, and in a run."""

from __future__ import annotations

import pandas as pd
import pytest
import torch

from agents import make_model, make_vec_env
from agents.callbacks import (
    AveragingCallback,
    AveragingConfig,
    ImitationCallback,
    ImitationConfig,
    SelectionCallback,
    SelectionConfig,
)
from agents.runs.checkpoint import load_checkpoint
from agents.runs.training import learn
from rlsyn_env.errors import ConfigError
from tests.agents.learner_setup import BOX, CHEAP, dependent_table, model_on


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return dependent_table()


def test_other_policies_are_refused(table) -> None:
    vec_env = make_vec_env(BOX, 8, seed=0, dataset=table, adversary_config=CHEAP)
    model = make_model("ppo", vec_env, seed=0, device="cpu", hyperparams={"policy": "generic"})
    encoder = vec_env.core.encoder
    for callback, says in [
        (ImitationCallback(encoder, table), "cannot imitate"),
        (AveragingCallback(), "keeps no average"),
        (SelectionCallback(table, table), "keeps no snapshots"),
    ]:
        with pytest.raises(ConfigError, match=says):
            model.learn(24, callback=callback)


@pytest.mark.parametrize(
    ("cls", "options"),
    [
        (ImitationConfig, {"dropout": 1.0}),
        (ImitationConfig, {"warm_up": -1}),
        (ImitationConfig, {"batch_size": 0}),
        (ImitationConfig, {"smooth": 1.5}),
        (ImitationConfig, {"components": 0}),
        (AveragingConfig, {"decay": 1.5}),
        (SelectionConfig, {"measurements": 0}),
        (SelectionConfig, {"min_rows": 3}),
    ],
)
def test_impossible_options_are_refused(cls, options) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        cls(**options)


def test_the_average_is_a_mean_at_first_then_exponential(table) -> None:
    model = model_on(table)
    callback = AveragingCallback(AveragingConfig(decay=0.5))
    callback.init_callback(model)
    policy, seen = model.policy, []
    expected = None
    for value in (1.0, 3.0, 5.0):
        with torch.no_grad():
            policy.actor.norm.bias.fill_(value)
        callback.on_rollout_start()
        seen.append(float(policy.average.norm.bias.mean()))
        share = max(0.5, 1 / len(seen))
        expected = value if expected is None else expected + share * (value - expected)
        assert seen[-1] == pytest.approx(expected)
    assert seen[0] == 1.0  # nothing of the untrained weights is left


@pytest.mark.parametrize(("warm_up", "smoothed"), [(20, False), (0, True)])
def test_a_resumed_run_with_all_three_ends_with_the_same_bits(new_run, warm_up, smoothed) -> None:
    settings = {
        "imitation": {"smooth_warm_up": 4, "smooth": 0.5, "warm_up": warm_up},
        "selection": {"measurements": 6, "min_rows": 10, "max_rows": 60},
    }

    def start(name: str, **options):
        return new_run(name, settings=settings, **options)

    whole, folder = start("whole", total_records=32 * 6)
    learn(whole, folder)
    half, half_folder = start("half", total_records=32 * 6)

    class StopHalfway(AveragingCallback):
        def _on_rollout_start(self) -> None:
            if self._updates == 3:
                raise KeyboardInterrupt
            self._updates += 1

    with pytest.raises(KeyboardInterrupt):
        learn(half, half_folder, checkpoint_seconds=0.0, extra_callbacks=(StopHalfway(),))
    again, _ = start("again", total_records=32 * 6)
    learn(again, half_folder, load_checkpoint(half_folder.checkpoints))
    for run in (whole, again):
        assert (run.learners["imitation"].smooth_share > 0) == smoothed
    for name, value in whole.model.policy.state_dict().items():
        assert torch.equal(value, again.model.policy.state_dict()[name]), name
