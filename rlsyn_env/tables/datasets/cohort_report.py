"""What building a cohort did: rows lost to each rule, and remarks."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class DroppedRows:
    """One rule of a cohort.

    Attributes:
        rule: why rows were dropped, in words.
        dropped: rows it dropped, of those that earlier rules had left.
        left: rows after it.
    """

    rule: str
    dropped: int
    left: int


@dataclass
class CohortReport:
    """Rows dropped by each rule, in the order the rules were applied; print it.

    Attributes:
        unit: what a row is (``"patients"``, ``"patient-days"``).
        start: rows before the first rule.
        rules: one entry per rule, also those that dropped nothing.
        notes: other things worth knowing (codes that were in no map), a line each.
    """

    unit: str
    start: int
    rules: list[DroppedRows] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Rows after the last rule."""
        return self.rules[-1].left if self.rules else self.start

    def drop(self, rule: str, dropped: int) -> None:
        """Record that ``rule`` dropped ``dropped`` of the rows left so far."""
        self.rules.append(DroppedRows(rule, int(dropped), self.left - int(dropped)))

    def dropped_by(self, rule: str) -> int:
        """Rows that ``rule`` dropped; KeyError for a rule that was not applied."""
        return {entry.rule: entry.dropped for entry in self.rules}[rule]

    def __str__(self) -> str:
        """Return a small table, one rule a line."""
        lines = [f"{self.start:>10,}  {self.unit} at the start"]
        lines += [f"{-entry.dropped:>10,}  {entry.rule}" for entry in self.rules]
        lines.append(f"{self.left:>10,}  {self.unit} left")
        return "\n".join(lines + [f"{'':>10}  {note}" for note in self.notes])
