"""Everything that is made of the results: Markdown, HTML and the Pareto plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.field import pareto
from benchmarks.field.html import to_html
from benchmarks.field.markdown import sections, to_markdown
from benchmarks.field.peer_folders import Peer
from benchmarks.field.results import Record
from benchmarks.field.summary import entries
from benchmarks.field.tables import FIELD_TABLES
from rlsyn_env.errors import TableError
from rlsyn_env.files import write_text

COPY = "train_copy"
INTRODUCTION = """\
# The field: generators on the same rows

Made by

    python -m benchmarks.field --data-dir DIR

and rewritten from `benchmarks/results/field.jsonl` by `python -m benchmarks.field --table-only`.
How it works and how to add a generator: `benchmarks/field/README.md`.

Seed i is the split `train_test_split(test_size=0.3, random_state=i, stratify=target)`. Every
generator got all training rows and wrote as many; everyone was judged from that CSV file by the
same code on the same held-out rows. Figures are means over seeds with their standard deviation.
C2ST is the AUC of a random forest that tells synthetic from held-out rows (0.5 cannot), once on
one-hot levels and once on plain numeric codes; S2R / R2R is the share of predictive value that
models keep when trained on synthetic rows (mean of logistic and forest; for a continuous target
R2); corr is the mean absolute difference of the correlation matrix from the training rows' (codes);
pair trends and column shapes are distances from held-out rows; membership AUC is a
nearest-record attack, its excess is that above independent marginals on the same split; DOMIAS is
a density attack by someone who has half of the test rows too, that of training folds by someone who
has other training rows (see independent marginals beside it: no split is exactly fair). None of
them is a guarantee of privacy. Seconds and memory (largest process) are the operating system's;
wall time depends on what else the machine did.

The plot has a point per generator, with standard deviations over seeds; rings mark those that none
beats in both coordinates. Better is further down and to the left. A copy of the training rows is
left out: it lies at a C2ST of about 0.5 and a membership AUC of 1.

"""


def write_pages(
    records: Sequence[Record], peers: Mapping[str, Peer], folder: Path, markdown: Path
) -> None:
    """Write ``pareto.svg`` and ``field.html`` into ``folder``, and the Markdown page.

    Raises:
        TableError: there are no results.
    """
    if not records:
        raise TableError(f"{folder / 'field.jsonl'} holds no results yet")
    found = entries(records, list(FIELD_TABLES))
    plot = folder / "pareto.svg"
    pareto.draw(found, plot, without=[COPY])
    parts = sections(found, records, peers)
    link = plot.relative_to(markdown.parent) if plot.is_relative_to(markdown.parent) else plot
    picture = f"![Held-out C2ST against membership AUC, a plot per table]({link.as_posix()})\n\n"
    write_text(markdown, to_markdown(parts, INTRODUCTION + picture))
    svg = plot.read_text(encoding="utf-8")
    write_text(folder / "field.html", to_html(parts, INTRODUCTION, svg))
