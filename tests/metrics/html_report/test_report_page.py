"""What the page says, and that it says it in one file."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from rlsyn_env.errors import TableError
from rlsyn_env.metrics import Report
from rlsyn_env.metrics.html_report import write_html

VOID = {"meta", "link", "img", "br"}


class Page(HTMLParser):
    """Collects tags and text, and checks that tags are closed in order."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.attributes.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def parsed(page) -> Page:
    return Page(page.read_text(encoding="utf-8"))


def test_one_file_without_scripts_or_links_to_elsewhere(parsed, page):
    assert [path.name for path in page.parent.iterdir()] == ["report.html"]
    tags = [tag for tag, _ in parsed.attributes]
    assert "script" not in tags
    for _, attributes in parsed.attributes:
        for name in ("src", "href"):
            target = attributes.get(name)
            assert target is None or target.startswith(("data:", "#")), target
    anchors = {a["href"][1:] for t, a in parsed.attributes if t == "a"}
    assert anchors <= {a["id"] for _, a in parsed.attributes if "id" in a}


def test_every_image_is_whole_and_described(parsed):
    images = [attributes for tag, attributes in parsed.attributes if tag == "img"]
    # 9 columns, 3 heatmaps, 2 scatters, bars, ROC, distances, a curve (the empty one left out).
    assert len(images) == 9 + 3 + 2 + 1 + 1 + 1 + 1
    for image in images:
        assert len(image["alt"]) > 20
        kind, data = re.fullmatch(r"data:image/([a-z+]+);base64,(.+)", image["src"]).groups()
        content = base64.b64decode(data, validate=True)
        if kind == "png":
            assert content.startswith(b"\x89PNG")
        else:
            assert ElementTree.fromstring(content).tag.endswith("svg")


def test_says_what_has_to_be_said(parsed, report):
    text = " ".join(" ".join(parsed.words).split())
    for line in report.verdict().values():
        assert line in text
    for part in (
        "Threat model: the synthetic table is released, the model is not",
        "no formal guarantee",
        "One synthetic table is not real data",
        "90 train, 90 test, 90 synthetic",
        "evaluate.py runs/<name>",
        'dose $/kg <script>alert("x")</script> & "more"',
        "outside your limits",
        "within your limits",
        "training rows",  # small cells
        "numpy " + np.__version__,
    ):
        assert part in text, part
    for name, metric in report.metrics.items():
        assert name in text
        assert metric.description in text
    assert re.search(r"site = site \d+ of many sites: [1-4] training rows", text)
    verdict = " ".join(report.verdict().values()).lower()
    assert "private" not in verdict
    assert "safe" not in verdict


def test_worst_columns_come_first(parsed, report):
    alts = [a["alt"] for tag, a in parsed.attributes if tag == "img"][:9]
    worst = [row["column"] for row in report.details["column_shapes"]]
    for alt, name in zip(alts, worst, strict=True):
        assert f" of {name}" in alt


def test_the_model_released_and_a_guarantee(report, tables, schema, tmp_path):
    path = tmp_path / "report.html"
    write_html(
        report,
        *tables,
        path,
        schema=schema,
        released="table and model",
        guarantee="(1.0, 1e-6)-DP per patient, Gaussian mechanism",
    )
    text = path.read_text(encoding="utf-8")
    assert "and the model are released" in text
    assert "(1.0, 1e-6)-DP per patient" in text
    assert "There is no formal guarantee (no differential privacy)" not in text
    assert "No training run was given" in text


def test_other_tables_are_refused_and_an_older_file_stays(report, tables, schema, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("older", encoding="utf-8")
    with pytest.raises(TableError, match="report is of other tables"):
        write_html(report, tables[0].head(80), *tables[1:], path, schema=schema)
    assert path.read_text(encoding="utf-8") == "older"


def test_a_report_read_back_makes_the_same_page(report, page, tables, schema, tmp_path):
    report.save(tmp_path / "metrics.json")
    loaded = Report.load(tmp_path / "metrics.json")
    pages = []
    for name, judged in (("a", report), ("b", loaded)):
        write_html(judged, *tables, tmp_path / name, schema=schema)
        text = (tmp_path / name).read_text(encoding="utf-8")
        pages.append(re.sub(r"<code>20\d\d-[^<]+</code>", "", text))
    assert pages[0] == pages[1]
