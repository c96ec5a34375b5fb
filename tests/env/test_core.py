"""The dynamics of the batched core: observations, actions, pins, rendering, saving."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pandas as pd
import pytest

from rlsyn_env import ENV_IDS
from rlsyn_env.adversary import Adversary, AdversaryConfig
from rlsyn_env.core import RecordCore
from rlsyn_env.errors import ConfigError, RLSynError
from rlsyn_env.rewards import RewardTerm
from rlsyn_env.tables.encoder import RecordEncoder
from rlsyn_env.tables.inference import infer_schema

SMALL = AdversaryConfig(hidden=(16,), steps_per_update=2, batch_size=32, co_train_every=8)


@pytest.fixture(scope="module")
def encoder(mixed_table) -> RecordEncoder:
    return RecordEncoder.fit(mixed_table, infer_schema(mixed_table, target="died"))


@pytest.fixture
def adversary(mixed_table, encoder) -> Adversary:
    return Adversary(encoder, mixed_table[:200], mixed_table[200:], config=SMALL)


def finish(core: RecordCore, rng: np.random.Generator):
    result = None
    for _ in range(core.episode_length):
        if core.mode == "discrete":
            action = rng.integers(0, core.action_space.n, core.n_envs)
        else:
            action = rng.uniform(-1, 1, (core.n_envs, *core.action_space.shape))
        result = core.step(action)
    return result


def test_observation_holds_prefix_position_and_noise(encoder):
    core = RecordCore(3, "box", encoder=encoder)
    d = encoder.n_features
    obs = core.reset()
    assert obs.shape == (3, 2 * d + 1)
    np.testing.assert_array_equal(obs[:, :d], 0)
    noises = [obs[:, -1]]
    for t in range(d):
        assert (obs[:, d : 2 * d].argmax(1) == t).all()
        action = np.full((3, 1), 0.1 * (t % 5) - 0.2, np.float32)
        result = core.step(action)
        obs = result.observations
        if t < d - 1:
            assert not result.terminated
            assert not result.rewards.any()
            np.testing.assert_allclose(obs[:, t], action[:, 0], atol=1e-6)
            np.testing.assert_array_equal(obs[:, t + 1 : d], 0)
            noises.append(obs[:, -1])
    assert result.terminated
    np.testing.assert_array_equal(result.final_observations[:, d : 2 * d], 0)
    noise = np.concatenate(noises)
    assert len(np.unique(noise)) == len(noise)
    assert ((noise >= -1) & (noise < 1)).all()


def test_noise_of_an_environment_does_not_depend_on_its_neighbours(encoder):
    many, one = RecordCore(4, "box", encoder=encoder), RecordCore(1, "box", encoder=encoder)
    many.seed([3, 4, 5, 6])
    one.seed([5])
    np.testing.assert_array_equal(many.reset()[2], one.reset()[0])


def test_uniform_actions_give_the_marginals_in_every_mode(encoder, mixed_table):
    rng = np.random.default_rng(0)
    for mode in ("box", "oneshot"):
        core = RecordCore(4000, mode, encoder=encoder)
        core.reset()
        table = encoder.decode(finish(core, rng).records)
        real, made = mixed_table["stage"], table["stage"]
        for level in real.dropna().unique():
            assert abs((made == level).mean() - (real == level).mean()) < 0.04
        assert abs(table["systolic"].isna().mean() - mixed_table["systolic"].isna().mean()) < 0.03


def test_discrete_bins_decode_to_their_level(encoder):
    core = RecordCore(256, "discrete", encoder=encoder, bins=8)
    core.seed(list(range(256)))
    j = encoder.feature_names.index("sex")
    for level in range(2):
        core.reset()
        for t in range(core.n_features):
            result = core.step(np.full(256, level if t == j else 3))
        assert set(encoder.decode(result.records)["sex"]) == {["F", "M"][level]}


def test_an_invalid_bin_means_modulo_and_masks_tell(encoder):
    core = RecordCore(2, "discrete", encoder=encoder, bins=24)
    core.seed([0, 1])
    core.reset()
    a = core.observations()
    valid = core.action_masks()
    assert valid.shape == (2, core.action_space.n)
    n = int(valid[0].sum())
    assert valid[0, :n].all()
    core.step(np.array([0, n]))  # both mean bin 0
    low, high = core.codec.edges[0, 0], core.codec.edges[0, 1]
    u = (core.observations()[:, 0] + 1) / 2
    assert ((u >= low) & (u < high)).all()
    assert a.shape == core.observations().shape


def test_masks_are_missing_from_box_environments(encoder):
    with pytest.raises(AttributeError, match="no action masks"):
        RecordCore(1, "box", encoder=encoder).action_masks()


@pytest.mark.parametrize("mode", ["box", "discrete", "oneshot"])
@pytest.mark.filterwarnings("ignore:the fixed features do not come first")
def test_fixed_values_appear_in_every_record(encoder, mixed_table, mode):
    core = RecordCore(64, mode, encoder=encoder)
    core.seed(list(range(64)))
    fixed = {"sex": "M", "age": 61, "systolic": None, "smoker": True}
    core.reset(fixed=fixed)
    rng = np.random.default_rng(0)
    for _ in range(2):  # they hold for the next episode too
        table = encoder.decode(finish(core, rng).records)
        assert (table["sex"] == "M").all()
        assert (table["age"] == 61).all()
        assert table["systolic"].isna().all()
        assert table["smoker"].all()
        assert table["stage"].nunique() > 1
    core.reset()
    assert encoder.decode(finish(core, rng).records)["sex"].nunique() == 2


def test_fixed_values_of_each_environment_apart(encoder):
    core = RecordCore(2, "box", encoder=encoder)
    core.reset(fixed=[{"sex": "F"}, {"sex": "M"}])
    table = encoder.decode(finish(core, np.random.default_rng(0)).records)
    assert list(table["sex"]) == ["F", "M"]


def test_fixed_features_that_do_not_come_first_are_announced(encoder):
    core = RecordCore(1, "box", encoder=encoder)
    with pytest.warns(UserWarning, match="not conditional"):
        core.reset(fixed={encoder.feature_names[-1]: 1})
    front = encoder.reorder(["died", *[n for n in encoder.feature_names if n != "died"]])
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RecordCore(1, "box", encoder=front).reset(fixed={"died": 1})


def test_fixing_what_cannot_be_fixed_is_refused(encoder):
    core = RecordCore(1, "box", encoder=encoder)
    with pytest.raises(RLSynError, match=r"'height'.*not a feature"):
        core.reset(fixed={"height": 1})
    with pytest.raises(RLSynError, match="stage"):
        core.reset(fixed={"stage": "purple"})


def test_reset_options_of_the_face():
    env = gym.make(ENV_IDS[0], dataset="diabetes", adversary_config={"hidden": [8]})
    with pytest.raises(RLSynError, match="unknown reset option 'fxed'"):
        env.reset(options={"fxed": {}})


def test_ansi_rendering_speaks_the_tables_language(mixed_table):
    env = gym.make(
        "RLSyn/RecordDiscrete-v0", dataset=mixed_table, target="died", render_mode="ansi"
    )
    env.reset(seed=0)
    assert env.render().splitlines()[0].split() == ["sex", "."]
    env.step(1)
    lines = env.render().splitlines()
    assert lines[0].split() == ["sex", "M"]
    assert lines[1].split() == ["age", "."]
    terminated = False
    while not terminated:
        _, _, terminated, _, info = env.step(0)
    assert "." not in [line.split()[-1] for line in env.render().splitlines()]
    assert info["record"].shape == (env.unwrapped.core.n_features,)


def test_step_before_reset_and_bad_actions_are_refused(encoder):
    core = RecordCore(2, "box", encoder=encoder)
    with pytest.raises(RLSynError, match="call reset"):
        core.step(np.zeros((2, 1)))
    core.reset()
    with pytest.raises(RLSynError, match="shape"):
        core.step(np.zeros((3, 1)))
    with pytest.raises(RLSynError, match="not a finite number"):
        core.step(np.array([[0.0], [np.nan]]))


def test_state_is_restored_exactly(encoder):
    rng = np.random.default_rng(0)
    core = RecordCore(3, "discrete", encoder=encoder)
    core.reset()
    finish(core, rng)
    core.step(rng.integers(0, 5, 3))
    state = core.state_dict()
    other = RecordCore(3, "discrete", encoder=encoder)
    other.load_state_dict(state)
    actions = rng.integers(0, 5, (30, 3))
    for action in actions:
        a, b = core.step(action), other.step(action)
        np.testing.assert_array_equal(a.observations, b.observations)


def test_a_seeded_reset_never_touches_the_adversary(adversary):
    env = gym.make(ENV_IDS[0], adversary=adversary)
    records = np.random.default_rng(0).random((8, adversary.encoder.n_features), np.float32)
    before = adversary.logits(records)
    env.reset(seed=3)
    np.testing.assert_array_equal(before, adversary.logits(records))


class MeanCoordinate(RewardTerm):
    name = "mean_coordinate"

    def __init__(self) -> None:
        self.weight = 2.0
        self.seen = 0

    def observe(self, records):
        self.seen += len(records)

    def __call__(self, records):
        return records.mean(axis=1)


def test_reward_terms_are_summed_with_weights_and_reported_apart(adversary):
    term = MeanCoordinate()
    core = RecordCore(8, "box", encoder=adversary.encoder, adversary=adversary, reward_terms=[term])
    core.reset()
    result = finish(core, np.random.default_rng(0))
    values = result.reward_terms
    np.testing.assert_allclose(values["mean_coordinate"], result.records.mean(1), rtol=1e-5)
    np.testing.assert_allclose(
        result.rewards, values["adversarial"] + 2 * values["mean_coordinate"], rtol=1e-5
    )
    assert term.seen == 8
    assert adversary.updates == 1
    frozen = RecordCore(
        8, "box", encoder=adversary.encoder, adversary=adversary, co_train=False,
        reward_terms=[term],
    )  # fmt: skip
    frozen.reset()
    finish(frozen, np.random.default_rng(0))
    assert term.seen == 8
    assert adversary.updates == 1


class Given(RewardTerm):
    """Says what it was given."""

    name = "given"

    def __init__(self, value) -> None:
        self.value = value

    def __call__(self, records):
        return self.value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.array([1.0, np.nan, 2.0, np.inf]), "'given' is not a finite number for 2 of 4"),
        (np.zeros((4, 1)), r"'given' gave shape \(4, 1\) for 4 records"),
        (0.0, r"'given' gave shape \(\) for 4 records"),
        (["a", "b", "c", "d"], "'given' gave "),
    ],
)
def test_a_term_that_gives_no_numbers_is_named(adversary, encoder, value, message):
    core = RecordCore(
        4, "oneshot", encoder=encoder, adversary=adversary, reward_terms=[Given(value)]
    )
    core.reset()
    with pytest.raises(RLSynError, match=message):
        core.step(np.zeros((4, encoder.n_features), dtype=np.float32))


def test_a_diverged_discriminator_is_named(adversary, encoder):
    for parameter in adversary._network.parameters():
        parameter.data.fill_(np.nan)
    core = RecordCore(2, "oneshot", encoder=encoder, adversary=adversary, co_train=False)
    core.reset()
    with pytest.raises(RLSynError, match=r"discriminator has diverged.*adversary\.learning_rate"):
        core.step(np.zeros((2, encoder.n_features), dtype=np.float32))


@pytest.mark.parametrize("terms", [["constraints"], "constraints", [object()]])
def test_what_is_no_reward_term_is_refused(adversary, encoder, terms):
    with pytest.raises(ConfigError, match="is no reward term"):
        RecordCore(2, "box", encoder=encoder, adversary=adversary, reward_terms=terms)


@pytest.mark.parametrize("weight", ["x", None, True, float("nan")])
def test_a_weight_that_is_no_number_is_refused(adversary, encoder, weight):
    with pytest.raises(ConfigError, match="weight of the reward term 'constraints'"):
        RecordCore(
            2, "box", encoder=encoder, adversary=adversary, reward_terms={"constraints": weight}
        )


@pytest.mark.parametrize(
    "options", [{"bins": 2.5}, {"bins": "a"}, {"bins": 1}, {"noise_dim": -1}, {"noise_dim": 0}]
)
def test_sizes_that_are_no_whole_numbers_are_refused(encoder, options):
    with pytest.raises(RLSynError, match=f"{next(iter(options))} must be a whole number"):
        RecordCore(2, "box", encoder=encoder, **options)


@pytest.mark.parametrize("fixed", ["foo", ["age", "sex"], [3, 4]])
def test_fixed_values_are_mappings(encoder, fixed):
    with pytest.raises(RLSynError, match=r"fixed values are mappings|mappings of fixed values"):
        RecordCore(2, "box", encoder=encoder).reset(fixed=fixed)


def test_unknown_names_are_refused(encoder, adversary):
    with pytest.raises(ConfigError, match="logit, softplus, logsigmoid, sigmoid"):
        RecordCore(1, "box", encoder=encoder, adversary=adversary, reward="hinge")
    with pytest.raises(ConfigError, match="unknown reward term 'novelty'"):
        RecordCore(1, "box", encoder=encoder, adversary=adversary, reward_terms={"novelty": 1})
    with pytest.raises(RLSynError, match="mode"):
        RecordCore(1, "boxes", encoder=encoder)


def test_a_table_path_and_a_frame_give_the_same_environment(mixed_table, mixed_csv):
    by_path = gym.make(ENV_IDS[1], dataset=str(mixed_csv), target="died").unwrapped
    by_frame = gym.make(ENV_IDS[1], dataset=mixed_table, target="died").unwrapped
    assert isinstance(mixed_table, pd.DataFrame)
    assert by_path.core.encoder.feature_names == by_frame.core.encoder.feature_names
    assert by_path.action_space == by_frame.action_space
