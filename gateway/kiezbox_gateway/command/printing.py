# SPDX-License-Identifier: Apache-2.0
"""How commands print: tables for people, JSON for programs, a spinner for what takes long.

What residents and boxes wrote is data: it is never read as markup, and characters that would steer a terminal or turn
its reading direction are replaced.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from kiezbox_gateway.language import harmless, text

Row = TypeVar("Row")


def line(value: str, style: str = "") -> None:
    """One line to standard output."""
    Console(highlight=False, soft_wrap=True).print(Text(harmless(value), style=style))


def as_json(value: object) -> None:
    """Indented JSON to standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=1))


def moment(iso: str | None) -> str:
    """Local time and how long ago, of ISO 8601 in UTC."""
    if iso is None:
        return "–"
    at = datetime.fromisoformat(iso).astimezone()
    today = datetime.fromtimestamp(time.time()).astimezone().date()
    minutes = int(max(0.0, time.time() - at.timestamp()) // 60)
    ago = f"{minutes} min" if minutes < 60 else f"{minutes // 60} h" if minutes < 2_880 else f"{minutes // 1_440} d"
    return at.strftime("%H:%M:%S" if at.date() == today else "%d.%m. %H:%M") + f" ({ago})"


def table(rows: list[dict[str, Any]], columns: dict[str, str], title: str) -> None:
    """Rows as a table. `columns`: key of a row -> heading. None is shown as a dash, key `*_at` as a moment."""
    found = Table(title=title, title_justify="left")
    for key, heading in columns.items():
        found.add_column(heading, overflow="fold", justify="right" if rows and _is_number(rows, key) else "left")
    for row in rows:
        found.add_row(*[Text(_cell(key, row.get(key))) for key in columns])
    Console().print(found)
    if not rows:
        line(text("(nothing)"))


def _is_number(rows: list[dict[str, Any]], key: str) -> bool:
    values = [row.get(key) for row in rows if row.get(key) is not None]
    return bool(values) and all(isinstance(value, (int, float)) for value in values)


def _cell(key: str, value: Any) -> str:
    if value is None:
        return "–"
    if key.endswith("_at") and isinstance(value, str):
        return moment(value)
    return harmless(str(value))


def counted(rows: Iterator[Row], total: int, sentence: str) -> Iterator[Row]:
    """The rows, with a bar on standard error while they are written; nothing when it is no terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield from rows
        return
    with Progress(console=console, transient=True) as progress:
        yield from progress.track(rows, total=total, description=sentence)


@contextmanager
def waiting(sentence: str) -> Iterator[None]:
    """A spinner on standard error while something runs; nothing when it is no terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(Text(sentence)):
        yield
