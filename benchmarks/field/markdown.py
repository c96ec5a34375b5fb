"""The results as Markdown: overall ranks, a table per data table, failures, versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.field.peer_folders import Peer
from benchmarks.field.results import Record, latest
from benchmarks.field.summary import (
    ATTACKS,
    COSTS,
    FIGURES,
    Entry,
    Ranks,
    Spread,
    dominated_by,
    failures,
    mean_ranks,
    table_ranks,
)

NOTES = Path(__file__).with_name("notes.md")
_DIGITS = {"exact_copies": 3, "cpu_seconds": 0, "wall_seconds": 0, "peak_mb": 0}


@dataclass(frozen=True)
class Section:
    """A heading, what to know, and a table of texts (the first row is its head)."""

    heading: str
    text: str
    rows: list[list[str]]


def sections(
    found: Mapping[str, Mapping[str, Entry]], records: Sequence[Record], peers: Mapping[str, Peer]
) -> list[Section]:
    """Return everything that is shown, for Markdown and HTML alike."""
    unranked = {name for name, peer in peers.items() if peer.reference}
    ranks = {table: table_ranks(entries, unranked) for table, entries in found.items()}
    return [
        _overall(found, ranks),
        *(_table(table, entries, ranks[table], unranked) for table, entries in found.items()),
        failures_section(records),
        Section("Notes", NOTES.read_text(encoding="utf-8").strip(), []),
        _generators(records, peers),
    ]


def to_markdown(parts: Sequence[Section], introduction: str) -> str:
    """Return one Markdown page."""
    lines = [introduction]
    for part in parts:
        lines += [f"## {part.heading}", ""]
        if part.text:
            lines += [part.text, ""]
        if part.rows:
            head, *body = part.rows
            lines.append("| " + " | ".join(head) + " |")
            lines.append("|" + "---|" * len(head))
            lines += ["| " + " | ".join(_cell(text) for text in row) + " |" for row in body]
            lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def spread_text(spread: Spread, digits: int = 3) -> str:
    """Write mean and standard deviation; a dash without a value."""
    if not spread.n or not np.isfinite(spread.mean):
        return "-"
    mean = f"{spread.mean:.{digits}f}"
    return mean if spread.n < 2 else f"{mean} ± {spread.sd:.{digits}f}"


def _overall(
    found: Mapping[str, Mapping[str, Entry]], ranks: Mapping[str, Mapping[str, Ranks]]
) -> Section:
    head = ["generator", "mean rank", "fidelity", "utility", "privacy", "tables", *found]
    rows = [head]
    for name, (mean, n_tables) in mean_ranks(ranks).items():
        own = [f"{ranks[t][name].mean:.1f}" if name in ranks[t] else "-" for t in found]
        values = [mean.mean, mean.fidelity, mean.utility, mean.privacy]
        rows.append([name, *(f"{value:.2f}" for value in values), f"{n_tables}", *own])
    text = (
        "Per table the generators are ranked three times, by means over seeds: by held-out C2ST "
        "(below 0.5 counts as 0.5), by S2R / R2R, and by membership AUC above that of independent "
        "marginals on the same split (below 0 counts as 0). Ties share their mean rank, a "
        "generator with a failed seed comes last. The mean of the three is averaged over tables "
        "with equal weights; 1 is the best. Independent marginals and the copy of the training "
        "rows are shown below but not ranked."
    )
    return Section("Mean ranks", text, rows)


def _table(
    table: str, entries: Mapping[str, Entry], ranks: Mapping[str, Ranks], unranked: set[str]
) -> Section:
    head = ["generator", "mean rank", "seeds", *FIGURES.values()]
    head += [*ATTACKS.values(), *COSTS.values(), "dominated by"]
    rows = [head]
    order = sorted(
        entries, key=lambda name: (name in unranked, ranks[name].mean if name in ranks else 0, name)
    )
    for name in order:
        entry = entries[name]
        rank = f"{ranks[name].mean:.1f}" if name in ranks else "not ranked"
        figures = [spread_text(entry.figure(f), _DIGITS.get(f, 3)) for f in FIGURES]
        costs = [spread_text(entry.cost(c), _DIGITS[c]) for c in COSTS]
        holds = [_of(*entry.holds_half(name)) for name in ATTACKS]
        beaten = ", ".join(dominated_by(entries, name, unranked)) if name in ranks else ""
        seeds = str(len(entry.ok))
        rows.append([name, rank, seeds, *figures, *holds, *costs, beaten or "-"])
    first = next((entry for entry in entries.values() if entry.ok), None)
    text = ""
    if first is not None:
        for title, reference in (
            ("real rows in the place of the synthetic ones", "real"),
            ("independent marginals", "independent"),
        ):
            values = [spread_text(first.reference(f, reference)) for f in FIGURES]
            blanks = [""] * (len(ATTACKS) + len(COSTS) + 1)
            rows.append([f"*{title}*", "", "", *values, *blanks])
        sizes = {(r["rows"]["train"], r["rows"]["test"]) for e in entries.values() for r in e.ok}
        train, test = sorted(sizes)[0]
        text = f"{train:,} training and {test:,} held-out rows."
    return Section(table, text, rows)


def _of(some: int, of_all: int) -> str:
    return f"{some} of {of_all}" if of_all else "-"


def failures_section(records: Sequence[Record]) -> Section:
    """Return the cells that gave no figures, with their reasons."""
    found = failures(records)
    if not found:
        return Section("Failures", "None.", [])
    rows = [["generator", "table", "seed", "status", "reason"]]
    rows += [
        [cell.peer, cell.table, str(cell.seed), status, reason] for cell, status, reason in found
    ]
    return Section("Failures", "", rows)


def _generators(records: Sequence[Record], peers: Mapping[str, Peer]) -> Section:
    rows = [["generator", "what it is", "settings", "licence", "versions"]]
    versions: dict[str, str] = {}
    for record in records:
        if "python" in record:
            shown = [f"{name} {version}" for name, version in record["packages"].items()]
            versions[record["peer"]] = ", ".join([f"Python {record['python']}", *shown])
    shown_peers = {cell.peer for cell in latest(records)}
    for name in sorted(shown_peers):
        peer = peers.get(name)
        if peer is None:
            rows.append([name, "no longer part of the field", "", "", versions.get(name, "-")])
        else:
            rows.append(
                [name, peer.description, peer.settings, peer.licence, versions.get(name, "-")]
            )
    threads = sorted({record["threads"] for record in records if "threads" in record})
    text = (
        "Each ran in a virtual environment of its own with "
        f"{' or '.join(map(str, threads)) or '1'} thread(s). Everything that was installed is "
        "listed under `benchmarks/results/environments/`."
    )
    return Section("Generators and versions", text, rows)
