# SPDX-License-Identifier: Apache-2.0
"""The frame of every report: one self-contained page in one language, tables, and drawings with their table beside
them. Nothing is loaded, there is no script.

A drawing is for the eye; whoever cannot see it opens the table below it, and on paper both are there. Used by
report.py, compare.py, place_report.py, watch.py.
"""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from kiezbox_simulator.scenario.words import LANGUAGES, Words

CSS = (Path(__file__).parent / "style.css").read_text(encoding="utf-8")


def page(words: Words, title: str, body: str, sibling: str = "") -> str:
    """A whole page. `sibling`: file name of the same page in the other language, "" for none."""
    other = next(language for language in LANGUAGES if language != words.language)
    link = f'<p class="sibling"><a href="{escape(sibling)}" lang="{other}" hreflang="{other}">' if sibling else ""
    link += f"{escape(words('other_language'))}</a></p>" if sibling else ""
    return (
        f'<!doctype html><html lang="{words.language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} – {escape(words('printed_by'))}</title><style>{CSS}</style></head>"
        f"<body><main>{link}{body}</main></body></html>\n"
    )


def section(name: str, heading: str, body: str) -> str:
    """A part of a page that can be linked to."""
    return f'<section id="{name}" aria-labelledby="{name}-h"><h2 id="{name}-h">{escape(heading)}</h2>{body}</section>'


def figure(number: str, label: str, cls: str = "") -> str:
    """One big figure with its meaning."""
    return f'<div class="figure {cls}"><b>{escape(number)}</b><span>{escape(label)}</span></div>'


def table(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "", cls: str = "") -> str:
    """A table of plain text; the first column names the row. Wide ones scroll in themselves."""
    top = "".join(f'<th scope="col">{escape(cell)}</th>' if cell else "<td></td>" for cell in head)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in rows
    )
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    # What scrolls must be reachable with the keyboard.
    label = escape(caption or head[0] or head[-1])
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{label}"><table class="{cls}">{title}'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def drawing_with_table(words: Words, caption: str, drawn: str, rows: str, legend: str = "") -> str:
    """A drawing, what its marks mean, and the same as a table that opens."""
    return (
        f"<figure><figcaption>{escape(caption)}</figcaption>{drawn}{legend}"
        f"<details><summary>{escape(words('as_table'))}</summary>{rows}</details></figure>"
    )


def legend(entries: Sequence[tuple[str, str]]) -> str:
    """Marks with their meaning: (class, text)."""
    items = "".join(f'<span><i class="{cls}"></i> {escape(text)}</span>' for cls, text in entries)
    return f'<p class="legend">{items}</p>'


def items(lines: Sequence[str], cls: str = "", ordered: bool = False) -> str:
    """A list of plain text."""
    tag = "ol" if ordered else "ul"
    return f'<{tag} class="{cls}">' + "".join(f"<li>{escape(line)}</li>" for line in lines) + f"</{tag}>"
