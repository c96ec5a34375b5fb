"""The discriminator and its training: it learns, it is seeded, it keeps real rows to itself."""

from __future__ import annotations

import copy
import io

import numpy as np
import pandas as pd
import pytest
import torch

from rlsyn_env.adversary import Adversary, AdversaryConfig
from rlsyn_env.discriminator import RecordFeatures, gradient_penalty
from rlsyn_env.errors import ConfigError
from rlsyn_env.rewards import AdversarialReward, RewardTerm, make_reward_terms
from rlsyn_env.tables.encoder import RecordEncoder
from rlsyn_env.tables.inference import infer_schema


@pytest.fixture(scope="module")
def encoder(mixed_table) -> RecordEncoder:
    return RecordEncoder.fit(mixed_table, infer_schema(mixed_table, target="died"))


def build(encoder, table, **options) -> Adversary:
    options = {"hidden": (32, 32), "co_train_every": 128, "steps_per_update": 8, **options}
    return Adversary(encoder, table[:200], table[200:], config=AdversaryConfig(**options))


def fakes(encoder, n=128, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).random((n, encoder.n_features), dtype=np.float32)


def test_it_learns_to_tell_independent_columns_from_real_rows(encoder, mixed_table):
    adversary = build(encoder, mixed_table, learning_rate=3e-3)
    losses = []
    for i in range(30):
        assert adversary.observe(fakes(encoder, seed=i))
        losses.append(adversary.diagnostics["loss"])
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])
    assert adversary.diagnostics["accuracy_real"] > 0.6
    assert adversary.diagnostics["accuracy_fake"] > 0.6
    assert adversary.diagnostics["logit_real"] > adversary.diagnostics["logit_fake"]
    assert 0 < adversary.diagnostics["entropy"] < np.log(2)
    assert adversary.updates == 30
    assert adversary.records_seen == 30 * 128


def test_it_waits_for_enough_records(encoder, mixed_table):
    adversary = build(encoder, mixed_table)
    assert [adversary.observe(fakes(encoder, 50)) for _ in range(3)] == [False, False, True]
    assert adversary.updates == 1


def test_overfit_gap_grows_without_regularisation(encoder, mixed_table):
    free = build(encoder, mixed_table, r1=0.0, dropout=0.0, learning_rate=3e-3, steps_per_update=60)
    held = build(encoder, mixed_table, r1=5.0, dropout=0.4, learning_rate=3e-3, steps_per_update=60)
    for i in range(6):
        free.observe(fakes(encoder, seed=i))
        held.observe(fakes(encoder, seed=i))
    assert free.diagnostics["overfit_gap"] > 2 * abs(held.diagnostics["overfit_gap"])


@pytest.mark.parametrize("rows", [100, 200])
def test_hidden_features_keep_it_from_memorising(encoder, mixed_table, rows):
    """The guard of the presets: on a few hundred rows the gap stays small."""
    options = {"r1": 0.5, "dropout": 0.1, "learning_rate": 3e-3, "steps_per_update": 40}
    gaps = []
    for share in (0.0, 0.6):
        config = AdversaryConfig(
            hidden=(64, 64), co_train_every=128, feature_dropout=share, **options
        )
        adversary = Adversary(encoder, mixed_table[:rows], mixed_table[200:], config=config)
        for i in range(8):
            adversary.observe(fakes(encoder, seed=i))
        gaps.append(adversary.diagnostics["overfit_gap"])
    assert gaps[1] < 0.6 * gaps[0]


def test_hidden_features_of_a_row_are_hidden_whole(encoder, mixed_table):
    adversary = build(encoder, mixed_table, feature_dropout=0.5)
    owner = adversary._featurise.feature_of
    assert len(owner) == adversary._featurise.n_features
    assert set(owner.tolist()) == set(range(encoder.n_features))
    seen = adversary._with_hidden_features(torch.ones(64, len(owner)))
    for feature in range(encoder.n_features):
        part = seen[:, owner == feature]
        assert (part == part[:, :1]).all()
    assert 0.4 < float(seen.mean()) < 0.6


def test_the_gap_steers_how_much_is_hidden(encoder, mixed_table):
    options = {"r1": 0.0, "dropout": 0.0, "learning_rate": 3e-3, "steps_per_update": 60}
    adversary = build(encoder, mixed_table, gap_target=0.05, feature_dropout=0.1, **options)
    for i in range(6):
        adversary.observe(fakes(encoder, seed=i))
    grown = adversary.feature_dropout
    assert grown > 0.1
    twin = build(encoder, mixed_table, gap_target=0.05, feature_dropout=0.1, **options)
    twin.load_state_dict(adversary.state_dict())
    assert twin.feature_dropout == grown
    calm = build(encoder, mixed_table, gap_target=100.0, feature_dropout=0.1)
    calm.feature_dropout = 0.3
    calm.observe(fakes(encoder))
    assert calm.feature_dropout == pytest.approx(0.28)


def test_without_validation_rows_the_gap_is_zero(encoder, mixed_table):
    adversary = Adversary(encoder, mixed_table, None, config=AdversaryConfig(co_train_every=64))
    adversary.observe(fakes(encoder, 64))
    assert adversary.diagnostics["overfit_gap"] == 0


def test_training_neither_uses_nor_disturbs_the_global_generators(encoder, mixed_table):
    scores = []
    for global_seed in (1, 2):
        torch.manual_seed(global_seed)
        np.random.seed(global_seed)  # noqa: NPY002 - the global state is what is tested
        adversary = build(encoder, mixed_table, dropout=0.3, instance_noise=0.1)
        before = torch.get_rng_state()
        adversary.observe(fakes(encoder))
        assert torch.equal(before, torch.get_rng_state())
        scores.append(adversary.logits(fakes(encoder, seed=9)))
    np.testing.assert_array_equal(scores[0], scores[1])


def test_a_restored_adversary_goes_on_identically(encoder, mixed_table):
    first = build(encoder, mixed_table, dropout=0.3, instance_noise=0.1)
    first.observe(fakes(encoder, seed=0))
    first.observe(fakes(encoder, 40, seed=1))
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second = build(encoder, mixed_table, dropout=0.3, instance_noise=0.1)
    second.load_state_dict(torch.load(file, weights_only=True))
    for adversary in (first, second):
        adversary.observe(fakes(encoder, 100, seed=2))
    assert first.updates == second.updates == 2
    np.testing.assert_array_equal(
        first.logits(fakes(encoder, seed=3)), second.logits(fakes(encoder, seed=3))
    )


def test_a_state_from_another_kind_of_device_is_gone_on_with(encoder, mixed_table):
    adversary, other = build(encoder, mixed_table), build(encoder, mixed_table)
    adversary.observe(fakes(encoder))
    state = adversary.state_dict()
    state["torch_rng"] = torch.zeros(16, dtype=torch.uint8)  # as long as one of CUDA
    other.load_state_dict(state)
    assert other.observe(fakes(encoder, seed=1))
    assert other.updates == 2


def test_a_state_of_other_options_is_refused(encoder, mixed_table):
    state = build(encoder, mixed_table).state_dict()
    with pytest.raises(ConfigError, match="saved options"):
        build(encoder, mixed_table, r1=3.0).load_state_dict(state)


def test_the_state_holds_no_real_row(encoder, mixed_table):
    adversary = build(encoder, mixed_table)
    adversary.observe(fakes(encoder))
    n_real = adversary.n_train
    shapes = [
        tuple(v.shape) for v in adversary.state_dict().values() if isinstance(v, torch.Tensor)
    ]
    assert (n_real, encoder.n_features) not in shapes
    pool = adversary.state_dict()["pool"].numpy()
    np.testing.assert_array_equal(pool, fakes(encoder))


def test_the_pool_keeps_the_newest(encoder, mixed_table):
    adversary = build(encoder, mixed_table, pool_size=200)
    adversary.observe(fakes(encoder, 150, seed=0))
    adversary.observe(fakes(encoder, 150, seed=1))
    pool = adversary.state_dict()["pool"].numpy()
    newest = fakes(encoder, 150, seed=1)
    assert len(pool) == 200
    assert (pool[:, None, 0] == newest[None, :, 0]).any(0).all()


def test_jitter_inside_an_atom_is_invisible(encoder):
    features = RecordFeatures(encoder)
    records = fakes(encoder, 4)
    j = encoder.feature_names.index("sex")
    edge = float(encoder.features[j].edges[1])
    a, b, c = (torch.from_numpy(records.copy()) for _ in range(3))
    a[:, j], b[:, j], c[:, j] = 0.01, edge * 0.9, edge + 0.01
    assert torch.equal(features(a), features(b))
    assert not torch.equal(features(a), features(c))
    assert features(a).shape == (4, features.n_features)


def test_r1_is_the_squared_gradient():
    x = torch.tensor([[1.0, 2.0], [0.5, -1.0]], requires_grad=True)
    logits = 3 * x[:, 0] + x[:, 1] ** 2
    expected = np.mean([9 + (2 * 2.0) ** 2, 9 + (2 * -1.0) ** 2])
    assert gradient_penalty(logits, x).item() == pytest.approx(expected)


def test_deepcopy_is_identity(encoder, mixed_table):
    adversary = build(encoder, mixed_table)
    assert copy.deepcopy({"adversary": adversary})["adversary"] is adversary


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dropuot": 0.1}, "unknown adversary option 'dropuot'; did you mean dropout"),
        ({"dropout": 1.0}, "dropout must be a number from 0 to 0.99"),
        ({"r1": -1}, "r1 must be a number >= 0"),
        ({"hidden": [0]}, "hidden"),
        ({"learning_rate": "fast"}, "learning_rate must be a number"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        AdversaryConfig.from_mapping(options)


@pytest.mark.parametrize(
    ("form", "function"),
    [
        ("logit", lambda x: x),
        ("softplus", lambda x: np.log1p(np.exp(x))),
        ("logsigmoid", lambda x: -np.log1p(np.exp(-x))),
        ("sigmoid", lambda x: 1 / (1 + np.exp(-x))),
    ],
)
def test_reward_forms(encoder, mixed_table, form, function):
    adversary = build(encoder, mixed_table)
    adversary.observe(fakes(encoder))
    records = fakes(encoder, 16, seed=5)
    expected = function(adversary.logits(records).astype(np.float64))
    np.testing.assert_allclose(
        AdversarialReward(adversary, form)(records), expected, rtol=1e-5, atol=1e-6
    )


def test_logits_are_clipped_before_they_become_rewards(encoder, mixed_table):
    adversary = build(encoder, mixed_table, logit_clip=0.01)
    for i in range(5):
        adversary.observe(fakes(encoder, seed=i))
    reward = AdversarialReward(adversary)(fakes(encoder, seed=9))
    assert np.abs(reward).max() == pytest.approx(0.01)


def test_terms_of_one_name_are_refused(encoder, mixed_table):
    class Twin(RewardTerm):
        name = "adversarial"

        def __call__(self, records):
            return np.zeros(len(records), np.float32)

    with pytest.raises(ConfigError, match="share a name"):
        make_reward_terms(build(encoder, mixed_table), extra=[Twin()])


def test_a_registered_term_can_be_asked_for_by_name(encoder, mixed_table, monkeypatch):
    from rlsyn_env import rewards

    monkeypatch.setattr(rewards, "REWARD_TERMS", {})

    class Constant(RewardTerm):
        name = "constant"

        def __init__(self, adversary: Adversary) -> None:
            self.value = adversary.n_train

        def __call__(self, records):
            return np.full(len(records), self.value, np.float32)

    rewards.register_reward_term("constant", Constant)
    with pytest.raises(ConfigError, match="already registered"):
        rewards.register_reward_term("constant", Constant)
    adversary = build(encoder, mixed_table)
    terms = make_reward_terms(adversary, extra={"constant": 0.5})
    assert [t.name for t in terms] == ["adversarial", "constant"]
    assert terms[1].weight == 0.5
    assert terms[1](fakes(encoder, 2)).tolist() == [200, 200]


def test_from_dataset_keeps_validation_rows_apart():
    adversary = Adversary.from_dataset("diabetes", validation_size=0.2)
    assert adversary.n_train == pytest.approx(442 * 0.8, abs=1)
    assert isinstance(adversary.encoder.decode(np.full((1, 11), 0.5, np.float32)), pd.DataFrame)


def test_rows_of_a_group_count_once():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"person": np.repeat(np.arange(40), 5), "x": rng.normal(size=200)})
    table["person"] = table["person"].where(table["person"] > 1).astype("Int64")  # ten without
    grouped = Adversary.from_dataset(table, group="person", validation_size=0)
    assert grouped.n_train == 200
    assert grouped.n_independent == 38 + 10
    alone = Adversary.from_dataset(table, drop=["person"], validation_size=0)
    assert alone.n_independent == alone.n_train == 200


def test_it_trains_under_no_grad(encoder, mixed_table):
    adversary = build(encoder, mixed_table)
    before = adversary.logits(fakes(encoder, seed=9))
    with torch.no_grad():
        assert adversary.observe(fakes(encoder))
    assert not np.array_equal(before, adversary.logits(fakes(encoder, seed=9)))
