"""What each part of the default generator is worth: its run with one thing changed at a time.

    python -m benchmarks.ablation --data-dir DIR --jobs 2
    python -m benchmarks.ablation --variants default imitation-only --tables breast_cancer --seeds 0
    python -m benchmarks.ablation --list                # variants and their options
    python -m benchmarks.ablation --table-only          # docs/ablation.md again

A variant is the field's generator ``rlsyn`` (``train.py --algo ppo``) with further options; rows,
judge and results file are those of the field (benchmarks/field/README.md). Finished cells are
skipped; a change of the project's sources or of the variant's options runs them again, unless
``--keep``. The interpreter is the one that runs this command; it must have this checkout installed.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from benchmarks.field.cli import (
    RESULTS,
    add_again_options,
    add_matrix_options,
    guarded,
    settings_of,
)
from benchmarks.field.markdown import Section, failures_section, spread_text, to_markdown
from benchmarks.field.matrix import Matrix
from benchmarks.field.peer_folders import PROJECT, Peer, load_peers
from benchmarks.field.results import Record, ResultsFile, latest
from benchmarks.field.summary import Entry, entries
from benchmarks.field.tables import FIELD_TABLES, FieldTable, choose_tables
from rlsyn_env.errors import ConfigError, TableError
from rlsyn_env.files import write_text

DEFAULT_TABLES = ("heart-failure", "breast_cancer")
BASE = "rlsyn"
FIGURES = {
    "c2st": "C2ST",
    "c2st_codes": "C2ST on codes",
    "s2r_over_r2r": "S2R / R2R",
    "corr": "corr",
    "column_shapes": "column shapes",
    "membership_excess": "membership excess",
}
VARIANTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "default": ("the preset", ()),
    "no-imitation": ("reward alone, no real record is imitated", ("--set", "imitation=off")),
    "imitation-only": (
        "the reward moves nothing (learning rate 0): the same likelihood steps at the same rates, "
        "and rollouts that teach nothing",
        ("--hyperparam", "learning_rate=0.0", "n_epochs=1"),
    ),
    "no-smoothing": ("real rows alone are imitated", ("--set", "imitation.smooth=0")),
    "light-dropout": ("imitation with little dropout", ("--set", "imitation.dropout=0.1")),
    "light-guards": (
        "imitation with little dropout that forgets few features",
        ("--set", "imitation.dropout=0.1", "imitation.forget=0.05"),
    ),
    "target-forgets": (
        "the column to predict sees no more of a row than the others while it is imitated",
        ("--set", "imitation.target_forgets=1"),
    ),
    "no-averaging": ("generates with the last weights", ("--set", "averaging.decay=0")),
    "snapshot-choice": (
        "validation rows choose the snapshot however few they are",
        ("--set", "selection.min_rows=20"),
    ),
    "generic-bins": (
        "the package's policy without autoregressive network, actions are bins",
        ("--env", "RLSyn/RecordDiscrete-v0", "--hyperparam", "policy=generic"),
    ),
    "generic-values": (
        "the same, actions are values",
        ("--env", "RLSyn/Record-v0", "--hyperparam", "policy=generic"),
    ),
    "mlp-policy": (
        "Stable-Baselines3's own policy, which does not start from the marginals",
        ("--env", "RLSyn/Record-v0", "--hyperparam", "policy=MlpPolicy"),
    ),
    "one-shot": ("a record is one action", ("--env", "RLSyn/RecordOneShot-v0")),
    "reward-softplus": ("form of the reward", ("--reward", "softplus")),
    "reward-logsigmoid": ("form of the reward", ("--reward", "logsigmoid")),
    "reward-sigmoid": ("form of the reward", ("--reward", "sigmoid")),
    "bins-12": ("half the bins", ("--hyperparam", "policy_kwargs.bins=12")),
    "bins-48": ("twice the bins", ("--hyperparam", "policy_kwargs.bins=48")),
    "discriminator-4": (
        "a quarter of the discriminator's steps",
        ("--set", "adversary.steps_per_update=4"),
    ),
    "discriminator-64": (
        "four times the discriminator's steps",
        ("--set", "adversary.steps_per_update=64"),
    ),
    "no-feature-dropout": (
        "the discriminator sees whole records",
        ("--set", "adversary.feature_dropout=0"),
    ),
}
"""What is changed and the options of ``rlsyn train`` that change it, by name."""

INTRODUCTION = """\
# Ablation: the default generator with one thing changed at a time

Made by

    python -m benchmarks.ablation --data-dir DIR --jobs 2

and rewritten from `benchmarks/results/ablation.jsonl` by `python -m benchmarks.ablation
--table-only`. Every variant is `train.py --algo ppo` with the options shown, trained on all
training rows of a split and judged on its held-out rows by the field's judge
([benchmarks/field](../benchmarks/field/README.md)); figures are means over seeds with their
standard deviation. C2ST 0.5, S2R / R2R 1, and corr, column shapes and membership excess 0 are the
ideals. CPU seconds are those of the whole command: start, training and generation. Differences
smaller than the spread over seeds are none.

Also tried on rows held out of training rows, and not kept, so that nothing here runs them again:

- a reward for matching the second moments of real rows (the witness of a quadratic kernel): corr
  falls, and what it gains is paid for in membership;
- sharper conditionals at generation, logits drawn away from the marginals: dependences come closer
  and membership rises, each by less than seeds differ;
- more weight on the likelihood of the column to predict, in place of showing it more of a row:
  models trained on the table get worse;
- advantages of whole episodes (`gae_lambda` 1) on 386 columns: the first updates do more harm;
- smoothed records of heart-4centers that tell each feature on one axis and miss its correlations:
  C2ST 0.64 in place of 0.60; with 12 and 30 components 0.57 and 0.59 for 0.59, and corr higher by
  0.010 (three splits of its training rows);
- missing values and frequent levels told one after the other where that does not halve the
  correlations missed: on 400 rows of adult (three draws) S2R / R2R 0.951 for 0.974 and
  membership excess 0.024 for 0.013, on breast-cancer-ljubljana (five splits) 0.984 for 1.021 and
  0.051 for 0.028, C2ST within noise;
- smoothed records that know what levels tell, where groups of rows are twice as many as features
  (patient-days): the score of validation rows does not gain;
- a covariance of the mixture shrunk towards independence by the rule of Ledoit and Wolf: on parts
  held out of heart-failure's training rows (six splits) S2R / R2R 0.944 in place of 0.959, C2ST
  0.558 and 0.551, excess 0.013 and 0.017; on 100 rows of it (four draws) S2R / R2R 0.955 in place
  of 0.977, excess 0.052 and 0.070; on 50 rows, by half of what the rule says, 0.917 in place of
  0.964 and 0.120 in place of 0.135;
- rows alone where they are fewer than five times as many as features, on tables mostly of levels
  (1,000 records, three or four draws): membership excess 0.280 in place of 0.075 on 50 rows of
  adult, 0.225 and 0.033 on 60 of shoppers, 0.220 and 0.135 on 50 of heart-failure, 0.330 and 0.118
  on 45 of hypothyroid, 0.134 and 0.106 on 60 of heart-4centers; C2ST 0.931 and 0.941, 0.946 and
  0.902, 0.780 and 0.771, 0.953 and 0.918, 0.892 and 0.914; S2R / R2R 0.962 and 0.927, 0.969 and
  1.000, 0.928 and 0.964, 0.911 and 0.840, 0.962 and 0.944;
- places drawn evenly within levels where rows are fewer than five times as many as features: on 60
  rows of shoppers (three draws) S2R / R2R 0.804 in place of 1.000 and C2ST 0.916 in place of 0.902,
  excess 0.022 and 0.033; on 50 rows of heart-failure (four) 0.885 in place of 0.964, 0.749 and
  0.771, 0.092 and 0.135; on 60 rows of breast_cancer 0.949 in place of 0.973, 0.878 and 0.875,
  0.057 and 0.058;
- the whole budget where smoothed records are imitated, in place of half: half as much time again,
  and C2ST 0.626 in place of 0.625 on breast_cancer, 0.574 and 0.569 on heart-failure, 0.569 and
  0.574 on pima, 0.562 and 0.566 on breast-cancer-ljubljana (means of three seeds);
- half the budget where they are not: C2ST 0.669 in place of 0.644 on heart-4centers;
- fewer components of that mixture, one for every hundred rows: C2ST 0.571 in place of 0.574 on
  heart-failure and 0.561 in place of 0.562 on breast-cancer-ljubljana;
- other things to imitate on heart-failure (S2R / R2R 0.967 by default, means of nine splits of its
  training rows): half of the steps on rows, 0.968, C2ST 0.570 in place of 0.584, and corr 0.045 in
  place of 0.037; no step on rows, 0.968; twice the smoothed steps before the first rollout, 0.967;
  one component, 0.966. Smoothed records alone have 0.967 to 0.976 there; with marginals of their
  own for each class 0.936 to 0.968, with labels by a forest, a logistic regression or both 0.919 to
  0.968, of mixtures with a covariance for each component, of several mixtures or of a kernel around
  every row 0.968 to 0.978, the latter with a membership excess of 0.20 in place of 0.04;
- no step on rows of at most 400 and fewer on more of them (`imitation.smooth` 20 * rows^-0.5 within
  [0, 1]), parts held out of training rows, three draws, differences with their standard errors: on
  breast_cancer (six splits) DOMIAS 0.514 in place of 0.519 (-0.005 ± 0.003) and, from other
  training rows (three), 0.517 in place of 0.528 (-0.011 ± 0.003), excess 0.001 in place of 0.006,
  C2ST 0.617 and 0.621, with two components besides DOMIAS 0.513, C2ST 0.624 and corr 0.051; on pima
  (six) S2R / R2R 0.996 in place of 0.991 (0.004 ± 0.001) and corr 0.029 in place of 0.032; on
  breast-cancer-ljubljana (four) DOMIAS 0.538 in place of 0.553; but on heart-failure (nine)
  S2R / R2R 0.966 in place of 0.983 (-0.017 ± 0.007) and excess 0.066 in place of 0.058;
- no step on rows from 280 rows on (`imitation.smooth` 0.06 * rows^0.5 within [0.9, 1]), two draws
  on parts held out of training rows: privacy for utility. Membership excess and DOMIAS from other
  training rows are 0.027 and 0.526 in place of 0.033 and 0.536 on heart-4centers (eight splits;
  S2R / R2R 0.985 in place of 0.987, C2ST 0.581 and 0.578), -0.002 and 0.522 in place of 0.005 and
  0.531 on hypothyroid (two; 0.943 and 0.958, 0.616 and 0.596), 0.022 and 0.540 in place of 0.027
  and 0.555 on 800 rows of adult (three; 0.963 and 0.979, 0.631 and 0.610);
- a covariance of the mixture shrunk towards its diagonal by a tenth and by a fifth, tables drawn
  from the mixture itself (breast_cancer, three splits of its training rows, two draws): DOMIAS
  from other training rows 0.544 and 0.536 in place of 0.547, corr 0.052 and 0.061 in place of
  0.047, C2ST 0.602 and 0.644 in place of 0.602; one component 0.547, corr 0.054. What gives rows
  away is the covariance that corr asks for; the policy, which learns from the mixture, has 0.528;
- the column to predict drawn more sharply, its logits times 1.25, 1.5 and 2 at an unchanged share,
  on heart-failure (three splits of its training rows, three draws): S2R / R2R 0.987, 0.990 and
  0.986 in place of 0.987, excess higher by 0.003 to 0.007; the column of
  held-out rows gets less likely by any of it;
- more steps on rows, a quarter before the first rollout and half later, with the whole row shown to
  the column to predict, more of it hidden from the others and fewer components: S2R / R2R 0.977 in
  place of 0.968 and membership excess 0.034 in place of 0.041 on fifteen splits of heart-failure's
  training rows, 0.996 (0.995) and 0.015 (0.013) on pima, but excess 0.031 in place of 0.025 on
  breast-cancer-ljubljana, and, with two fifths throughout, C2ST 0.65 for 0.63 and corr 0.060
  for 0.050 on breast_cancer; with less hidden in place of more, rows are copied (excess
  0.045 to 0.089);
- the same where a forest of rows tells the column to predict better than the mixture, judged on
  training rows that both were fitted without (nearly every split of heart-failure and
  breast-cancer-ljubljana, hardly one of pima and breast_cancer): half of the later steps on rows,
  which hide nothing from that column, and half of what smoothed records say of it the forest's. On
  parts held out of training rows S2R / R2R gains 0.008 on heart-failure and 0.014 on
  breast-cancer-ljubljana (12 splits, standard errors 0.005 and 0.009), 0.026 and 0.009 on 400 rows
  of adult and of shoppers, -0.005 and 0.004 on 200 (two or three draws each), where C2ST changes by
  -0.014, -0.021, 0.002 and -0.006 and membership excess by 0.006, 0.003, -0.002 and 0.006; on ten
  splits' held-out rows of heart-failure S2R / R2R is 0.975 for 0.972 (0.994 for 0.985 from all of
  1,000 rows), C2ST 0.586 either way and excess 0.033 for 0.032. Half of what the forest seems to
  know better is the mixture being asked at places drawn evenly within levels. Without the rows the
  forest gains nothing; with a quarter of the first steps on rows besides, excess rises by up to
  0.015. It is bought with privacy, as all that rows teach (all of this was before the mixture saw
  levels in an order of their own);
- other shares of smoothed records on 400 rows of two tables of levels whose correlations they miss
  by as much as chance, 0.9, 0.7, 0.5 and 0.3 (two draws each, judged on other training rows): C2ST
  0.80, 0.79, 0.75 and 0.74 on adult, 0.77, 0.75, 0.75 and 0.73 on shoppers, S2R / R2R 0.97, 0.97,
  0.97, 0.98 and 0.98, 0.99, 0.97, 0.98, and membership excess 0.005, 0.009, 0.030, 0.050 and 0.016,
  0.030, 0.037, 0.061. On 800 rows, where they miss 1.4 to 2.2 times chance, all, the share of the
  rule and none: C2ST 0.70, 0.66 and 0.63 with excess 0.016, 0.031 and 0.054 on adult, 0.66, 0.65
  and 0.67 with 0.019, 0.028 and 0.050 on shoppers;
- where validation rows are kept, a share of smoothed records by how much they miss, as without
  them, in place of one that these rows decide on: on 2,000 rows of adult (one draw) C2ST 0.60 in
  place of 0.58 and 0.59 with real rows alone, two runs; smoothed steps among the real ones of a
  warm-up that ends where validation rows get no likelier: on hypothyroid (one split) 0.603 in place
  of 0.593;
- components of that mixture with a covariance for each, where held-out rows are likelier: on
  breast_cancer no figure changes by more than seeds do, on 300 rows of numbers that depend on
  each other in curves C2ST 0.86 in place of 0.89;
- rows drawn by quasi-random numbers: C2ST falls from 0.568 to 0.504 on heart-failure, but rows that
  balance each other are not the independent sample that the folds of its classifier take them for.
  The best balanced of 128 draws of every feature, against those before it, has a corr of 0.049 in
  place of 0.069 there and of 0.051 in place of 0.072 on breast-cancer-ljubljana (three splits of
  training rows, six tables each), as more rows have, too; S2R / R2R stays at 0.975 on the one and
  is 1.097 in place of 1.067 on the other;
- a weight from every bin of one feature of a constraint to every logit of another: it is learnt
  too slowly to matter, and breaches stay as they were.
"""


@dataclass(frozen=True)
class Variant(Peer):
    """A peer with options of its own, which count in its hash."""

    def hash(self) -> str:
        """Return the hash of the peer it varies and, after a hyphen, that of its options."""
        return f"{super().hash()}-{hashlib.sha256(repr(self.options).encode()).hexdigest()[:8]}"


def variant_of(peer: Peer, name: str, options: Sequence[str]) -> Variant:
    """Return ``peer`` under another name, with further options of its command."""
    given = {field.name: getattr(peer, field.name) for field in fields(Peer)}
    return Variant(**{**given, "name": name, "options": (*peer.options, *options)})


def choose_variants(peer: Peer, names: Sequence[str] | None) -> list[Variant]:
    """Return the named variants, or all.

    Raises:
        ConfigError: a name is unknown.
    """
    for name in names or ():
        if name not in VARIANTS:
            raise ConfigError(f"no variant {name!r}; variants are {', '.join(VARIANTS)}")
    return [variant_of(peer, name, VARIANTS[name][1]) for name in dict.fromkeys(names or VARIANTS)]


def default_tables(names: list[str] | None, data_dir: Path | None) -> list[FieldTable]:
    """Return the named tables, or those of :data:`DEFAULT_TABLES` that are there."""
    chosen = choose_tables(names, data_dir)
    return chosen if names else [table for table in chosen if table.name in DEFAULT_TABLES]


def page(records: Sequence[Record], current: str) -> str:
    """Return the Markdown page.

    Args:
        records: the results.
        current: hash of the generator as it is now.

    Raises:
        TableError: there are no results.
    """
    if not records:
        raise TableError("there are no results of the ablation yet")
    last = latest(records).values()
    earlier = sum(record["hash"].partition("-")[0] != current for record in last)
    introduction = INTRODUCTION
    if earlier:
        introduction += (
            f"\n{earlier} of {len(last)} results are of earlier sources of the project; what has "
            "changed since is in [CHANGELOG.md](../CHANGELOG.md).\n"
        )
    parts = [_table(table, found) for table, found in entries(records, list(FIELD_TABLES)).items()]
    return to_markdown([*parts, failures_section(records), _variants()], introduction)


def _table(table: str, found: Mapping[str, Entry]) -> Section:
    rows = [["variant", "seeds", *FIGURES.values(), "CPU s"]]
    order = [*(name for name in VARIANTS if name in found), *(set(found) - set(VARIANTS))]
    for name in order:
        entry = found[name]
        figures = [spread_text(entry.figure(figure)) for figure in FIGURES]
        rows.append([name, str(len(entry.ok)), *figures, spread_text(entry.cost("cpu_seconds"), 0)])
    judged = next((entry for entry in found.values() if entry.ok), None)
    if judged is None:
        return Section(table, "", rows)
    for title, reference in (("real rows", "real"), ("independent marginals", "independent")):
        values = [spread_text(judged.reference(figure, reference)) for figure in FIGURES]
        rows.append([f"*{title}*", "", *values, ""])
    size = judged.ok[0]["rows"]
    return Section(table, f"{size['train']:,} training and {size['test']:,} held-out rows.", rows)


def _variants() -> Section:
    rows = [["variant", "what is changed", "options"]]
    rows += [
        [name, text, f"`{' '.join(options)}`" if options else ""]
        for name, (text, options) in VARIANTS.items()
    ]
    return Section("Variants", "", rows)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ablation", description=(__doc__ or "").splitlines()[0]
    )
    add_matrix_options(parser, work=PROJECT / ".field" / "ablation")
    add_again_options(parser)
    parser.add_argument("--variants", nargs="+", metavar="NAME", help="variants (all)")
    parser.add_argument("--list", action="store_true", help="show variants and their options")
    parser.set_defaults(python=Path(sys.executable))
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Run the cells that are left and write the page."""
    if arguments.list:
        for name, (text, options) in VARIANTS.items():
            print(f"{name:20} {text}: {' '.join(options) or 'no options'}")
        return 0
    folder = (arguments.results or RESULTS).resolve()
    results = ResultsFile(folder / "ablation.jsonl")
    variants = choose_variants(load_peers()[BASE], arguments.variants)
    tables = default_tables(arguments.tables, arguments.data_dir)
    if not arguments.table_only:
        Matrix(variants, tables, arguments.seeds, results, settings_of(arguments)).run()
    docs = PROJECT / "docs" if arguments.results is None else folder
    write_text(docs / "ablation.md", page(results.read(), load_peers()[BASE].hash()))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    return guarded(run, build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
