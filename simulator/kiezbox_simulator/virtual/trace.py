# SPDX-License-Identifier: Apache-2.0
"""The trace: one line per event, in order, hashed as it grows. Two runs are the same if their traces are.

Line 1 is a JSON header (scenario, seed, versions) that `kiezbox sim replay` needs to run it again; the rest is
`<time_us> <kind> <node> <detail ...>`. Not here: which events there are; everybody who decides something calls `add`.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kiezbox_simulator.virtual.schedule import Schedule

_BUFFERED_LINES = 2000


class Trace:
    """Writes to `path`, or only hashes without one. `sha256` covers the event lines, not the header."""

    def __init__(self, schedule: Schedule, path: Path | None = None, header: dict[str, Any] | None = None) -> None:
        self._schedule = schedule
        self._hash = hashlib.sha256()
        self._lines: list[str] = []
        self._file = path.open("w", encoding="utf-8", newline="\n") if path else None
        self.count = 0
        if self._file is not None:
            self._file.write(json.dumps(header or {}, ensure_ascii=False, sort_keys=True) + "\n")

    def add(self, kind: str, node: str, detail: str = "") -> None:
        """An event of this moment. `detail` holds no line break."""
        self.count += 1
        self._lines.append(f"{self._schedule.now_us} {kind} {node} {detail}\n")
        if len(self._lines) >= _BUFFERED_LINES:
            self._flush()

    @property
    def sha256(self) -> str:
        """Hash of all event lines so far."""
        self._flush()
        return self._hash.hexdigest()

    def close(self) -> None:
        """Write the rest."""
        self._flush()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _flush(self) -> None:
        text = "".join(self._lines)
        self._lines.clear()
        self._hash.update(text.encode())
        if self._file is not None:
            self._file.write(text)


def read_header(path: Path) -> dict[str, Any]:
    """The first line of a trace. Raises ValueError if it is none."""
    with path.open(encoding="utf-8") as file:
        try:
            header = json.loads(file.readline())
        except json.JSONDecodeError as error:
            raise ValueError(f"{path} is not a trace: its first line is not JSON") from error
    if not isinstance(header, dict) or "scenario" not in header:
        raise ValueError(f"{path} is not a trace: its first line names no scenario")
    return header


def _event_lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as file:
        next(file, None)
        yield from file


def first_difference(first: Path, second: Path) -> tuple[int, str, str] | None:
    """Number (from 1) and text of the first event that differs, '' where a trace has ended; None if all are equal."""
    left, right = _event_lines(first), _event_lines(second)
    number = 0
    while True:
        number += 1
        one, other = next(left, ""), next(right, "")
        if one != other:
            return number, one.rstrip("\n"), other.rstrip("\n")
        if not one:
            return None
