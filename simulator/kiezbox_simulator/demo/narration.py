# SPDX-License-Identifier: Apache-2.0
"""How the demo speaks: chapters with a sentence on why they matter, a line for each thing that was checked, progress
while waiting.

On a terminal with colour and a moving clock; into a file or pipe as plain lines, the same words. Knows nothing of the
story.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from rich.console import Console
from rich.rule import Rule
from rich.status import Status
from rich.table import Table

POLL_S = 0.1
PLAIN_REMINDER_S = 10.0
Found = TypeVar("Found")


class StoryError(Exception):
    """A line of the story did not hold; the text is that line and what was seen instead."""


@dataclass(frozen=True)
class Line:
    """One line of the story that was checked. `at_s` is the demo's clock, `took_s` how long it was waited for."""

    chapter: str
    text: str
    held: bool
    at_s: float
    took_s: float
    detail: str = ""


class Narrator:
    """Speaks and keeps every checked line in `lines`."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.lines: list[Line] = []
        self._started_s = time.monotonic()
        self._chapter = ""

    @property
    def at_s(self) -> float:
        """Seconds since the demo began."""
        return time.monotonic() - self._started_s

    def chapter(self, title: str, why: str) -> None:
        """A new part of the story."""
        self._chapter = title
        self.console.print()
        self.console.print(Rule(f"[bold]{title}[/bold]", align="left", style="blue"))
        self.console.print(why, style="italic")

    def say(self, text: str) -> None:
        """Something happens."""
        self.console.print(f"[dim]{self.at_s:5.0f} s[/dim]  {text}", highlight=False)

    def held(self, text: str, started_s: float | None = None, detail: str = "") -> None:
        """A line of the story was checked and holds."""
        now_s = time.monotonic()
        took_s = now_s - started_s if started_s is not None else 0.0
        self.lines.append(Line(self._chapter, text, True, round(self.at_s, 1), round(took_s, 1), detail))
        self.console.print(
            f"[dim]{self.at_s:5.0f} s[/dim]  [green]✔[/green] {text}" + (f" [dim]{detail}[/dim]" if detail else ""),
            highlight=False,
        )

    def broken(self, text: str, detail: str, started_s: float | None = None) -> StoryError:
        """A line of the story does not hold; raise what this returns."""
        took_s = time.monotonic() - started_s if started_s is not None else 0.0
        self.lines.append(Line(self._chapter, text, False, round(self.at_s, 1), round(took_s, 1), detail))
        self.console.print(f"[dim]{self.at_s:5.0f} s[/dim]  [red]✘ {text}[/red] {detail}", highlight=False)
        return StoryError(f"{text}: {detail}" if detail else text)

    def check(self, text: str, holds: bool, detail: str = "") -> None:
        """Judge at once. Raises StoryError."""
        if not holds:
            raise self.broken(text, detail)
        self.held(text, detail=detail)

    async def expect(
        self,
        text: str,
        look: Callable[[], Awaitable[Found | None]],
        timeout_s: float,
        progress: Callable[[], str] | None = None,
    ) -> Found:
        """Wait until `look` finds something, showing what is waited for; the line holds then. Raises StoryError."""
        started_s = time.monotonic()
        told_s = started_s
        with self._waiting() as status:
            while True:
                found = await look()
                if found:
                    break
                now_s = time.monotonic()
                seen = f" ({progress()})" if progress is not None else ""
                if now_s - started_s > timeout_s:
                    if status is not None:
                        status.stop()
                    raise self.broken(text, f"not within {timeout_s:.0f} s{seen}", started_s)
                if status is not None:
                    status.update(f"{self.at_s:5.0f} s  waiting: {text}{seen}")
                elif now_s - told_s > PLAIN_REMINDER_S:
                    told_s = now_s
                    self.say(f"... waiting: {text}{seen}")
                await asyncio.sleep(POLL_S)
        self.held(text, started_s)
        return found

    def table(self, table: Table) -> None:
        """Print a table."""
        self.console.print()
        self.console.print(table)

    def _waiting(self) -> "_Quiet | _Shown":
        return _Shown(self.console) if self.console.is_terminal else _Quiet()


class _Quiet:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


class _Shown:
    def __init__(self, console: Console) -> None:
        self._status = Status("", console=console, spinner="dots")

    def __enter__(self) -> Status:
        self._status.start()
        return self._status

    def __exit__(self, *_: object) -> None:
        self._status.stop()
