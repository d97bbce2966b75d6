# SPDX-License-Identifier: Apache-2.0
"""The mode of a box, and which command set it.

1. A mode comes by signed command only. Mode, epoch and end are written in one piece with the epoch that the protocol
   reserves, so that flash never holds one without the other.
2. A mode that was commanded until a time ends then by itself, if the box knows the time, and the box goes back to the
   mode it was provisioned with.
3. A call is real in emergency mode alone; in everyday and exercise mode it is an exercise, in maintenance there is
   none.

Not here: proof and freshness of a command (protocol). Called by box.py.
"""

NAMES = ("", "everyday", "emergency", "exercise", "maintenance")


class Modes:
    """`name` is the mode in force."""

    def __init__(self, state, base: str) -> None:  # noqa: ANN001
        """state: a State; base: the mode before the first command, and after one that has ended."""
        self._state = state
        self._base = base if base in NAMES[1:] else "everyday"
        name = state.values.get("mode")
        self.name: str = name if name in NAMES[1:] else self._base

    @property
    def number(self) -> int:
        """As on the air."""
        return NAMES.index(self.name)

    @property
    def epoch(self) -> int:
        """Of the last command that was obeyed, 0 if there was none."""
        return self._state.values.get("mode_epoch") or 0

    def command(self, message: dict) -> bool:
        """Obey a proven command; on flash with the state's next save. False if it names no mode."""
        number = message.get("mode") or 0
        if not 0 < number < len(NAMES):
            return False
        self.name = NAMES[number]
        self._state.put("mode", self.name)
        self._state.put("mode_epoch", message["epoch"])
        self._state.put("mode_until_s", message.get("until_s") or 0)
        return True

    def end(self, time_s: int) -> bool:
        """True if the mode has just ended. time_s: unix seconds, 0 if not known."""
        until_s = self._state.values.get("mode_until_s") or 0
        if not until_s or not time_s or time_s < until_s:
            return False
        self.name = self._base
        self._state.put("mode", self.name)
        self._state.put("mode_until_s", 0)
        return True
