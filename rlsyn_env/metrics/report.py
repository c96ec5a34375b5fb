"""What an evaluation found: figures with intervals beside what real rows and copies would score."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from rlsyn_env.errors import TableError
from rlsyn_env.files import write_text
from rlsyn_env.metrics.verdict import interval, number, verdict_lines

SCHEMA_VERSION = 1
REFERENCES = ("real", "independent", "copy")
FAMILIES = ("fidelity", "utility", "privacy", "overfitting check")


@dataclass(frozen=True)
class Metric:
    """One figure.

    Attributes:
        family: one of ``FAMILIES``.
        value: the figure of the synthetic table; None where it is not defined (see ``note``).
        low: lower end of the 95 % bootstrap interval, or None.
        high: upper end, or None.
        ideal: the value a perfect generator would reach, or None.
        direction: "lower", "higher", "nearest to 0.5", "nearest to 1" or "nearest to real rows".
        reference: the same figure for "real" rows, "independent" marginals and a "copy" of the
            training rows, computed the same way on the same split.
        description: one plain sentence: what the figure means.
        note: what was odd about it, empty if nothing was.
        extra: further figures by name, such as scores of single models.
    """

    family: str
    value: float | None
    low: float | None
    high: float | None
    ideal: float | None
    direction: str
    reference: Mapping[str, float | None]
    description: str
    note: str = ""
    extra: Mapping[str, float | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("value", "low", "high", "ideal"):
            object.__setattr__(self, name, finite(getattr(self, name)))
        object.__setattr__(self, "reference", {k: finite(v) for k, v in self.reference.items()})
        object.__setattr__(self, "extra", {k: finite(v) for k, v in self.extra.items()})


def finite(value: float | None) -> float | None:
    """Return ``value`` as a Python float, or None where it is missing, NaN or infinite."""
    if value is None or not math.isfinite(value):
        return None
    return float(value)


def by_family(metrics: Mapping[str, Metric]) -> dict[str, Metric]:
    """Return the metrics sorted by family, in their order otherwise."""
    return {
        name: metric
        for family in FAMILIES
        for name, metric in metrics.items()
        if metric.family == family
    }


@dataclass(frozen=True)
class Report:
    """Everything an evaluation found; prints as a table.

    Attributes:
        metrics: figures by their stable name.
        rows: number of "train", "test" and "synthetic" rows.
        notices: what a reader has to know about the figures (columns left out, subsamples, ...).
        settings: seed, target, group and the like.
        details: per-column and per-pair figures, the worst first.
    """

    metrics: Mapping[str, Metric]
    rows: Mapping[str, int]
    notices: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the report in plain types: what :meth:`save` writes."""
        return {
            "schema_version": SCHEMA_VERSION,
            "metrics": {name: asdict(metric) for name, metric in self.metrics.items()},
            "rows": dict(self.rows),
            "notices": list(self.notices),
            "settings": dict(self.settings),
            "details": dict(self.details),
            "verdict": self.verdict(),
        }

    def to_json(self) -> str:
        """Return strict JSON: undefined figures are null, never NaN."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`to_json` to ``path``, atomically."""
        write_text(path, self.to_json())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Report:
        """Read a report back.

        Raises:
            TableError: the file is not a report of this schema version.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
            version = data["schema_version"]
            if version != SCHEMA_VERSION:
                raise TableError(
                    f"{path}: a report of schema version {version}; this program reads version "
                    f"{SCHEMA_VERSION}"
                )
            metrics = {name: Metric(**values) for name, values in data["metrics"].items()}
            return cls(
                metrics, data["rows"], tuple(data["notices"]), data["settings"], data["details"]
            )
        except OSError as error:
            raise TableError(f"{path}: cannot be read ({error.strerror})") from error
        except (
            json.JSONDecodeError,
            UnicodeDecodeError,
            KeyError,
            TypeError,
            AttributeError,
        ) as error:
            raise TableError(f"{path}: not a metrics report ({error})") from error

    def verdict(self) -> dict[str, str]:
        """Return one line per family: what was tried and what it found, no seal of approval."""
        return verdict_lines(self.metrics)

    def table(self) -> Table:
        """Return the figures as a rich table."""
        table = Table(title="Held-out evaluation", caption=self._caption(), caption_justify="left")
        table.add_column("metric", no_wrap=True)
        headings = ("value", "95 % interval", *REFERENCE_HEADINGS.values(), "ideal")
        for heading in headings:
            table.add_column(heading, justify="right")
        family = ""
        for name, row in self._cells():
            if family and self.metrics[name].family != family:
                table.add_section()
            family = self.metrics[name].family
            table.add_row(name, *row)
        return table

    def text(self, width: int = 110) -> str:
        """Return table, verdict and notices as plain text without colours."""
        console = Console(width=width, color_system=None, force_terminal=False)
        with console.capture() as capture:
            console.print(self.table())
            for line in self.verdict().values():
                console.print(line, markup=False, highlight=False)
            for notice in self.notices:
                console.print(f"Note: {notice}", markup=False, highlight=False)
        return capture.get()

    def __str__(self) -> str:
        return self.text()

    def _caption(self) -> str:
        rows = ", ".join(f"{count:,} {role}" for role, count in self.rows.items())
        return f"Rows: {rows}."

    def _cells(self) -> list[tuple[str, list[str]]]:
        cells = []
        for name, metric in self.metrics.items():
            references = [number(metric.reference.get(key)) for key in REFERENCES]
            row = [number(metric.value), interval(metric), *references, number(metric.ideal)]
            cells.append((name, row))
        return cells


REFERENCE_HEADINGS = {"real": "real rows", "independent": "independent", "copy": "copy of train"}
