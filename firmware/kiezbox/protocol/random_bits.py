# SPDX-License-Identifier: Apache-2.0
"""Chance from entropy that was handed in: the same entropy gives the same numbers, on both interpreters.

For spreading things in time, not for keys. Called by the endpoints and BoxNode.
"""

import hashlib


class RandomBits:
    """A stream of numbers made by hashing a seed with a running number."""

    def __init__(self, entropy: bytes, purpose: bytes = b"") -> None:
        """Different purposes give unrelated streams from the same entropy."""
        self._seed = hashlib.sha256(purpose + b"\0" + entropy).digest()
        self._round = 0
        self._pool = b""

    def below(self, limit: int) -> int:
        """A number 0 .. limit - 1; `limit` is 1 .. 2^22 and may be off balance by one part in 256 at most."""
        if len(self._pool) < 4:
            self._round += 1
            self._pool = hashlib.sha256(self._seed + self._round.to_bytes(4, "little")).digest()
        value = int.from_bytes(self._pool[:4], "little") & 0x3FFFFFFF
        self._pool = self._pool[4:]
        return value % limit
