# SPDX-License-Identifier: Apache-2.0
"""A message counter that never repeats, not even over a power cut: numbers are used only from a block that flash holds.

1. `saved` is the end of the last block written to flash; numbers below it may have been used before the power went.
2. A number is given out only below a limit that was confirmed as written.
3. A new block is asked for when half of the present one is used, so that no message waits for flash.
4. After the last number (2^32 - 1, of a gateway 2^29 - 1) there is none: a new key is needed.

Not here: writing flash. Called by box_endpoint.py (messages up) and gateway_endpoint.py (messages down).
"""

from kiezbox.protocol.constant import const

BLOCK = 64
"""Numbers reserved with one write. A power cut wastes at most twice as many."""

_LAST = const(0xFFFFFFFF)


class CounterExhausted(Exception):  # noqa: N818 - the name says what is the matter
    """No number may be used now: the next block is not yet on flash, or the very last was used."""


class ReservedCounter:
    """Numbers 1, 2, 3 ... in blocks."""

    def __init__(self, saved: int = 0, block: int = BLOCK, last: int = _LAST) -> None:
        """`saved`: the last number reported as persisted, 0 on a new box. last: the highest number there is."""
        if not 0 <= saved <= last + 1:
            raise ValueError("saved counter out of range")
        self.block = block
        self._last = last
        self._next = saved if saved else 1
        self._limit = self._next
        self._asked = 0

    def take(self) -> int:
        """The next number. Raises CounterExhausted."""
        if self._next >= self._limit:
            raise CounterExhausted("no counter")
        number = self._next
        self._next = number + 1
        return number

    def next_number(self) -> int:
        """The first number that has not been used."""
        return self._next

    def available(self) -> int:
        """How many numbers may be taken now."""
        return self._limit - self._next

    def wanted(self) -> int:
        """What has to be written to flash now as the new reservation, 0 if nothing. Says each value once."""
        if self._asked or self._limit > self._last or self.available() > self.block // 2:
            return 0
        self._asked = min(self._limit + self.block, self._last + 1)
        return self._asked

    def persisted(self, value: int) -> None:
        """Flash holds `value`. A value that was not asked for changes nothing."""
        if value == self._asked and value > self._limit:
            self._limit = value
            self._asked = 0

    def ask_again(self) -> None:
        """Writing failed: `wanted` says it once more."""
        self._asked = 0
