# SPDX-License-Identifier: Apache-2.0
"""A small dict on flash that changes as a whole, in two files that are written by turns.

1. Each holds a running number, the values and a CRC-32 over both. The valid one with the higher number counts.
2. The file that counts is never opened for writing, so a power cut leaves the old values or the new ones, and one that
   is damaged leaves the values of one write before. An empty one is one whose first write was cut.
3. Whoever reads learns in `damaged` that the newest values may be lost, and decides what that means.

Not here: what is in it. Called by box.py (state), configuration.py and supervisor.py.
"""

import json
import os
from binascii import crc32

LENGTH_MAX = 8192
"""Bytes of a file that can be right; a longer one is not read."""


class TwinFile:
    """`path` + "a" and "b". `damaged`: one of them exists and is not valid."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._number = 0
        self._next = "a"
        self.damaged = False

    def load(self) -> "dict | None":
        """The values that were saved last, None if there are none."""
        found = None
        self.damaged = False
        self._number = 0
        self._next = "a"
        for name in "ab":
            try:
                raw = self._read(name)
            except OSError:
                continue
            if not raw:
                continue  # The power went when it was made.
            number, values = _parse(raw)
            if values is None:
                self.damaged = True
            elif number > self._number:
                found = values
                self._number = number
                self._next = "b" if name == "a" else "a"
        return found

    def save(self, values: dict) -> None:
        """After this returns, flash holds `values`. Raises OSError if the medium refuses; then the old ones count."""
        body = str(self._number + 1) + " " + json.dumps(values)
        with open(self._path + self._next, "wb") as file:
            file.write(("%08x " % (crc32(body.encode()) & 0xFFFFFFFF)).encode())
            file.write(body.encode())
        self._number += 1
        self._next = "b" if self._next == "a" else "a"

    def _read(self, name: str) -> bytes:
        """Raises OSError if there is no such file; what cannot be read is rubbish."""
        path = self._path + name
        if os.stat(path)[6] > LENGTH_MAX:
            return b"too long"
        try:
            with open(path, "rb") as file:
                return file.read()
        except OSError:
            return b"unreadable"


def _parse(raw: bytes) -> "tuple[int, dict | None]":
    try:
        if int(raw[:8], 16) != crc32(raw[9:]) & 0xFFFFFFFF:
            return 0, None
        number, _, text = raw[9:].decode().partition(" ")
        values = json.loads(text)
        return (int(number), values) if isinstance(values, dict) else (0, None)
    except (ValueError, UnicodeError):
        return 0, None
