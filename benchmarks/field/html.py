"""The same page as one HTML file that opens offline."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from benchmarks.field.markdown import Section

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem auto; max-width: 1500px;
  padding: 0 1rem; color: #111; background: #fff; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid #ccc; padding: 3px 8px; text-align: left; vertical-align: top; }
td { white-space: nowrap; }
.long td { white-space: normal; }
th { border-bottom: 2px solid #111; }
svg { max-width: 100%; height: auto; }
p, pre { max-width: 60rem; }
"""
_LONG = ("Failures", "Generators and versions")


def to_html(parts: Sequence[Section], introduction: str, plot: str) -> str:
    """Return the page; ``plot`` is the SVG text of the Pareto plot."""
    title, _, rest = introduction.strip().partition("\n")
    body = [f"<h1>{escape(title.lstrip('# '))}</h1>", *_paragraphs(rest)]
    for part in parts:
        body.append(f"<h2>{escape(part.heading)}</h2>")
        if part.text:
            body += _paragraphs(part.text)
        if part.rows:
            body.append(_table(part))
        if part.heading == "Mean ranks":
            body += ["<h2>Fidelity against privacy</h2>", plot[plot.find("<svg") :]]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title.lstrip('# '))}</title><style>{_STYLE}</style></head><body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _paragraphs(text: str) -> list[str]:
    """Turn the introduction's paragraphs and indented commands into HTML; images are left out."""
    blocks = [block for block in text.split("\n\n") if block.strip()]
    html = []
    for block in blocks:
        if block.startswith("    "):
            html.append(f"<pre>{escape(block)}</pre>")
        elif not block.lstrip().startswith("!["):
            html.append(f"<p>{_inline(block)}</p>")
    return html


def _inline(text: str) -> str:
    """Turn code, bold and italic marks into HTML."""
    html = escape(text)
    for mark, tag in (("`", "code"), ("**", "b"), ("*", "i")):
        parts = html.split(mark)
        html = "".join(f"<{tag}>{p}</{tag}>" if k % 2 else p for k, p in enumerate(parts))
    return html


def _table(part: Section) -> str:
    head, *body = part.rows
    kind = ' class="long"' if part.heading in _LONG else ""
    lines = [f'<div class="wide"><table{kind}><thead><tr>']
    lines += [f"<th>{escape(text)}</th>" for text in head]
    lines.append("</tr></thead><tbody>")
    for row in body:
        cells = "".join(f"<td>{escape(text.strip('*'))}</td>" for text in row)
        lines.append(f"<tr>{cells}</tr>")
    lines.append("</tbody></table></div>")
    return "".join(lines)
