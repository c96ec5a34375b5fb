"""Latent axes: cells moved there and back, and in which order and on how many axes they lie."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.callbacks.cell_order import ordered_axes
from agents.callbacks.latent_axes import LatentAxes, missing_together, one_after_the_other
from agents.callbacks.latent_axis import LatentAxis
from rlsyn_env.tables.encoder import RecordEncoder
from rlsyn_env.tables.feature_maps import FeatureMap


def _feature(values: list[object]) -> tuple[FeatureMap, np.ndarray]:
    encoder = RecordEncoder.fit(pd.DataFrame({"x": values}))
    rows = pd.DataFrame({"x": values * 20})
    return encoder.features[0], encoder.encode(rows, np.random.default_rng(0))[:, 0]


@st.composite
def _features(draw: st.DrawFn) -> tuple[FeatureMap, np.ndarray, np.ndarray]:
    text = st.sampled_from([*"abcdef", None])
    numbers = st.sampled_from([0.0, 1.0, 2.5, 3.25, 4.125, 7.0, None])
    values = draw(st.lists(draw(st.sampled_from([text, numbers])), min_size=5, max_size=60))
    if len({value for value in values if value is not None}) < 2:
        values += ["a", "b"] if any(isinstance(value, str) for value in values) else [0.0, 1.0]
    feature, u = _feature(values)
    return feature, u, np.array(draw(st.permutations(range(feature.n_cells))))


@given(_features())
def test_coordinates_move_with_their_cells_and_come_back(case) -> None:
    feature, u, order = case
    axis = LatentAxis(feature, order)
    moved = axis.coordinates(u)
    np.testing.assert_array_equal(order[axis.segments_of(moved)], feature.cells_of(u))
    back = axis.places(moved)
    assert back.dtype == np.float32
    np.testing.assert_array_equal(feature.cells_of(back), feature.cells_of(u))
    np.testing.assert_allclose(back, u, atol=1e-6)
    widths = np.diff(axis.edges)
    np.testing.assert_allclose(widths, np.diff(feature.edges.astype(float))[order], atol=1e-6)
    np.testing.assert_array_equal(axis.is_atom, np.asarray(feature.is_atom)[order])
    middles = axis.middles(u)
    np.testing.assert_array_equal(axis.segments_of(middles), axis.segments_of(moved))
    for cell in np.flatnonzero(axis.is_atom):
        assert len(np.unique(middles[axis.segments_of(moved) == cell])) <= 1
    any_place = np.random.default_rng(0).random(100)
    there = axis.places(any_place)
    np.testing.assert_array_equal(feature.cells_of(there), order[axis.segments_of(any_place)])


@given(_features(), st.integers(1, 30))
def test_bins_move_with_their_cells(case, most) -> None:
    feature, u, order = case
    axis = LatentAxis(feature, order)
    edges = np.append(feature.bin_edges(most), [1.0, 1.0]).astype(np.float32)  # two of no width
    latent, places = axis.bins(edges)
    assert sorted(places) == list(range(len(edges) - 1))
    assert (np.diff(latent) >= -1e-12).all()
    np.testing.assert_allclose(np.diff(latent)[places], np.diff(edges), atol=1e-6)
    bins = np.searchsorted(edges[1:-1], u, side="right")
    moved = np.searchsorted(latent[1:-1], axis.coordinates(u), side="right")
    np.testing.assert_array_equal(moved, places[bins])


@given(_features(), st.sampled_from([30, 60, 200, 10_000]))
def test_axes_that_tell_cells_one_after_the_other_lead_back(case, rows) -> None:
    feature, u, order = case
    of_one = one_after_the_other(feature, order, rows)
    told = np.concatenate([axis.order for axis in of_one])
    assert sorted(told) == list(range(feature.n_cells))
    asked = [int(axis.order[0]) for axis in of_one[:-1]]
    several = len(told) > 2 or not feature.is_atom.all()
    assert (feature.missing_cell in asked) == (feature.missing_cell is not None and several)
    if feature.ordered:
        assert len(asked) <= 1
    axes = LatentAxes([of_one])
    coordinates = axes.coordinates(u[:, None])
    assert coordinates.min() >= 0
    assert coordinates.max() < 1
    low, high = axes.intervals(u[:, None])
    assert ((low <= coordinates) & (coordinates <= high)).all()
    np.testing.assert_array_equal((low == high)[:, -1], ~feature.is_atom[feature.cells_of(u)])
    for k, axis in enumerate(of_one):
        earlier = np.isin(feature.cells_of(u), asked[:k])
        np.testing.assert_array_equal((high - low)[earlier, k], 1)
        np.testing.assert_array_equal(axes.reached(coordinates)[:, k], ~earlier)
        ends = coordinates[~earlier, k]
        np.testing.assert_array_equal(
            axis.tells(ends), np.isin(feature.cells_of(u), axis.order)[~earlier]
        )
    # Wherever its own coordinate lies within its interval, a record has the same cells.
    anywhere = low + np.random.default_rng(0).random(low.shape) * (high - low)
    for there in (coordinates, anywhere):
        back = axes.records(there)
        assert back.dtype == np.float32
        np.testing.assert_array_equal(feature.cells_of(back[:, 0]), feature.cells_of(u))
    continuous = ~feature.is_atom[feature.cells_of(u)]
    np.testing.assert_allclose(back[continuous, 0], u[continuous], atol=1e-6)


@given(_features(), st.sampled_from([30, 200, 10_000]))
def test_axes_that_know_of_nothing_have_the_marginal(case, rows) -> None:
    feature, _, order = case
    of_one = one_after_the_other(feature, order, rows)
    left, width = 1.0, np.zeros(feature.n_cells)
    for axis in of_one:
        of_segment = np.diff(axis.edges)
        width[axis.order] = left * of_segment[: len(axis.order)]
        left -= width[axis.order].sum()
    np.testing.assert_allclose(width, np.diff(feature.edges), atol=1e-6)
    axes = LatentAxes([of_one])
    edges = np.append(feature.bin_edges(12), 1.0).astype(np.float32)[None]
    latent, places = axes.bins(edges)
    assert latent.shape == (len(of_one), edges.shape[1])
    shares = np.take_along_axis(np.diff(latent), places, axis=1)
    before = np.cumprod([1.0, *(1 - shares.sum(axis=1))])[:-1]
    np.testing.assert_allclose(before @ shares, np.diff(edges[0]), atol=1e-6)


def test_levels_of_thirty_rows_have_axes_of_their_own() -> None:
    values = ["a"] * 30 + ["b"] * 50 + ["c"] * 29 + ["d"] * 10 + [None] * 8
    feature, _ = _feature(values)
    of_one = one_after_the_other(feature, np.array([3, 1, 0, 4, 2]), len(values))
    assert [list(axis.order) for axis in of_one] == [[4], [1], [0], [3, 2]]
    assert [len(axis.is_atom) for axis in of_one] == [2, 2, 2, 2]
    thirty, _ = _feature(["a"] * 30 + ["b"] * 40 + ["c"] * 14 + ["d"] * 13)
    assert 97 * np.diff(thirty.edges)[0] < 30  # in float32
    assert [len(axis.order) for axis in one_after_the_other(thirty, np.arange(4), 97)] == [1, 1, 2]
    yes_or_no, _ = _feature([False] * 60 + [True] * 60)
    (alone,) = one_after_the_other(yes_or_no, np.arange(2), 120)
    assert len(alone.order) == 2


@settings(deadline=None)  # an encoder is fitted
@given(
    st.lists(st.sampled_from("abc"), min_size=3, max_size=5),
    st.integers(0, 2**32 - 1),
)
def test_values_missing_in_the_same_rows_are_missing_in_all_records_together(panels, seed) -> None:
    rng = np.random.default_rng(seed)
    missing = {panel: rng.random(60) < rng.uniform(0.1, 0.9) for panel in "abc"}
    table = pd.DataFrame(
        {f"x{j}": rng.normal(size=60).round(j % 3) for j in range(len(panels))}
    ).assign(level=rng.choice(["u", "v", "w"], 60), all=rng.normal(size=60))
    panels = [*panels, "a"]
    table.insert(0, "done", np.where(missing["a"], None, "yes"))  # two levels share its one axis
    for name, panel in zip(table.columns[1:], panels, strict=False):
        table.loc[missing[panel], name] = np.nan
    encoder = RecordEncoder.fit(table)
    records = encoder.encode(table, rng)
    first = missing_together(encoder, records)
    masks = [table[name].isna() for name in table]
    for j, k in enumerate(first):
        assert k <= j
        assert masks[j].equals(masks[k])
        assert not masks[j].any() or not any(masks[j].equals(other) for other in masks[:k])
        assert k == j or masks[j].any()
    of_each = [one_after_the_other(f, np.arange(f.n_cells), 60) for f in encoder.features]
    axes = LatentAxes(of_each, first)
    assert len(of_each[0]) == 1
    asked_again = sum(k != j for j, k in enumerate(first))
    assert axes.is_repeated.sum() == asked_again
    coordinates = axes.coordinates(records)
    assert coordinates.shape == (60, sum(map(len, of_each)) - asked_again)
    assert axes.n_coordinates == coordinates.shape[1]
    back = encoder.decode(axes.records(coordinates))
    pd.testing.assert_frame_equal(back, encoder.decode(records), rtol=1e-3, atol=1e-3)
    anywhere = encoder.decode(axes.records(rng.random((200, coordinates.shape[1]))))
    for j, k in enumerate(first):
        assert anywhere.iloc[:, j].isna().equals(anywhere.iloc[:, k].isna())


def _chosen(table: pd.DataFrame, column: str) -> list[object]:
    """Return the values of a column in the order of its cells."""
    encoder = RecordEncoder.fit(table)
    records = encoder.encode(table, np.random.default_rng(0))
    axis = ordered_axes(encoder, records)[encoder.feature_names.index(column)]
    middle = (axis.edges[:-1] + axis.edges[1:]) / 2
    u = np.zeros((len(middle), encoder.n_features), dtype=np.float32)
    u[:, encoder.feature_names.index(column)] = axis.places(middle)
    values = encoder.decode(u)[column]
    return [None if pd.isna(value) else value for value in values]


def _same_or_turned(order: list[object], expected: list[object]) -> bool:
    return order in (expected, expected[::-1])


def test_levels_lie_as_the_other_columns_tell() -> None:
    rng = np.random.default_rng(0)
    level = rng.choice(list("abcde"), 300)
    height = pd.Series(level).map(dict(zip("abcde", [3, 1, 4, 0, 2], strict=True)))
    table = pd.DataFrame({"level": level, "y": height + rng.normal(size=300)})
    assert _same_or_turned(_chosen(table, "level"), list("dbeac"))
    other = pd.Series(level).map(dict(zip("abcde", "XVYUW", strict=True)))  # as in "dbeac"
    table = pd.DataFrame({"level": level, "other": other, "y": table["y"]})
    assert _same_or_turned(_chosen(table, "other"), list("UVWXY"))


def test_numbers_in_the_names_of_levels_order_them() -> None:
    rng = np.random.default_rng(1)
    size = rng.integers(0, 30, 60)
    low = size // 5 * 5
    name = np.where(low == 0, "<5", [f"{a}-{a + 4}" for a in low])
    table = pd.DataFrame({"size": name, "y": size + 10 * rng.normal(size=60)})
    assert sorted(table["size"].unique())[:2] == ["10-14", "15-19"]
    assert _chosen(table, "size") == ["<5", "5-9", "10-14", "15-19", "20-24", "25-29"]
    levels = rng.choice(["-5", "1.25", "1.5", ">1.5", "-10"], 60)
    value = pd.Series(levels).str.strip(">").astype(float)
    table = pd.DataFrame({"z": levels, "y": value + 4 * rng.normal(size=60)})
    assert _chosen(table, "z") == ["-10", "-5", "1.25", "1.5", ">1.5"]


def test_what_rows_tell_by_chance_orders_nothing() -> None:
    """Whoever has ten rows would else be known by the order that fits them best."""

    def kept(rows_of_each: int) -> int:
        alphabet = 0
        for seed in range(12):
            rng = np.random.default_rng(seed)
            who = np.repeat(np.arange(80), rows_of_each)
            level = rng.choice(list("abcdef"), 80)[who]
            numbers = rng.normal(size=(80, 3))[who] + 0.1 * rng.normal(size=(len(who), 3))
            table = pd.DataFrame(numbers, columns=["x", "y", "z"]).assign(level=level)
            encoder = RecordEncoder.fit(table)
            rows = rng.permutation(len(table))
            records = encoder.encode(table.iloc[rows], rng)
            axes = ordered_axes(encoder, records, who[rows])
            order = axes[encoder.feature_names.index("level")].order
            alphabet += bool((order == np.arange(6)).all())
        return alphabet

    assert kept(1) >= 7
    assert kept(10) >= 7


@pytest.mark.parametrize("digits", [0, 3])  # repeated values, and a continuous piece
@pytest.mark.parametrize("sign", [1, -1])
def test_missing_values_lie_at_the_end_where_they_belong(sign, digits) -> None:
    rng = np.random.default_rng(2)
    x = sign * rng.normal(size=400).round(digits)
    y = sign * x + rng.normal(size=400)
    table = pd.DataFrame({"x": np.where(y < -1, np.nan, x), "y": y})
    chosen = _chosen(table, "x")
    assert chosen[0 if sign > 0 else -1] is None
    values = [value for value in chosen if value is not None]
    assert values == sorted(values)


def test_what_has_nothing_to_say_stays_as_it_is() -> None:
    rng = np.random.default_rng(0)
    alone = pd.DataFrame({"level": rng.choice(list("abcd"), 100)})
    assert _chosen(alone, "level") == list("abcd")
    yes = pd.DataFrame({"yes": rng.random(100) > 0.3, "x": rng.normal(size=100)})
    assert _chosen(yes, "yes") == [False, True]
    x = rng.normal(size=100)
    clear = pd.DataFrame({"x": x, "level": pd.cut(x, 4, labels=list("abcd")).astype(str)})
    assert _chosen(clear, "level") == list("abcd")
