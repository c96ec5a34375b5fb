from __future__ import annotations

import numpy as np
import pytest
import torch

from agents.lockstep import LockstepForward, draw_bins, draws_bins
from agents.policies.extractors import RecordExtractor


def extractors(model) -> list[RecordExtractor]:
    return [m for m in model.policy.modules() if isinstance(m, RecordExtractor)]


@pytest.mark.parametrize("algo", ["maskableppo", "sac", "dqn"])
def test_the_lockstep_pass_gives_the_same_features(algo: str, new_run) -> None:
    run, _ = new_run(algo=algo)
    core = run.vec_env.core
    found = extractors(run.model)
    assert found
    for extractor in found:
        fast = LockstepForward(extractor)
        for _ in range(2):  # the second episode starts from nothing again
            observations = core.reset()
            for _ in range(core.episode_length):
                tensor = torch.as_tensor(observations)
                with torch.no_grad():
                    expected = extractor(tensor)
                torch.testing.assert_close(fast(tensor), expected, rtol=1e-4, atol=1e-5)
                actions = [core.action_space.sample() for _ in range(core.n_envs)]
                observations = core.step(np.array(actions)).observations


def test_a_pass_that_starts_in_the_middle_catches_up(new_run) -> None:
    run, _ = new_run(algo="maskableppo")
    core = run.vec_env.core
    extractor = extractors(run.model)[0]
    core.reset()
    for _ in range(4):
        observations = core.step(np.zeros(core.n_envs, dtype=int)).observations
    tensor = torch.as_tensor(observations)
    torch.testing.assert_close(
        LockstepForward(extractor)(tensor), extractor(tensor).detach(), rtol=1e-4, atol=1e-5
    )


def test_bins_are_drawn_with_the_policys_probabilities(new_run) -> None:
    run, _ = new_run(n_envs=2, env="RLSyn/RecordDiscrete-v0", hyperparams={"policy": "generic"})
    policy = run.model.policy
    assert draws_bins(policy)
    observations = np.repeat(run.vec_env.core.reset()[:1], 40_000, axis=0)
    with torch.no_grad():
        expected = policy.get_distribution(torch.as_tensor(observations[:1])).distribution.probs[0]
    torch.manual_seed(0)
    drawn = draw_bins(policy, observations)
    shares = np.bincount(drawn, minlength=len(expected)) / len(drawn)
    np.testing.assert_allclose(shares, expected.numpy(), atol=0.012)
    assert (shares[expected.numpy() < 1e-7] == 0).all()


@pytest.mark.parametrize("algo", ["sac", "maskableppo", "recurrentppo", "dqn"])
def test_other_policies_draw_their_own_way(algo: str, new_run) -> None:
    run, _ = new_run(algo=algo, n_envs=2)
    assert not draws_bins(run.model.policy)
