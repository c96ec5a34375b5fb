"""Learning curves: what generators make of 50, 100, 200, 400 and all training rows.

    python -m benchmarks.learning_curves --data-dir DIR --seeds 0 1 2 3 4 --jobs 2
    python -m benchmarks.learning_curves --data-dir DIR --tables adult shoppers --rows 200 400 800
    python -m benchmarks.learning_curves --peers rlsyn arf --rows 50 all --tables breast_cancer
    python -m benchmarks.learning_curves --table-only    # docs/learning-curves.md, its figure

Generators, their environments and the judge are those of the field (benchmarks/field/README.md).
The training rows of a size are a stratified part of those of the split, the smaller within the
larger; everyone is judged on all held-out rows of the split. Sizes that a table does not have are
left out. Finished cells are skipped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib import pyplot as plt

from benchmarks.ablation import DEFAULT_TABLES, default_tables
from benchmarks.field.cli import (
    RESULTS,
    add_again_options,
    add_matrix_options,
    guarded,
    settings_of,
)
from benchmarks.field.markdown import Section, failures_section, spread_text, to_markdown
from benchmarks.field.matrix import Matrix
from benchmarks.field.pareto import COLOURS, MARKERS, save
from benchmarks.field.peer_folders import PROJECT, choose_peers, load_peers
from benchmarks.field.results import Record, ResultsFile
from benchmarks.field.summary import Entry, entries
from benchmarks.field.tables import FIELD_TABLES, FieldTable, prepare
from rlsyn_env.errors import TableError
from rlsyn_env.files import write_text

PEERS = ("rlsyn", "ctgan", "cart_seeded", "arf", "ddpm")
SIZES: tuple[int | None, ...] = (50, 100, 200, 400, None)
FIGURES = {
    "c2st": "held-out C2ST",
    "s2r_over_r2r": "S2R / R2R",
    "membership_excess": "membership excess",
}
FURTHER = {"s2r": "S2R", "r2r": "R2R", "corr": "corr"}
IDEALS = {"c2st": 0.5, "s2r_over_r2r": 1.0, "membership_excess": 0.0}
_LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))

INTRODUCTION = """\
# Learning curves: how many training rows a generator needs

Made by

{commands}

and rewritten from `benchmarks/results/learning_curves.jsonl` by `python -m
benchmarks.learning_curves --table-only`. The training rows of a size are a stratified part of those
of the split, each size within the next; all sizes of a seed are judged on the same held-out rows by
the field's judge ([benchmarks/field](../benchmarks/field/README.md)), which also says how the
generators are run. Figures are means over seeds with their standard deviation.

A generator writes as many rows as it was given. So a C2ST at 50 rows compares 50 rows with 50, and
is a weaker test than one at 400; compare generators at the same size, not sizes with each other.
S2R / R2R divides by what models learn from the same real training rows, so S2R and R2R themselves
stand in the table: S2R says what the synthetic rows are worth.
"""


def sized_tables(
    tables: Sequence[FieldTable], sizes: Sequence[int | None], data_dir: Path | None
) -> list[FieldTable]:
    """Return every table at every size below its number of training rows, and at all of them."""
    sized = []
    for table in tables:
        n = len(prepare(table, data_dir).split(0)[0])
        sized += [table.at(rows) for rows in sizes if rows is None or rows < n]
    return sized


def by_size(records: Sequence[Record]) -> dict[str, dict[int, dict[str, Entry]]]:
    """Return the last results by table, by number of training rows, and by generator.

    Cells that failed take part where another cell of their size says how many rows it has.
    """
    found: dict[str, dict[int, dict[str, Entry]]] = {}
    sizes = {record["table"]: record["rows"]["train"] for record in records if "rows" in record}
    for name, peers in entries(records).items():
        if name in sizes:
            found.setdefault(name.rpartition("@")[0], {})[sizes[name]] = peers
    order = [
        *(name for name in FIELD_TABLES if name in found),
        *sorted(set(found) - {*FIELD_TABLES}),
    ]
    return {table: dict(sorted(found[table].items())) for table in order}


def write_pages(records: Sequence[Record], markdown: Path, figure: Path) -> None:
    """Write the page and its figure.

    Raises:
        TableError: there are no results.
    """
    curves = by_size(records)
    if not curves:
        raise TableError("there are no results of the learning curves yet")
    draw(curves, figure)
    link = figure.relative_to(markdown.parent).as_posix()
    picture = f"\n![C2ST, S2R / R2R and membership excess against training rows]({link})\n"
    parts = [_table(table, sizes) for table, sizes in curves.items()]
    introduction = INTRODUCTION.format(commands="\n".join(_commands(records))) + picture
    write_text(markdown, to_markdown([*parts, failures_section(records)], introduction))


def _commands(records: Sequence[Record]) -> list[str]:
    """Return the command of the default tables, and one that names the others and their sizes."""
    sizes: dict[str, list[str]] = {}
    seeds: dict[bool, set[int]] = {}
    for record in records:
        table, _, rows = record["table"].rpartition("@")
        if table not in DEFAULT_TABLES:
            sizes.setdefault(table, []).append(rows)
        seeds.setdefault(table in DEFAULT_TABLES, set()).add(int(record["seed"]))
    commands = []
    for default, found in sorted(seeds.items(), reverse=True):
        command = "    python -m benchmarks.learning_curves --data-dir DIR"
        if not default:
            rows = sorted({n for of_table in sizes.values() for n in of_table}, key=_size_key)
            command += f" --tables {' '.join(sorted(sizes))} --rows {' '.join(rows)}"
        commands.append(f"{command} --seeds {' '.join(map(str, sorted(found)))}")
    return commands


def _size_key(rows: str) -> float:
    return float(rows) if rows.isdecimal() else float("inf")


def _table(table: str, sizes: Mapping[int, Mapping[str, Entry]]) -> Section:
    titles = {**FIGURES, **FURTHER}
    rows = [["training rows", "generator", "seeds", *titles.values(), "CPU s"]]
    for size, found in sizes.items():
        for name in ordered(found):
            entry = found[name]
            figures = [spread_text(entry.figure(figure)) for figure in titles]
            seconds = spread_text(entry.cost("cpu_seconds"), 0)
            rows.append([f"{size:,}", name, str(len(entry.ok)), *figures, seconds])
    return Section(table, "", rows)


def ordered(names: Mapping[str, object]) -> list[str]:
    """Return the generators in the order in which they are shown: the usual ones first."""
    return [*(name for name in PEERS if name in names), *sorted(set(names) - {*PEERS})]


def draw(curves: Mapping[str, Mapping[int, Mapping[str, Entry]]], path: Path) -> None:
    """Write the figure: a row of plots per table, a line per generator, bars of one deviation.

    Marker, line and shade tell generators apart in a grey print too.

    Args:
        curves: of :func:`by_size`.
        path: file; its suffix says the format (SVG or PNG).
    """
    names = ordered({name: None for sizes in curves.values() for e in sizes.values() for name in e})
    height = 2.6 * len(curves) + 0.6
    figure, axes = plt.subplots(
        len(curves), len(FIGURES), figsize=(3.5 * len(FIGURES), height), squeeze=False
    )
    for row, (table, sizes) in zip(axes, curves.items(), strict=True):
        for axis, (key, title) in zip(row, FIGURES.items(), strict=True):
            for k, name in enumerate(names):
                _line(axis, sizes, name, key, k)
            axis.axhline(IDEALS[key], color="0.7", linewidth=0.8, zorder=0)
            axis.set_xscale("log")
            axis.set_xticks(list(sizes), _tick_labels(list(sizes)))
            axis.minorticks_off()
            axis.tick_params(labelsize=8)
            axis.set_ylabel(title, fontsize=9)
            axis.set_title(table, fontsize=10)
            axis.set_xlabel("training rows", fontsize=9)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=5, fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0.4 / height, 1, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    save(figure, path)


def _tick_labels(sizes: Sequence[int]) -> list[str]:
    """Return the labels of ascending sizes; none where the next one would cover it."""
    following = [*sizes[1:], float("inf")]
    return [f"{n:,}" if after > 1.2 * n else "" for n, after in zip(sizes, following, strict=True)]


def _line(
    axis: plt.Axes, sizes: Mapping[int, Mapping[str, Entry]], name: str, key: str, k: int
) -> None:
    spreads = {size: e[name].figure(key) for size, e in sizes.items() if name in e}
    shown = {size: spread for size, spread in spreads.items() if spread.n}
    shift = 1 + 0.015 * (k - 2)  # bars that would hide one another stand side by side
    axis.errorbar(
        [size * shift for size in shown],
        [spread.mean for spread in shown.values()],
        yerr=[spread.sd if spread.n > 1 else 0.0 for spread in shown.values()],
        marker=MARKERS[k % len(MARKERS)],
        color="black" if k == 0 else COLOURS[k % len(COLOURS)],
        linestyle=_LINES[k % len(_LINES)],
        linewidth=1.8 if k == 0 else 1.0,
        markersize=4,
        elinewidth=0.7,
        capsize=2,
        label=name,
    )


def size_of(text: str) -> int | None:
    """Return the number of rows that an argument names; None for ``all``."""
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 10:
        raise argparse.ArgumentTypeError(f"{text!r} is neither 'all' nor a number from 10 on")
    return int(text)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.learning_curves", description=(__doc__ or "").splitlines()[0]
    )
    add_matrix_options(parser, work=PROJECT / ".field")
    add_again_options(parser)
    add = parser.add_argument
    add("--peers", nargs="+", metavar="NAME", default=list(PEERS), help=f"({' '.join(PEERS)})")
    add("--rows", nargs="+", type=size_of, metavar="N", default=list(SIZES),
        help="training rows, or all (50 100 200 400 all)")  # fmt: skip
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Run the cells that are left, write page and figure."""
    folder = (arguments.results or RESULTS).resolve()
    results = ResultsFile(folder / "learning_curves.jsonl")
    peers = choose_peers(load_peers(), arguments.peers, heavy=True)
    tables = default_tables(arguments.tables, arguments.data_dir)
    if not arguments.table_only:
        sized = sized_tables(tables, arguments.rows, arguments.data_dir)
        Matrix(peers, sized, arguments.seeds, results, settings_of(arguments)).run()
    docs = PROJECT / "docs" if arguments.results is None else folder
    write_pages(
        results.read(), docs / "learning-curves.md", docs / "images" / "learning_curves.svg"
    )
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    return guarded(run, build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
