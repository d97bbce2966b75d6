# SPDX-License-Identifier: Apache-2.0
"""A window over counters: which of the latest have been seen, so that a recorded message does nothing a second time.

1. A counter above the highest is new and moves the window.
2. A counter inside the window is new once.
3. A counter below the window is too old, whether it was seen or not.

Not here: what to do with a repeated message; a receiver usually answers again and changes nothing. Called by both
endpoints.
"""

NEW = 0
SEEN = 1
TOO_OLD = 2


class ReplayWindow:
    """The highest counter seen and a bit for each of the `width` counters up to it."""

    def __init__(self, width: int, highest: int = 0, bits: int = 0) -> None:
        """`bits`: bit 0 stands for `highest`, bit n for highest - n."""
        self.width = width
        self.highest = highest
        self._bits = bits & ((1 << width) - 1)

    def judge(self, counter: int) -> int:
        """NEW, SEEN or TOO_OLD; changes nothing."""
        age = self.highest - counter
        if age < 0:
            return NEW
        if age >= self.width:
            return TOO_OLD
        return SEEN if (self._bits >> age) & 1 else NEW

    def mark(self, counter: int) -> None:
        """The message with this counter was accepted. A counter that is too old changes nothing."""
        age = self.highest - counter
        if age < 0:
            shift = -age
            if shift >= self.width:
                self._bits = 1
            else:
                self._bits = ((self._bits << shift) | 1) & ((1 << self.width) - 1)
            self.highest = counter
        elif age < self.width:
            self._bits |= 1 << age

    def bits(self) -> int:
        """The bit field, to be kept and handed to the constructor again."""
        return self._bits
