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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LENGTH_MAX = 10_240
"""Bytes of a file that can be right; a longer one is not read, so it is not written either."""

_PIECE = 256


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
        self._number = newest = 0
        self._next = "a"
        for name in "ab":
            try:
                length = os.stat(self._path + name)[6]
            except OSError:
                continue
            if not length:
                continue  # The power went when it was made.
            values = None
            if length <= LENGTH_MAX:
                try:
                    number, values = self._read(self._path + name)
                except (OSError, ValueError, TypeError, MemoryError):
                    pass
            if not isinstance(values, dict):
                self.damaged = True
            elif number > newest:
                found = values
                newest = number
                self._next = "b" if name == "a" else "a"
        return found

    def save(self, values: dict) -> None:
        """After this returns, flash holds `values`. Raises OSError if the medium refuses, or if they are too long; then
        the old ones count.
        """
        number = (str(self._number + 1) + " ").encode()
        body = json.dumps(values).encode()
        if len(number) + len(body) > LENGTH_MAX - 9:
            raise OSError(27)  # EFBIG
        with open(self._path + self._next, "wb") as file:
            file.write(("%08x " % (crc32(body, crc32(number)) & 0xFFFFFFFF)).encode())
            file.write(number)
            file.write(body)
        self._number += 1
        self._next = "b" if self._next == "a" else "a"

    def _read(self, path: str) -> "tuple[int, Any]":
        """In pieces: at a start there may be no room for all of it at once. Raises ValueError, OSError, TypeError."""
        with open(path, "rb") as file:
            wanted = int(file.read(9)[:8], 16)
            found = 0
            piece = file.read(_PIECE)
            while piece:
                found = crc32(piece, found)
                piece = file.read(_PIECE)
            if found & 0xFFFFFFFF != wanted:
                raise ValueError
            file.seek(9)
            number = 0
            digit = file.read(1)
            while digit != b" ":
                number = 10 * number + int(digit)
                digit = file.read(1)
            # The next one is newer than this one, even if nobody can use what is in it.
            self._number = max(self._number, number)
            return number, json.load(file)
