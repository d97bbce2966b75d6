# SPDX-License-Identifier: Apache-2.0
"""The button of a box as a state machine: told each edge, it says when somebody pressed short or long.

1. An edge counts once the level has stood for DEBOUNCE_MS; what is shorter is contact bounce.
2. Released before HOLD_MS: short. Held for HOLD_MS: long, said at that moment, once.
3. Held for STUCK_MS: the button is stuck; it says nothing until it is let go.

Not here: the pin (a port), what a press does (help_button.py).
"""

DEBOUNCE_MS = 30
HOLD_MS = 3_000
STUCK_MS = 30_000

SHORT = 1
LONG = 2


class Button:
    """Times in milliseconds of the box's steady clock."""

    def __init__(self) -> None:
        self._raw = False
        self._raw_since_ms = 0
        self._down = False
        self._down_since_ms = 0
        self._said = False
        self.stuck = False

    def edge(self, pressed: bool, now_ms: int) -> "int | None":
        """The pin has changed. Returns as `poll` does for what was true until now."""
        found = self.poll(now_ms)
        if pressed != self._raw:
            self._raw = pressed
            self._raw_since_ms = now_ms
        return found

    def poll(self, now_ms: int) -> "int | None":
        """SHORT, LONG or None. To be called at `due_ms` at the latest."""
        found = None
        if self._raw != self._down and now_ms - self._raw_since_ms >= DEBOUNCE_MS:
            self._down = self._raw
            if self._down:
                self._down_since_ms = self._raw_since_ms
                self._said = False
            else:
                held_ms = self._raw_since_ms - self._down_since_ms
                if not self._said:
                    found = LONG if held_ms >= HOLD_MS else SHORT
                self.stuck = False
        if self._down and not self._said and self._raw and now_ms - self._down_since_ms >= HOLD_MS:
            self._said = True
            found = LONG
        if self._down and now_ms - self._down_since_ms >= STUCK_MS:
            self.stuck = True
        return found

    def due_ms(self, now_ms: int) -> "int | None":
        """How long until `poll` has something to say without another edge; None if it has not."""
        if self._raw != self._down:
            return max(0, self._raw_since_ms + DEBOUNCE_MS - now_ms)
        if self._down and not self.stuck:
            mark_ms = STUCK_MS if self._said else HOLD_MS
            return max(0, self._down_since_ms + mark_ms - now_ms)
        return None
