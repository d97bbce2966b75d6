# SPDX-License-Identifier: Apache-2.0
"""Whether the router beside the box may draw from its battery.

1. On in emergency and exercise mode, off otherwise.
2. Off below one voltage, on again above a higher one, so that a battery that recovers without load does not switch it
   to and fro. The box itself outlives its router.
3. A battery that was measured and no longer is counts as empty. One that never was is not there: then the mode decides.

Not here: the relay (a port), the battery's sensor. Called by upkeep.py.
"""

STALE_MS = 2 * 3_600_000
MODES = ("emergency", "exercise")


class RouterPower:
    """`on` is what the output should be; off at every start until the battery was looked at."""

    def __init__(self) -> None:
        self.on = False
        self._enough = False

    def decide(self, mode: str, battery: "tuple[int, int] | None", off_below_mv: int, on_above_mv: int) -> bool:
        """battery: millivolt and age in ms, None if there is no such sensor. True if `on` has changed."""
        if battery is None:
            self._enough = True
        elif battery[1] > STALE_MS or battery[0] < off_below_mv:
            self._enough = False
        elif battery[0] >= on_above_mv:
            self._enough = True
        on = self._enough and mode in MODES
        changed = on != self.on
        self.on = on
        return changed
