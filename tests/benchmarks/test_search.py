"""The search's space, objective, journal and page, with a made-up measurement."""

import shlex
from dataclasses import replace

import numpy as np
import pytest

from agents.cli.main import build_parser as rlsyn_parser
from agents.cli.train import _given_options
from agents.hyperparameters import resolve
from agents.registry import get_algorithm
from benchmarks.field.tables import FIELD_TABLES, prepare
from rlsyn_env.errors import ConfigError
from rlsyn_env.tables.schema import ColumnKind

optuna = pytest.importorskip("optuna")
optuna.logging.set_verbosity(optuna.logging.WARNING)

from benchmarks.search import (  # noqa: E402
    Objective,
    TrialFailedError,
    command,
    loss,
    main,
    open_study,
    page,
    ranking,
    search,
    search_tables,
    study_name,
)
from benchmarks.search_space import (  # noqa: E402
    SPACE,
    number_in,
    preset_point,
    preset_value,
    train_options,
    with_number,
)

PRESET = get_algorithm("ppo").preset


def figures(c2st=0.5, ratio=1.0, excess=0.0):
    values = {"c2st": c2st, "s2r_over_r2r": ratio, "membership_excess": excess}
    return {name: {"value": value} for name, value in values.items()}


def given(options):
    return _given_options(rlsyn_parser().parse_args(options))


def at(mapping, path):
    for key in path.split("."):
        mapping = mapping[key]
    return mapping


@pytest.mark.parametrize("rows", [100, 1000])
def test_the_preset_is_a_point_whose_options_mean_the_preset(rows):
    options = given(["train", *train_options(PRESET, preset_point(PRESET))])
    found = {"hyperparams": options["hyperparams"], **options["settings"]}
    for number in SPACE:
        wanted = resolve(preset_value(PRESET, number.name), 13, rows)
        value = resolve(at(found, number.name), 13, rows)
        if number.name == "hyperparams.learning_rate":
            ends = [[schedule(1.0), schedule(0.0)] for schedule in (value, wanted)]
            np.testing.assert_allclose(*ends, rtol=1e-2)
        else:
            assert value == pytest.approx(wanted)


def test_the_preset_lies_inside_every_range():
    for name, value in preset_point(PRESET).items():
        (number,) = [number for number in SPACE if number.name == name]
        if number.choices:
            assert value in number.choices
        else:
            assert number.low <= value <= number.high


@pytest.mark.parametrize(
    ("value", "number", "text"),
    [
        ("12 * rows^-0.5 within [0.05, 0.7]", 6, "6 * rows^-0.5 within [0.05, 0.7]"),
        ("linear from 8e-4 to 1e-4", 4e-4, "linear from 0.0004 to 5e-05"),
        (
            "linear from 8e-4 to 1e-4 for 9 records or 99 steps",
            4e-4,
            "linear from 0.0004 to 5e-05 for 9 records or 99 steps",
        ),
        (0.95, 0.9, "0.9"),
        (24, 48, "48"),
    ],
)
def test_a_rule_keeps_its_form(value, number, text):
    assert with_number(value, number) == text
    assert number_in(text) == pytest.approx(number)


def test_loss_by_hand():
    assert loss(figures(0.62, 0.9, 0.05)) == pytest.approx(0.12 + 0.1 + 0.1)
    assert loss(figures(0.45, 1.1, -0.2)) == pytest.approx(0.05)
    assert loss(figures(0.6, None)) == pytest.approx(0.1)


def test_no_row_of_the_outer_test_takes_part():
    (table,) = search_tables(["breast_cancer"], None)
    rows, held_out = prepare(FIELD_TABLES["breast_cancer"], None).split(101)
    train, validation = table.split(101)
    assert (len(train), len(validation)) == (278, 120)
    assert set(train.index) | set(validation.index) == set(rows.index)
    assert not (set(train.index) | set(validation.index)) & set(held_out.index)
    with pytest.raises(ConfigError, match="100 or more"):
        table.split(2)


def test_the_usual_tables_differ_in_type_and_size():
    tables = {table.name: table for table in search_tables(None, None)}
    assert list(tables) == ["categories", "diabetes", "breast_cancer", "visits"]
    assert [len(table.table) for table in tables.values()] == [400, 442, 569, 1200]
    kinds = {column.kind for column in tables["visits"].schema.columns}
    wanted = {"BINARY", "CATEGORICAL", "INTEGER", "CONTINUOUS"}
    assert {ColumnKind[name] for name in wanted} <= kinds
    assert tables["visits"].table["troponin"].isna().mean() > 0.1
    with pytest.raises(ConfigError, match="no table 'nothing'"):
        search_tables(["nothing"], None)


@pytest.fixture
def tables():
    return search_tables(["categories", "diabetes"], None)


def objective(tables, seen, *, bad=()):
    """Prefers few epochs; tables named in ``bad`` cannot be measured."""

    def measure(table, seed, name, options):
        seen.append((name, table.name))
        if table.name in bad:
            raise TrialFailedError("it broke")
        return figures(0.5 + 0.05 * given(["train", *options])["hyperparams"]["n_epochs"])

    return Objective(PRESET, tables, [100], measure)


def test_a_search_goes_on_from_its_journal_and_begins_with_the_preset(tmp_path, tables):
    journal, seen = tmp_path / "j" / "search.journal", []
    search(open_study(journal, "s", 0), objective(tables, seen), PRESET, 3, 1)
    assert seen[:2] == [("trial-0", "categories"), ("trial-0", "diabetes")]
    assert len(seen) == 6
    study = open_study(journal, "s", 0)
    first = study.trials[0]
    assert first.params == preset_point(PRESET)
    assert first.value == pytest.approx(0.05 * preset_value(PRESET, "hyperparams.n_epochs"))
    search(study, objective(tables, seen), PRESET, 3, 1)
    assert len(seen) == 6
    search(study, objective(tables, seen), PRESET, 12, 1)
    assert len(study.trials) == 12
    assert sum("preset" in trial.user_attrs for trial in study.trials) == 1
    best = ranking(study)[0]
    assert best.value == pytest.approx(0.05 * best.params["hyperparams.n_epochs"])

    text = page(study, PRESET)
    title = f"{best.number} (preset)" if best.number == 0 else f"{best.number}"
    assert f"| {title} | {best.value:.4f} |" in text
    assert f"| hyperparams.n_epochs | {best.params['hyperparams.n_epochs']} |" in text
    told = given(shlex.split(command(PRESET, best))[1:])
    assert told["hyperparams"]["n_epochs"] == best.params["hyperparams.n_epochs"]
    assert set(told["settings"]) == {"imitation", "averaging", "adversary"}


def test_a_trial_behind_the_median_is_given_up_before_the_last_table(tmp_path, tables):
    seen = []

    def measure(table, seed, name, options):
        seen.append(table.name)
        return figures(0.6 if len(seen) <= 16 else 0.9)

    study = open_study(tmp_path / "journal", "s", 0)
    search(study, Objective(PRESET, tables, [100], measure), PRESET, 9, 1)
    assert len(seen) == 17
    assert study.trials[-1].state == optuna.trial.TrialState.PRUNED


def test_a_failing_preset_ends_the_search_and_a_failing_trial_does_not(tmp_path, tables):
    study = open_study(tmp_path / "journal", "s", 0)
    with pytest.raises(ConfigError, match="the preset itself"):
        search(study, objective(tables, [], bad=["diabetes"]), PRESET, 2, 1)
    search(study, objective(tables, []), PRESET, 1, 1)  # the preset again, and it works now
    search(study, objective(tables, [], bad=["diabetes"]), PRESET, 3, 1)
    states = [trial.state.name for trial in study.trials]
    assert states == ["FAIL", "COMPLETE", "FAIL", "FAIL"]


def test_a_study_belongs_to_its_tables_splits_and_rules(tables):
    name = study_name(PRESET, tables, [100])
    assert name != study_name(PRESET, tables[:1], [100])
    assert name != study_name(PRESET, tables, [101])
    longer = {**PRESET.imitation, "warm_up": "10 * rows^0.6 within [20, 3000]"}
    assert name != study_name(replace(PRESET, imitation=longer), tables, [100])
    more = {**PRESET.imitation, "warm_up": "12 * rows^0.5 within [20, 3000]"}
    assert name == study_name(replace(PRESET, imitation=more), tables, [100])


def test_the_page_is_made_again_and_the_best_printed(tmp_path, tables, capsys):
    arguments = ["--table-only", "--tables", "categories", "diabetes", "--results", str(tmp_path)]
    assert main(arguments) == 2
    assert "there are no trials yet" in capsys.readouterr().err
    name = study_name(PRESET, tables, [100])
    open_study(tmp_path / "search.journal", name, 0)
    assert main(arguments) == 2
    assert "no complete trial" in capsys.readouterr().err
    search(open_study(tmp_path / "search.journal", name, 0), objective(tables, []), PRESET, 1, 1)
    assert main(arguments) == 0
    assert "rlsyn train --algo ppo --hyperparam" in capsys.readouterr().out
    text = (tmp_path / "search.md").read_text()
    assert "| 0 (preset) |" in text
    assert "1 complete trials, 0 given up" in text
