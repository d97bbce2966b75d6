# SPDX-License-Identifier: Apache-2.0
"""Append-only records on LittleFS, and small state that changes as a whole. What they said is stored is on the medium.

1. A record is magic, type, length, payload, CRC-32. `append` returns after the file was synced.
2. Reading stops at the first record that is not whole. LittleFS keeps the last synced length, so that should be the
   end; if not,
   the damaged rest is cut off before anything is appended.
3. `replace` writes a new file beside the old one and renames it, which LittleFS does in one step (its DESIGN.md).

Not here: what is in a record. Called by calls.py, readings.py and box.py.
"""

import json
import os
from binascii import crc32

_MAGIC = 0xB5
_HEAD_LENGTH = 4
RECORD_LENGTH_MAX = 2048


class Journal:
    """One file of records. The path's folder exists."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = open(path, "ab")
        whole = 0
        for _, payload in self.records():
            whole += _HEAD_LENGTH + len(payload) + 4
        if whole < self.size_bytes():
            # What would be appended behind a damaged record could not be found again.
            self.rewrite(lambda kind, payload: True)

    def append(self, kind: int, payload: bytes) -> None:
        """kind 0..255. Raises OSError if the medium refuses (28: full) and ValueError if the record is too long."""
        if len(payload) > RECORD_LENGTH_MAX:
            raise ValueError("record too long")
        head = bytes((_MAGIC, kind)) + len(payload).to_bytes(2, "little")
        self._file.write(head + payload + crc32(payload, kind).to_bytes(4, "little"))
        self._file.flush()

    def size_bytes(self) -> int:
        """Length of the file."""
        return os.stat(self.path)[6]

    def records(self):  # noqa: ANN201 - a generator of (kind, payload); MicroPython has no typing
        """All whole records, oldest first."""
        with open(self.path, "rb") as file:
            while True:
                head = file.read(_HEAD_LENGTH)
                if len(head) < _HEAD_LENGTH or head[0] != _MAGIC:
                    return
                length = head[2] | head[3] << 8
                body = file.read(length + 4)
                if len(body) < length + 4:
                    return
                payload = body[:length]
                if crc32(payload, head[1]) != int.from_bytes(body[length:], "little"):
                    return
                yield head[1], payload

    def rewrite(self, wanted) -> None:  # noqa: ANN001
        """Keep only the records for which wanted(kind, payload) is true; the old file stays until the new one is
        whole.
        """
        name = self.path + ".new"
        _remove(name)
        fresh = Journal(name)
        for kind, payload in self.records():
            if wanted(kind, payload):
                fresh.append(kind, payload)
        fresh.close()
        self._file.close()
        os.rename(name, self.path)
        self._file = open(self.path, "ab")

    def close(self) -> None:
        """No more records."""
        self._file.close()


def replace(path: str, values: dict) -> None:
    """Write `values` as JSON in one step: after a power cut the file holds the old or the new values, whole."""
    with open(path + ".new", "wb") as file:
        file.write(json.dumps(values).encode())
    os.rename(path + ".new", path)


def load(path: str) -> dict:
    """What `replace` wrote last, {} if there is nothing."""
    try:
        with open(path) as file:
            values = json.load(file)
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _remove(path: str) -> None:
    try:
        os.remove(path)
    except OSError:
        pass
