# SPDX-License-Identifier: Apache-2.0
"""A window over counters: which of the latest have been seen, so that a recorded message does nothing a second time.

1. A counter above the highest is new and moves the window.
2. A counter inside the window is new once.
3. A counter below the window is too old, whether it was seen or not.
4. The gateways of a district share the keys, so each counts in a range of its own: the top three bits of a counter are
   the gateway's number. A receiver keeps a window for each of them.

Not here: what to do with a repeated message; a receiver usually answers again and changes nothing. Called by both
endpoints.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

GATEWAYS_MAX = 8
GATEWAY_SHIFT = 29
"""A gateway's counter is its number (0 to 7) << 29 | 1, 2, 3 ..."""

NEW = 0
SEEN = 1
TOO_OLD = 2


class ReplayWindow:
    """The highest counter seen and a bit for each of the `width` counters up to it."""

    def __init__(self, width: int, highest: int = 0, bits: int = 0) -> None:
        """`bits`: bit 0 stands for `highest`, bit n for highest - n."""
        self.width = width
        self.highest = highest
        self._bits = bits & ((1 << width) - 1) if bits else 0

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
                self._bits = self._bits << shift | 1
                if self._bits >> self.width:  # Else no mask of a wide window's size is needed on a small heap.
                    self._bits &= (1 << self.width) - 1
            self.highest = counter
        elif age < self.width:
            self._bits |= 1 << age

    def bits(self) -> int:
        """The bit field, to be kept and handed to the constructor again."""
        return self._bits


class GatewayWindows:
    """A ReplayWindow for each gateway that was heard; after a restart everything up to its highest counter is seen."""

    def __init__(self, width: int, name: str, saved: "dict[str, Any]") -> None:
        """`saved`: what `mark` asked to persist. name: under which name; that of gateway 3 is name_3."""
        self._width = width
        self._name = name
        self._windows: dict[int, ReplayWindow] = {}
        for number in range(GATEWAYS_MAX):
            highest = saved.get(self._saved_name(number))
            if highest:
                self._windows[number] = ReplayWindow(width, highest, -1)

    def judge(self, counter: int) -> int:
        """NEW, SEEN or TOO_OLD; changes nothing."""
        window = self._windows.get(counter >> GATEWAY_SHIFT)
        return window.judge(counter) if window else NEW

    def mark(self, counter: int) -> "tuple[str, int]":
        """The message with this counter was accepted; what has to be persisted for that: name and value."""
        number = counter >> GATEWAY_SHIFT
        window = self._windows.get(number)
        if window is None:
            window = self._windows[number] = ReplayWindow(self._width, number << GATEWAY_SHIFT, -1)
        window.mark(counter)
        return self._saved_name(number), window.highest

    def is_above_all(self, counter: int) -> bool:
        """Whether no counter of the same gateway was as high."""
        window = self._windows.get(counter >> GATEWAY_SHIFT)
        return window is None or counter > window.highest

    def highest(self) -> int:
        """The highest counter of any gateway, 0 if none."""
        highest = 0
        for window in self._windows.values():
            highest = max(highest, window.highest)
        return highest

    def _saved_name(self, number: int) -> str:
        return self._name + "_" + str(number) if number else self._name
