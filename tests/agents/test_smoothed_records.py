"""Smoothed records to imitate: what they keep of rows, and which tables have any."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr

from agents.callbacks import smoothed_records
from agents.callbacks.imitation import ImitationCallback, ImitationConfig
from agents.callbacks.latent_axes import LatentAxes
from agents.callbacks.latent_axis import LatentAxis
from agents.callbacks.latent_scores import latent_scores, normal_scores
from agents.callbacks.missed_correlations import missed_correlations
from agents.callbacks.smoothed_records import SmoothedRecords, fit_smoothed_records
from rlsyn_env.tables.encoder import RecordEncoder
from rlsyn_env.tables.inference import infer_schema


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Two columns that depend on each other, one that does not."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    return pd.DataFrame({"x": x, "y": x + 0.3 * rng.normal(size=300), "z": rng.normal(size=300)})


def test_smoothed_records_keep_dependences_marginals_and_no_row(table) -> None:
    encoder = RecordEncoder.fit(table)
    smoothed = SmoothedRecords(encoder, table, 3, np.random.default_rng(0))
    records = smoothed.draw(4000, np.random.default_rng(1))
    assert records.shape == (4000, 3)
    assert records.dtype == np.float32
    assert records.min() >= 0
    assert records.max() < 1
    assert np.abs(np.sort(records, axis=0).T - np.linspace(0, 1, 4000)).max() < 0.08
    drawn = encoder.decode(records)
    assert drawn["x"].corr(drawn["y"]) == pytest.approx(table["x"].corr(table["y"]), abs=0.04)
    assert abs(drawn["x"].corr(drawn["z"])) < 0.1
    again = smoothed.draw(4000, np.random.default_rng(1))
    assert (again == records).all()
    few = SmoothedRecords(encoder, table[:12], 5, np.random.default_rng(0))
    assert few.draw(5, np.random.default_rng(0)).shape == (5, 3)


@pytest.mark.parametrize("components", [1, 3])
def test_shares_of_bins_are_those_of_records_with_the_same_features_before(components) -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(-2, 0.5, 200), rng.normal(2, 0.5, 200)])
    table = pd.DataFrame(
        {"x": x, "y": x**2 + rng.normal(size=400), "yes": x + rng.normal(size=400) > 1}
    )
    encoder = RecordEncoder.fit(table)
    smoothed = SmoothedRecords(encoder, table, components, np.random.default_rng(0))
    edges = np.array([[0, 0.1, 0.5, 1], [0, 0.3, 0.6, 1], [0, 0.4, 1, 1]], dtype=np.float32)
    drawn = smoothed.draw_with_shares(40_000, np.random.default_rng(1), edges)
    records, shares = (tensor.numpy() for tensor in drawn)
    assert (records == smoothed.draw(40_000, np.random.default_rng(1))).all()
    assert shares.shape == (40_000, 3, 3)
    assert records.dtype == shares.dtype == np.float32
    np.testing.assert_allclose(shares.sum(axis=2), 1, atol=1e-5)
    assert (shares[:, 2, 2] == 0).all()  # of no width
    assert np.ptp(shares[:, 0], axis=0).max() < 1e-5  # nothing comes before it
    bins = (records[..., None] >= edges[:, 1:-1]).sum(axis=2)
    hot = np.eye(3)[bins]
    np.testing.assert_allclose(shares.mean(axis=0), hot.mean(axis=0), atol=0.01)
    for later, earlier in ((1, 0), (2, 0), (2, 1)):
        told = hot[:, earlier].T @ shares[:, later] / len(records)
        seen = hot[:, earlier].T @ hot[:, later] / len(records)
        np.testing.assert_allclose(told, seen, atol=0.01)
    at_bins = np.take_along_axis(shares, bins[..., None], axis=2)
    assert at_bins[:, 1:].mean() > hot.mean(axis=0)[1:].max(axis=1).mean()  # and they know more


@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize("bins", [4, 20])
def test_shares_follow_features_that_lie_in_another_order(bins, one_by_one) -> None:
    rng = np.random.default_rng(0)
    n = 600
    height = rng.integers(0, 5, n)
    table = pd.DataFrame(
        {"level": np.array(list("dbeac"))[height], "y": height + rng.normal(size=n)}
    )
    table["x"] = np.where(table["y"] < 1, np.nan, table["y"] + 0.5 * rng.normal(size=n))
    table["yes"] = pd.Series(np.where(height == 4, None, height > 1), dtype="boolean")
    encoder = RecordEncoder.fit(table)
    rng = np.random.default_rng(0)
    smoothed = SmoothedRecords(encoder, table, 2, rng, one_by_one=one_by_one)
    cut = [feature.bin_edges(bins) for feature in encoder.features]
    most = max(map(len, cut)) + 2  # further bins of no width
    edges = np.array([np.append(one, np.ones(most - len(one))) for one in cut], dtype=np.float32)
    drawn = smoothed.draw_with_shares(40_000, np.random.default_rng(1), edges)
    records, shares = (tensor.numpy() for tensor in drawn)
    assert (records == smoothed.draw(40_000, np.random.default_rng(1))).all()
    assert np.isclose(shares.sum(axis=2), 1, atol=1e-5).all() != one_by_one
    bins_of = (records[..., None] >= edges[:, 1:-1]).sum(axis=2)
    hot = np.eye(most - 1)[bins_of]
    decoded = encoder.decode(records)
    assert list(decoded.groupby("level")["y"].mean().sort_values().index) == list("dbeac")
    assert decoded["x"].corr(decoded["y"]) == pytest.approx(table["x"].corr(table["y"]), abs=0.1)
    for later in range(4):
        np.testing.assert_allclose(
            shares[:, later].mean(axis=0), hot[:, later].mean(axis=0), atol=0.01
        )
        for earlier in range(later):
            told = hot[:, earlier].T @ shares[:, later] / len(records)
            seen = hot[:, earlier].T @ hot[:, later] / len(records)
            np.testing.assert_allclose(told, seen, atol=0.01)


def _latent_scores(encoder: RecordEncoder, records: np.ndarray, floor: float) -> np.ndarray:
    axes = LatentAxes([[LatentAxis(feature)] for feature in encoder.features])
    low, high = axes.intervals(records)
    rng = np.random.default_rng(0)
    begin = axes.coordinates(records)
    return latent_scores(begin, low, high, rng, floor=floor, sweeps=20)


def test_places_inside_levels_keep_what_levels_tell_of_numbers() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=1500)
    latent = 0.8 * x[:, None] + 0.6 * rng.normal(size=(1500, 2))
    count = np.clip(latent[:, 1].round(), -1, 1)
    table = pd.DataFrame({"x": x, "yes": latent[:, 0] > 0.3, "count": count})
    encoder = RecordEncoder.fit(table)
    encoded = encoder.encode(table, rng)
    evenly = np.corrcoef(normal_scores(encoded).T)[0, 1]
    assert evenly < 0.55
    scores = _latent_scores(encoder, encoded, 0.005)
    assert np.corrcoef(scores.T)[0] == pytest.approx([1, 0.8, 0.8], abs=0.05)
    assert (encoder.decode(ndtr(scores)).iloc[:, 1:] == table.iloc[:, 1:]).all(axis=None)
    drawn = encoder.decode(
        SmoothedRecords(encoder, table, 1, rng).draw(20_000, np.random.default_rng(1))
    ).astype(float)
    np.testing.assert_allclose(drawn.corr(), table.astype(float).corr(), atol=0.04)
    numbers = pd.DataFrame({"x": x, "y": latent[:, 0]})
    encoder = RecordEncoder.fit(numbers)
    places = encoder.encode(numbers, rng)
    np.testing.assert_allclose(ndtr(_latent_scores(encoder, places, 0.0)), places, atol=1e-3)


def test_rows_of_few_groups_do_not_tell_how_levels_go_with_numbers() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=600)
    table = pd.DataFrame({"who": np.arange(600), "x": x, "yes": x + rng.normal(size=600) > 0})

    def correlation(rows: pd.DataFrame, group: str | None) -> float:
        schema = infer_schema(rows, group=group)
        encoder = RecordEncoder.fit(rows, schema)
        smoothed = SmoothedRecords(encoder, rows, 1, np.random.default_rng(0))
        drawn = encoder.decode(smoothed.draw(20_000, np.random.default_rng(1)))
        return float(drawn["x"].corr(drawn["yes"].astype(float)))

    real = table["x"].corr(table["yes"].astype(float))
    assert correlation(table.drop(columns="who"), None) == pytest.approx(real, abs=0.05)
    few = table.assign(who=table["who"] // 100)
    assert correlation(few, "who") < 0.85 * real


def test_missed_correlations_are_told_in_units_of_chance() -> None:
    rng = np.random.default_rng(0)
    n = 600
    level = rng.choice(["a", "b", "c"], 20 * n)
    table = pd.DataFrame({"level": level, "x": rng.normal(size=20 * n)})
    table["y"] = np.where(level == "b", np.nan, table["x"] + rng.normal(size=20 * n))
    encoder = RecordEncoder.fit(table)
    encoded = encoder.encode(table, rng)
    few, same = encoded[:n], encoded[n:]
    assert missed_correlations(encoder, few, same)[0] == pytest.approx(1, abs=0.7)
    apart = rng.random(same.shape).astype(np.float32)  # the marginals and nothing else
    assert missed_correlations(encoder, few, apart)[0] > 20
    alone = RecordEncoder.fit(table[["x"]])
    assert missed_correlations(alone, few[:, 1:2], same[:, 1:2])[0] == 0


def test_missing_values_are_no_curves() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(300, 40))).add_prefix("x")
    for panel in range(4):
        table.loc[rng.random(300) < 0.35, table.columns[panel::4]] = np.nan
    fitted = fit_smoothed_records(RecordEncoder.fit(table), table, 2, np.random.default_rng(0))
    assert fitted is not None
    assert fitted[1] == 1


def test_a_column_that_only_says_whether_there_was_a_test_is_missing_with_its_values(sites) -> None:
    table = sites.assign(done=np.where(sites["ecg"].isna(), None, "yes"))
    encoder = RecordEncoder.fit(table)
    smoothed = SmoothedRecords(encoder, table, 4, np.random.default_rng(0), one_by_one=True)
    drawn = encoder.decode(smoothed.draw(4000, np.random.default_rng(0)))
    assert drawn["done"].isna().equals(drawn["ecg"].isna())
    assert drawn["done"].isna().mean() == pytest.approx(table["done"].isna().mean(), abs=0.03)


def on_curves(rows: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    angle, noise = rng.uniform(0, 2 * np.pi, rows), rng.normal(size=(rows, 3))
    table = pd.DataFrame({"x": np.cos(angle), "y": np.sin(angle), "z": noise[:, 0] ** 2})
    return (table + 0.1 * noise).assign(w=noise[:, 0])


def test_correlations_do_not_tell_of_curves_and_distances_from_the_middle_do() -> None:
    rng = np.random.default_rng(0)
    table = on_curves(20_600)
    encoder = RecordEncoder.fit(table)
    encoded = encoder.encode(table, rng)
    few, same, apart = encoded[:600], encoded[600:], rng.random((20_000, 4)).astype(np.float32)
    assert missed_correlations(encoder, few, apart)[0] == pytest.approx(1, abs=0.8)
    assert missed_correlations(encoder, few, apart)[1] > 10
    assert missed_correlations(encoder, few, same)[1] == pytest.approx(1, abs=0.8)


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_tables_on_curves_are_smoothed_the_less_the_more_rows_tell(missing) -> None:
    def share(table: pd.DataFrame) -> float:
        fitted = fit_smoothed_records(RecordEncoder.fit(table), table, 2, np.random.default_rng(0))
        return 0.0 if fitted is None else fitted[1]

    table = on_curves(1200)
    table = table.mask(np.random.default_rng(1).random(table.shape) < missing)
    assert 0 < share(table) < 0.8 * share(table[:300])
    rng = np.random.default_rng(2)
    shuffled = table.apply(lambda column: rng.permutation(column))
    assert share(shuffled) == 1
    yes_or_no = pd.DataFrame(np.random.default_rng(0).random((300, 6)) < 0.3).add_prefix("x")
    assert share(yes_or_no) == 1


def test_rows_of_one_group_are_one_row_where_chance_is_told() -> None:
    rng = np.random.default_rng(0)
    patients = pd.DataFrame(rng.normal(size=(60, 4))).add_prefix("x")
    table = patients.loc[np.repeat(np.arange(60), 10)].reset_index(drop=True)
    table = (table + 0.05 * rng.normal(size=table.shape)).round(1)
    table["who"] = np.repeat(np.arange(60), 10)
    schema = infer_schema(table, group="who")
    encoder = RecordEncoder.fit(table, schema)
    rows, apart = encoder.encode(table, rng), rng.random((20_000, 4)).astype(np.float32)
    missed = missed_correlations(encoder, rows, apart)[0]
    of_groups = missed_correlations(encoder, rows, apart, independent=60)[0]
    assert of_groups == pytest.approx(missed / 10)
    assert of_groups == pytest.approx(1, abs=0.8)
    fitted = fit_smoothed_records(encoder, table, 1, rng)
    assert fitted is not None
    assert fitted[1] > 0.6


def test_tables_of_numbers_and_those_that_a_gaussian_knows_are_smoothed(table) -> None:
    def share(rows: pd.DataFrame, group: str | None = None) -> float:
        encoder = RecordEncoder.fit(rows, infer_schema(rows, group=group))
        fitted = fit_smoothed_records(encoder, rows, 2, np.random.default_rng(0))
        return 0.0 if fitted is None else fitted[1]

    assert share(table) == 1
    assert share(table[:12]) == 1
    rounded = table.assign(**{name: table["x"].round() for name in ("a", "b", "c", "d")})
    assert share(rounded) == 1
    assert share(rounded[:30]) == 1  # of 7 columns
    levels = pd.DataFrame(np.random.default_rng(0).random((30, 60)) < 0.4).add_prefix("x")
    assert share(levels) > 0.9
    for rows_of_each, expected in ((8, 1), (9, 0)):  # 38 and 34 groups
        assert share(rounded.assign(who=np.arange(300) // rows_of_each), "who") == expected
    wide = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 201))).add_prefix("x")
    assert share(wide) == 0
    assert share(rounded[["a"]]) == 1  # nothing to miss


def test_the_more_dependences_are_missed_the_less_are_smoothed_records_trusted() -> None:
    rng = np.random.default_rng(0)
    one = rng.integers(0, 6, 4000)
    other = (one + rng.integers(0, 2, 4000)) % 6  # round in a circle: no order knows it all
    table = pd.DataFrame({"one": one, "other": other, "x": rng.normal(size=4000)}).astype(
        {"one": str, "other": str}
    )

    def fitted(rows: int) -> tuple[SmoothedRecords, float] | None:
        part = table[:rows]
        encoder = RecordEncoder.fit(part)
        return fit_smoothed_records(encoder, part, 1, np.random.default_rng(0))

    few, more = fitted(30), fitted(60)
    assert few is not None
    assert more is not None
    assert 0.25 <= more[1] < few[1] < 1
    assert fitted(4000) is None
    config = ImitationConfig(smooth=0.8, components=1)
    rows = table[:60]
    callback = ImitationCallback(RecordEncoder.fit(rows), rows, config)
    assert 0 < callback.smooth_share < 0.8
    wholly = table[["x"]].assign(y=table["x"])[:60]
    assert ImitationCallback(RecordEncoder.fit(wholly), wholly, config).smooth_share == 0.8


def test_levels_in_no_order_are_smoothed_in_the_one_that_others_tell() -> None:
    rng = np.random.default_rng(0)
    one = rng.choice(list("abcde"), 400)
    decided = pd.Series(one).map(dict(zip("abcde", "cadbe", strict=True)))
    table = pd.DataFrame({"one": one, "other": np.where(rng.random(400) < 0.2, one, decided)})
    table["y"] = pd.Series(one).map(dict(zip("abcde", [2, 0, 3, 1, 4], strict=True)))
    table["y"] += rng.normal(size=400)
    encoder = RecordEncoder.fit(table)
    smoothed = SmoothedRecords(encoder, table, 1, np.random.default_rng(0))
    drawn = smoothed.draw(20_000, np.random.default_rng(1))
    means = encoder.decode(drawn).groupby("one")["y"].mean()
    np.testing.assert_allclose(means, table.groupby("one")["y"].mean(), atol=0.4)


@pytest.fixture(scope="module")
def sites() -> pd.DataFrame:
    """Three sites; at one two tests are missing together, at one a third is, and all differ."""
    rng = np.random.default_rng(0)
    n = 300
    site = rng.choice(["north", "south", "west"], n)
    state = rng.normal(size=n) + (site == "south")
    table = pd.DataFrame({"site": site, "ill": state > 0.3, "ecg": state + rng.normal(size=n)})
    table["scan"] = rng.normal(size=n) - state
    table["blood"] = rng.normal(size=n)
    table = table.round({"ecg": 0, "scan": 0, "blood": 0})
    table.loc[(site == "south") & (rng.random(n) < 0.9), ["ecg", "scan"]] = np.nan
    table.loc[site == "north", "blood"] = np.nan
    return table


def test_values_that_are_missing_together_are_told_one_after_the_other(sites) -> None:
    encoder = RecordEncoder.fit(sites)
    rng = np.random.default_rng(0)
    drawn, missed = {}, {}
    for one_by_one in (False, True):
        smoothed = SmoothedRecords(encoder, sites, 4, rng, one_by_one=one_by_one)
        records = smoothed.draw(20_000, np.random.default_rng(1))
        missed[one_by_one] = missed_correlations(encoder, encoder.encode(sites, rng), records)[0]
        drawn[one_by_one] = encoder.decode(records)

    def together(table: pd.DataFrame) -> float:
        return float((table["ecg"].isna() == table["scan"].isna()).mean())

    assert together(sites) == together(drawn[True]) == 1
    assert together(drawn[False]) < 0.98
    numbers = sites[["ecg", "scan"]].corr().iloc[0, 1]
    assert drawn[True]["ecg"].corr(drawn[True]["scan"]) == pytest.approx(numbers, abs=0.08)
    for column in ("ecg", "scan", "blood"):
        np.testing.assert_allclose(
            drawn[True][column].value_counts(normalize=True, dropna=False).sort_index().head(9),
            sites[column].value_counts(normalize=True, dropna=False).sort_index().head(9),
            atol=0.03,
        )
    assert missed[True] < missed[False] / 2
    fitted = fit_smoothed_records(encoder, sites, 4, np.random.default_rng(0))
    assert fitted is not None
    assert fitted[1] == pytest.approx(1 / missed[True], rel=0.4)
    assert together(encoder.decode(fitted[0].draw(20_000, rng))) == 1


def test_what_is_missing_with_something_else_is_certain_once_that_is_known(sites) -> None:
    encoder = RecordEncoder.fit(sites)
    smoothed = SmoothedRecords(encoder, sites, 4, np.random.default_rng(0), one_by_one=True)
    most = max(feature.n_cells for feature in encoder.features)
    edges = np.ones((encoder.n_features, most + 1), dtype=np.float32)
    for of_feature, feature in zip(edges, encoder.features, strict=True):
        of_feature[: feature.n_cells + 1] = feature.edges
    records, shares = smoothed.draw_with_shares(4000, np.random.default_rng(0), edges)
    missing = {
        name: (
            encoder.features[j].cells_of(records[:, j].numpy()) == encoder.features[j].missing_cell,
            shares[:, j, encoder.features[j].missing_cell].numpy(),
        )
        for name, j in ((n, encoder.feature_names.index(n)) for n in ("ecg", "scan", "blood"))
    }
    is_missing, share = missing["scan"]
    np.testing.assert_array_equal(is_missing, missing["ecg"][0])
    np.testing.assert_array_equal(share, is_missing)
    # Of the first that is missing, and of one that is missing elsewhere, nothing makes it certain.
    for name in ("ecg", "blood"):
        is_missing, share = missing[name]
        assert is_missing.mean() == pytest.approx(share.mean(), abs=0.03)
        assert ((share > 0.02) & (share < 0.98)).mean() > 0.2
    np.testing.assert_allclose(shares.sum(dim=2).mean(dim=0), 1, atol=0.03)


def test_numbers_that_are_missing_together_are_told_one_after_the_other() -> None:
    rng = np.random.default_rng(0)
    state = rng.normal(size=(300, 1))
    table = pd.DataFrame(state + rng.normal(size=(300, 8))).add_prefix("x")
    table.loc[rng.random(300) < 0.4, ["x0", "x1", "x2"]] = np.nan
    table.loc[rng.random(300) < 1 / (1 + np.exp(state[:, 0])), ["x3", "x4"]] = np.nan
    encoder = RecordEncoder.fit(table)
    rng = np.random.default_rng(0)
    plain = SmoothedRecords(encoder, table, 2, rng).draw(20_000, rng)
    fitted = fit_smoothed_records(encoder, table, 2, rng)
    assert fitted is not None
    smoothed, share = fitted
    assert share == 1
    rows, records = encoder.encode(table, rng), smoothed.draw(20_000, rng)
    missed = missed_correlations(encoder, rows, records)[0]
    assert missed < missed_correlations(encoder, rows, plain)[0] / 2
    drawn = encoder.decode(records)
    correlations = drawn.corr() - table.corr()
    assert np.abs(correlations.to_numpy()).mean() < 0.06
    assert (
        drawn["x7"][drawn["x3"].isna()].mean()
        < -0.2
        < 0.1
        < drawn["x7"][drawn["x3"].notna()].mean()
    )
    few = fit_smoothed_records(encoder, table[:64], 2, np.random.default_rng(0))
    assert few is not None
    one_axis = SmoothedRecords(encoder, table[:64], 2, np.random.default_rng(0))
    drawn = [one.draw(100, np.random.default_rng(1)) for one in (one_axis, few[0])]
    np.testing.assert_array_equal(*drawn)  # 13 axes would take 65 rows


def test_one_by_one_is_only_tried_where_it_can_help(sites, monkeypatch) -> None:
    built: list[bool] = []
    build = SmoothedRecords.__init__

    def counting(self, *arguments, one_by_one: bool = False) -> None:
        built.append(one_by_one)
        build(self, *arguments, one_by_one=one_by_one)

    def tried(table: pd.DataFrame) -> list[bool]:
        built.clear()
        encoder = RecordEncoder.fit(table)
        fit_smoothed_records(encoder, table, 2, np.random.default_rng(0))
        return list(built)

    monkeypatch.setattr(SmoothedRecords, "__init__", counting)
    assert tried(sites) == [False, True]
    rng = np.random.default_rng(0)
    panel = pd.DataFrame(rng.normal(size=(170, 30))).add_prefix("x")
    together = rng.random((170, 1)) < 0.4
    assert tried(panel.mask(together ^ (rng.random(panel.shape) < 0.02))) == [False]  # 60 axes
    assert tried(panel.mask(np.repeat(together, 30, axis=1))) == [False, True]  # 31
    shuffled = pd.DataFrame({name: rng.permutation(sites[name]) for name in sites})
    assert tried(shuffled) == [False]  # no more is missed than by chance
    monkeypatch.setattr(smoothed_records, "_MOST_FEATURES", 7)
    assert tried(sites) == [False]
    numbers = pd.DataFrame(rng.normal(size=(300, 3))).add_prefix("x")
    assert tried(numbers) == [False]  # nothing to tell one by one


def test_few_rows_do_not_tell_what_levels_of_their_own_go_with() -> None:
    """Many axes miss little of the rows that they are fitted to, whatever the truth is."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.choice(list("abcd"), (150, 12))).add_prefix("x")
    moved = table["x0"].map(dict(zip("abcd", "bcda", strict=True)))
    table["x1"] = np.where(rng.random(150) < 0.4, moved, table["x1"])
    encoder = RecordEncoder.fit(table)
    missed = []
    for one_by_one in (False, True):
        smoothed = SmoothedRecords(encoder, table, 4, rng, one_by_one=one_by_one)
        rows, records = encoder.encode(table, rng), smoothed.draw(20_000, rng)
        missed.append(missed_correlations(encoder, rows, records)[0])
    assert missed[1] < missed[0] / 2
    fitted = fit_smoothed_records(encoder, table, 4, np.random.default_rng(0))
    assert fitted is not None
    assert fitted[1] == pytest.approx(1 / max(missed[0], 1), rel=0.3)


def test_of_many_rows_only_a_sample_is_encoded(table, monkeypatch) -> None:
    encoded: list[int] = []
    encode = RecordEncoder.encode

    def counting(self, rows: pd.DataFrame, *arguments) -> np.ndarray:
        encoded.append(len(rows))
        return encode(self, rows, *arguments)

    monkeypatch.setattr(smoothed_records, "_MOST_ENCODED", 200)
    monkeypatch.setattr(RecordEncoder, "encode", counting)
    encoder = RecordEncoder.fit(table)
    assert fit_smoothed_records(encoder, table, 2, np.random.default_rng(0))
    assert encoded == [200] * 2
    table = table.assign(**{name: table["x"].round() for name in ("a", "b", "c", "d")})
    encoder = RecordEncoder.fit(table)
    assert fit_smoothed_records(encoder, table, 2, np.random.default_rng(0))
    assert encoded == [200] * 4


def test_one_axis_a_feature_stays_where_more_miss_as_much() -> None:
    rng = np.random.default_rng(0)
    one = rng.integers(0, 20, 300)  # levels of about fifteen rows share an axis
    other = np.where(rng.random(300) < 0.9, rng.permutation(20)[one], rng.integers(0, 20, 300))
    table = pd.DataFrame(rng.normal(size=(300, 5))).add_prefix("x")
    table["x0"] = table["x0"].where(rng.random(300) < 0.8)
    table = table.assign(one=one, other=other).astype({"one": str, "other": str})
    encoder = RecordEncoder.fit(table)
    plain = SmoothedRecords(encoder, table, 2, np.random.default_rng(0))
    rows, records = encoder.encode(table, rng), plain.draw(20_000, rng)
    assert missed_correlations(encoder, rows, records)[0] > 2
    fitted = fit_smoothed_records(encoder, table, 2, np.random.default_rng(0))
    assert fitted is not None
    drawn = [one.draw(100, np.random.default_rng(1)) for one in (plain, fitted[0])]
    np.testing.assert_array_equal(*drawn)
