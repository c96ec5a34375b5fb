"""Small pieces of HTML. Every text that comes from a table or a report is escaped here."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

Cell = str | tuple[str, str]
"""Plain text, or ready HTML as ``("html", text)``."""


def paragraph(text: str, css_class: str = "") -> str:
    """Return an escaped paragraph."""
    return f"<p{_class(css_class)}>{escape(text)}</p>"


def bullets(lines: Sequence[str]) -> str:
    """Return an escaped list; empty for no lines."""
    if not lines:
        return ""
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def table(headings: Sequence[str], rows: Sequence[Sequence[Cell]], css_class: str = "") -> str:
    """Return a table that turns into one card per row on a narrow screen.

    The first cell of a row is its heading; the others carry their column's name for the cards.
    """
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in headings)
    body = []
    for row in rows:
        cells = [f'<th scope="row">{_cell(row[0])}</th>']
        cells += [
            f'<td data-label="{escape(label)}">{_cell(cell)}</td>'
            for label, cell in zip(headings[1:], row[1:], strict=True)
        ]
        body.append(f"<tr>{''.join(cells)}</tr>")
    rows_of_cells = "".join(body)
    opening = f"<table{_class(css_class)}><thead><tr>{head}</tr></thead>"
    return f"{opening}<tbody>{rows_of_cells}</tbody></table>"


def figure(image: str, alt: str, caption: str = "", css_class: str = "") -> str:
    """Return an image (a data URI) with its text alternative and caption."""
    text = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure{_class(css_class)}><img src="{image}" alt="{escape(alt)}">{text}</figure>'


def grid(figures: Sequence[str]) -> str:
    """Return figures side by side, as many as fit."""
    return f'<div class="grid">{"".join(figures)}</div>'


def folded(title: str, content: str) -> str:
    """Return content that opens on a click."""
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def section(identifier: str, title: str, content: str) -> str:
    """Return a section with a heading that the contents list links to."""
    return f'<section id="{identifier}"><h2>{escape(title)}</h2>{content}</section>'


def _cell(cell: Cell) -> str:
    return cell[1] if isinstance(cell, tuple) else escape(cell)


def _class(css_class: str) -> str:
    return f' class="{css_class}"' if css_class else ""
