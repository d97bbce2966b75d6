# SPDX-License-Identifier: Apache-2.0
"""The language of the one light on a box (docs/box-led.md): which pattern means what, and when the light is on.

1. Count the flashes: one for each stage a call has reached, from 1, stored in this box, to 5, answered.
2. A long flash before them says: this is an exercise.
3. A pattern is a line of durations in units of 50 ms, on and off by turns, and begins again at its end.

Not here: the pin (a port). Called by help_button.py.
"""

UNIT_MS = 50

_FLASH = (4, 8)
_GAP = 30
_EXERCISE = (30, 12)

PATTERNS = {
    "everyday": (1, 199),
    "maintenance": (1, 9, 1, 9, 1, 179),
    "emergency": (2, 78),
    "exercise": (30, 130),
    "refused": (1, 3),
    "cancelled": (60, 20),
}
REFUSED_MS = 4_000
CANCELLED_MS = 8_000


def pattern(name: str, stage: int = 0, exercise: bool = False) -> "tuple[int, ...]":
    """Durations in units of 50 ms, beginning with light. stage 1 to 5: that of a call; else `name` decides."""
    if not stage:
        return PATTERNS[name]
    found = (_EXERCISE if exercise else ()) + _FLASH * stage
    return found[:-1] + (found[-1] + _GAP,)


class Light:
    """Plays a pattern. Times in milliseconds."""

    def __init__(self) -> None:
        self._pattern: tuple[int, ...] = ()
        self._began_ms = 0

    def show(self, wanted: "tuple[int, ...]", now_ms: int) -> None:
        """From now on this one; the same again goes on where it is."""
        if wanted != self._pattern:
            self._pattern = wanted
            self._began_ms = now_ms

    def at(self, now_ms: int) -> "tuple[bool, int]":
        """Whether the light is on, and in how many milliseconds that changes."""
        length_ms = sum(self._pattern) * UNIT_MS
        if not length_ms:
            return False, 1_000
        passed_ms = (now_ms - self._began_ms) % length_ms
        lit = True
        for duration in self._pattern:
            passed_ms -= duration * UNIT_MS
            if passed_ms < 0:
                return lit, -passed_ms
            lit = not lit
        return False, UNIT_MS
