"""Runs on a table with constraints: the reward term, and rows that never break a rule."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from agents.buffers import CoreLink, RelabellingReplayBuffer
from agents.cli.main import main
from agents.constraint_screen import ENOUGH_RECORDS
from agents.generation import Generator, generate, load_generator
from agents.runs.config import TrainConfig, merge_resumed
from agents.runs.outcome import export_model
from rlsyn_env.datasets import simulate_ehr
from rlsyn_env.errors import ConfigError
from rlsyn_env.rewards import CONSTRAINT_WEIGHT
from rlsyn_env.tables.constraints import Constraints, schema_constraints
from rlsyn_env.tables.encoder import RecordEncoder
from rlsyn_env.tables.reader import read_table
from rlsyn_env.tables.schema import TableSchema

SMALL = {"dataset": "simulated-ehr", "rows": 400, "codes": 12}


@pytest.fixture
def generator(new_run) -> Generator:
    run, folder = new_run(**SMALL)
    export_model(run, folder)
    return load_generator(folder)


def rows(generator: Generator, n: int, **options) -> pd.DataFrame:
    return pd.concat(list(generate(generator, n, **options)), ignore_index=True)


def with_rules(generator: Generator, *rules: str) -> Generator:
    encoder = generator.encoder
    schema = dataclasses.replace(encoder.schema, constraints=rules)
    return dataclasses.replace(generator, encoder=RecordEncoder(schema, encoder.features))


def test_no_row_breaks_a_rule_and_the_good_ones_are_the_same(generator) -> None:
    constraints = schema_constraints(generator.encoder.schema)
    plain = rows(generator, 600, seed=3, batch=64)
    broken = constraints.violations(plain) > 0
    assert broken.any()  # untrained: else there is nothing to enforce
    enforced = rows(generator, 300, seed=3, batch=64, enforce=True)
    assert len(enforced) == 300
    assert not constraints.broken(enforced).any()
    kept = plain[~broken].reset_index(drop=True).head(300)
    pd.testing.assert_frame_equal(enforced.head(len(kept)), kept)
    again = rows(generator, 100, seed=3, batch=64, enforce=True)
    pd.testing.assert_frame_equal(again, enforced.head(100))


def test_without_rules_enforcing_changes_nothing(generator) -> None:
    free = with_rules(generator)
    pd.testing.assert_frame_equal(rows(free, 50, enforce=True), rows(free, 50))


def test_rules_that_hardly_anything_keeps_are_refused(generator) -> None:
    hopeless = with_rules(generator, "AGE > 400", "AGE < 300")
    with pytest.raises(ConfigError, match=r"only 0 of .* 'AGE > 400' \(100 % break it\)") as error:
        rows(hopeless, 10, batch=512, enforce=True)
    assert "'AGE < 300'" not in str(error.value)
    seen = int(str(error.value).split(" records")[0].rsplit(" ", 1)[-1].replace(",", ""))
    assert ENOUGH_RECORDS <= seen < 2 * ENOUGH_RECORDS


def test_the_run_has_the_term_as_asked(new_run) -> None:
    def terms(name: str, **options) -> dict[str, float]:
        run, folder = new_run(name, **SMALL, **options)
        saved = TrainConfig.from_dict(folder.load_config()["options"])
        assert saved.reward_terms == options.get("reward_terms", {})
        return {term.name: term.weight for term in run.vec_env.core.reward_terms}

    assert terms("default") == {"adversarial": 1.0, "constraints": CONSTRAINT_WEIGHT}
    assert terms("more", reward_terms={"constraints": 5.0})["constraints"] == 5.0
    assert terms("off", reward_terms={"constraints": 0.0}) == {"adversarial": 1.0}


def test_a_resumed_run_keeps_both_options() -> None:
    saved = TrainConfig(reward_terms={"constraints": 3.0}, enforce_constraints=True)
    assert TrainConfig.from_dict(saved.to_dict()) == saved
    assert merge_resumed(saved, {}) == saved
    assert merge_resumed(TrainConfig(), {"enforce_constraints": True}).enforce_constraints
    with pytest.raises(ConfigError, match="contradicts the run being resumed"):
        merge_resumed(saved, {"reward_terms": {"constraints": 1.0}})
    old = {k: v for k, v in saved.to_dict().items() if k not in ("reward_terms",)}
    assert TrainConfig.from_dict(old).reward_terms == {}


def test_relabelled_rewards_include_it(new_run) -> None:
    run, _ = new_run(algo="dqn", **SMALL)
    core = run.vec_env.core
    buffer = RelabellingReplayBuffer(
        buffer_size=64 * core.n_envs,
        observation_space=core.observation_space,
        action_space=core.action_space,
        n_envs=core.n_envs,
        n_steps=1,
        gamma=1.0,
        link=CoreLink(core),
    )
    observations = core.reset()
    for _ in range(core.episode_length):
        actions = np.array([core.action_space.sample() for _ in range(core.n_envs)])
        result = core.step(actions)
        following = result.observations if not result.terminated else result.final_observations
        dones = np.full(core.n_envs, float(result.terminated))
        infos = [{} for _ in range(core.n_envs)]
        buffer.add(observations, following, actions, result.rewards, dones, infos)
        observations = result.observations
    last = core.episode_length - 1
    buffer.rewards[last] = 99.0
    buffer.scored_at[last] = -1  # as after an update of the adversary
    envs = np.arange(core.n_envs)
    buffer._relabel(np.full(core.n_envs, last), envs)
    assert (result.reward_terms["constraints"] < 0).any()
    assert np.allclose(buffer.rewards[last], core.last_rewards(result.records), atol=1e-4)
    assert np.allclose(buffer.rewards.sum(axis=0), core.score(result.records)[0], atol=1e-4)


@pytest.mark.slow
def test_a_run_that_enforces_them_writes_none_that_is_broken(tmp_path, capsys) -> None:
    out = tmp_path / "run"
    options = ["--dataset", "simulated-ehr", "--rows", "400", "--codes", "12", "--out", str(out)]
    budget = ["--n-envs", "32", "--total-records", "128", "--no-progress", "--enforce-constraints"]
    untaught = ["--set", "imitation=off"]  # it learns the rules otherwise, and has none to break
    assert main(["train", *options, *budget, *untaught]) == 0
    printed = capsys.readouterr().out
    assert "constraints, weight 4 in the reward" in printed
    assert "constraint_violations" in printed
    schema = TableSchema.load(out / "schema.yaml")
    rules = schema.constraints
    assert len(rules) > 3
    assert set(rules) <= set(simulate_ehr(400, 12).constraints)
    synthetic = read_table(next(out.glob("synthetic.*")))
    assert not Constraints(rules, schema).broken(synthetic).any()
    written = tmp_path / "more.csv"
    command = ["generate", str(out), "-n", "200", "--out", str(written), "--no-progress"]
    assert main([*command, "--enforce-constraints"]) == 0
    assert not Constraints(rules, schema).broken(read_table(written)).any()
    assert main([*command, "--overwrite"]) == 0
    assert Constraints(rules, schema).broken(read_table(written)).any()
