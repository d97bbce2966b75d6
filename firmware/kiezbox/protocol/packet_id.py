# SPDX-License-Identifier: Apache-2.0
"""Packet numbers that nobody can guess and that never repeat, not even over a reboot.

Under AES-CTR two packets with the same (from, id) would share their key stream. So the numbers are a keyed permutation
of a
counter that flash reserves ahead: four Feistel rounds with SHA-256 (Luby and Rackoff, 1988). Called by mesh.py.
"""

import hashlib

from kiezbox.protocol.counter import ReservedCounter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BLOCK = 256
ROUNDS = 4
SPARE = 16
"""Eight fragments, what a box says of itself, an answer, and a number that comes out as 0."""

PERSIST_NAME = "packet_counter"


class PacketIds:
    """u32 numbers, never 0."""

    def __init__(self, key: bytes, saved: "dict[str, Any] | None" = None) -> None:
        """key: secret of this node that stays the same over reboots; where saved is None it must be new at each
        start.
        """
        self._key = hashlib.sha256(b"packet id\0" + key).digest()
        self._keeps = saved is not None
        self._counter = ReservedCounter(saved.get(PERSIST_NAME, 0) if saved is not None else 0, BLOCK)
        if not self._keeps:
            self._reserve()

    def take(self) -> int:
        """The next number. Raises CounterExhausted until the reservation was persisted."""
        while True:
            number = self._permute(self._counter.take())
            if not self._keeps:
                self._reserve()
            if number:
                return number

    def available(self) -> bool:
        """Whether `take` has numbers for all that may be sent at one time."""
        return self._counter.available() > SPARE

    def wanted(self) -> int:
        """What flash should hold as reservation now, 0 if nothing."""
        return self._counter.wanted()

    def persisted(self, value: int) -> None:
        """Flash holds `value`."""
        self._counter.persisted(value)

    def not_persisted(self) -> None:
        """Writing failed: `wanted` says it once more."""
        self._counter.ask_again()

    def _reserve(self) -> None:
        wanted = self._counter.wanted()
        if wanted:
            self._counter.persisted(wanted)

    def _permute(self, number: int) -> int:
        left = number >> 16
        right = number & 0xFFFF
        for index in range(ROUNDS):
            mixed = hashlib.sha256(self._key + bytes((index, right & 0xFF, right >> 8))).digest()
            left, right = right, left ^ (mixed[0] | mixed[1] << 8)
        return left << 16 | right
