# SPDX-License-Identifier: Apache-2.0
"""Append-only records on LittleFS. What `append` returned from is on the medium.

1. A record is magic, type, length, payload, CRC-32. `append` returns after the file was synced.
2. LittleFS keeps the last synced length, so a power cut leaves whole records. What is not whole all the same is stepped
   over: records behind it count. It is removed when the file is opened next, and `damaged` says so.
3. No file is left to the garbage collector: it may run in the middle of a removal or a renaming, and LittleFS goes on
   with the list of open files from before. So there is one reader at a time, which the next one or `close` closes.
4. `rewrite` makes a new file beside the old one and renames it, which LittleFS does in one step (its DESIGN.md).

Not here: what is in a record; values that change as a whole (twin_file.py). Called by calls.py, readings.py and
notices.py.
"""

import os
from binascii import crc32

_MAGIC = 0xB5
_HEAD_LENGTH = 4
RECORD_LENGTH_MAX = 2048


class Journal:
    """One file of records. The path's folder exists. `damaged`: something in it was no record when it was opened."""

    def __init__(self, path: str, fresh: bool = False) -> None:  # noqa: FBT001, FBT002
        """fresh: begin with an empty file. Raises OSError then, if the flash refuses; else it is tried again later."""
        self.path = path
        self.damaged = False
        self._file = self._reader = None
        if fresh:
            self._file = open(path, "wb")  # type: ignore[assignment]
            return
        try:
            self._file = open(path, "ab")
            whole = 0
            for _, payload in self.records():
                whole += _HEAD_LENGTH + len(payload) + 4
            self.damaged = whole < self.size_bytes()
        except OSError:
            # The file system itself cannot read it: a box without its old records is better than none.
            self.damaged = True
        if self.damaged:
            self._repair()

    def append(self, kind: int, payload: bytes) -> None:
        """kind 0..255. Raises OSError if the medium refuses (28: full) and ValueError if the record is too long."""
        if len(payload) > RECORD_LENGTH_MAX:
            raise ValueError("record too long")
        head = bytes((_MAGIC, kind)) + len(payload).to_bytes(2, "little")
        size_bytes = self.size_bytes()
        if self._file is None:
            self._file = open(self.path, "ab")  # The flash refused when it was to be opened again.
        try:
            self._file.write(head + payload + crc32(payload, kind).to_bytes(4, "little"))
            self._file.flush()
        except OSError:
            self._reopen(size_bytes)
            raise

    def size_bytes(self) -> int:
        """Length of the file."""
        try:
            return os.stat(self.path)[6]
        except OSError:
            return 0

    def records(self):  # noqa: ANN201 - a generator of (kind, payload); MicroPython has no typing
        """All whole records, oldest first. Whoever leaves off leaves the file to the next reader; one at a time."""
        if self._reader is not None:
            self._reader.close()
        if not self.size_bytes():
            return
        file = self._reader = open(self.path, "rb")  # type: ignore[assignment]
        at = 0
        while at >= 0:
            head = file.read(_HEAD_LENGTH)
            if len(head) < _HEAD_LENGTH:
                break
            length = head[2] | head[3] << 8
            if head[0] == _MAGIC and length <= RECORD_LENGTH_MAX:
                body = file.read(length + 4)
                payload = body[:length]
                if len(body) == length + 4 and crc32(payload, head[1]) == int.from_bytes(body[length:], "little"):
                    at += _HEAD_LENGTH + length + 4
                    yield head[1], payload
                    continue
            at = _next_magic(file, at + 1)
            if at >= 0:
                file.seek(at)
        file.close()
        self._reader = None

    def rewrite(self, wanted) -> None:  # noqa: ANN001
        """Keep only the records for which wanted(kind, payload) is true; the old file stays until the new one is
        whole. Raises OSError if there is no room for it; then nothing changed.
        """
        name = self.path + ".new"
        _remove(name)
        fresh = Journal(name, True)
        try:
            for kind, payload in self.records():
                if wanted(kind, payload):
                    fresh.append(kind, payload)
        except OSError:
            fresh.close()
            _remove(name)
            raise
        fresh.close()
        self.close()
        os.rename(name, self.path)
        self._file = open(self.path, "ab")

    def close(self) -> None:
        """No open file; `append` opens it again."""
        files = (self._reader, self._file)
        self._reader = self._file = None
        for file in files:
            if file is not None:
                file.close()

    def _repair(self) -> None:
        try:
            self.rewrite(lambda kind, payload: True)
        except OSError:
            # No room, or nothing readable. New records go behind the damage and are found there.
            try:
                self.close()
                self._file = open(self.path, "ab")
            except OSError:
                _remove(self.path)  # `append` makes a new one.

    def _reopen(self, size_bytes: int) -> None:
        """A write that failed half-way must leave nothing that a later flush would write."""
        try:
            self._file.close()
        except OSError:
            pass
        self._file = None
        self._file = open(self.path, "ab")
        if self.size_bytes() > size_bytes:
            self._repair()


def _next_magic(file, at: int) -> int:  # noqa: ANN001
    """Where the next record can begin, -1 if nowhere."""
    file.seek(at)
    while True:
        piece = file.read(256)
        if not piece:
            return -1
        found = piece.find(bytes((_MAGIC,)))
        if found >= 0:
            return at + found
        at += len(piece)


def _remove(path: str) -> None:
    try:
        os.remove(path)
    except OSError:
        pass
