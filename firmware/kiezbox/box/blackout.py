# SPDX-License-Identifier: Apache-2.0
"""Whether this box believes that the power is out around it. It proposes; a person decides (a signed mode command).

1. The grid-sense input says so for a while; or there is no such input, and both the gateway and the Wi-Fi uplink have
   been silent for a while. An input that sees the grid outweighs all silence.
2. An uplink that this box has never had is not missed. A gateway that was never heard is: the box cannot tell.
3. The grid counts as lost, and as back, once the input has said so for the whole time, so a flickering grid does not
   make a flickering proposal. A word from gateway or uplink ends a proposal that silence made.

Not here: ports (main.py), sending (box.py). Called by upkeep.py.
"""

GRID_LOST = 1
GATEWAY_SILENT = 2
UPLINK_SILENT = 4
PROPOSED = 8


class Blackout:
    """Times in milliseconds of the box's steady clock."""

    def __init__(self) -> None:
        self.signs = 0
        self._grid_since_ms: int | None = None
        self._grid_seen = True

    @property
    def proposed(self) -> bool:
        """Whether this box proposes a blackout now."""
        return bool(self.signs & PROPOSED)

    def look(
        self,
        now_ms: int,
        grid: "bool | None",
        gateway_heard_ms: int,
        uplink_heard_ms: "int | None",
        lost_after_ms: int,
        silent_after_ms: int,
    ) -> bool:
        """True if a proposal has just begun or ended; `signs` says what is seen.

        grid: whether the input sees it, None without an input. uplink_heard_ms: None without an uplink.
        """
        signs = self.signs & PROPOSED
        if grid is not None and (self._grid_since_ms is None or grid != self._grid_seen):
            self._grid_since_ms = now_ms
            self._grid_seen = grid
        steady_ms = 0 if self._grid_since_ms is None else now_ms - self._grid_since_ms
        if grid is False:
            signs |= GRID_LOST
        if now_ms - gateway_heard_ms >= silent_after_ms:
            signs |= GATEWAY_SILENT
        if uplink_heard_ms is not None and now_ms - uplink_heard_ms >= silent_after_ms:
            signs |= UPLINK_SILENT
        if grid is None:
            wanted = bool(signs & GATEWAY_SILENT) and (uplink_heard_ms is None or bool(signs & UPLINK_SILENT))
        elif steady_ms >= lost_after_ms:
            wanted = not grid
        else:
            wanted = bool(signs & PROPOSED)
        signs = signs & ~PROPOSED | (PROPOSED if wanted else 0)
        changed = (signs ^ self.signs) & PROPOSED != 0
        self.signs = signs
        return changed
