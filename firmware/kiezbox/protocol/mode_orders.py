# SPDX-License-Identifier: Apache-2.0
"""Which mode a box was ordered into last, and whether a further order counts.

1. An order is for this box if its scope says so: all, this district, this box.
2. The higher epoch wins. The same epoch again is the same order, under a new counter because nobody heard the result.
3. An order that has expired is not obeyed, where the box knows the time.

Not here: proof and freshness of the message (broadcast_inbox.py), what a mode does. Called by box_endpoint.py.
"""

from kiezbox.protocol.command_results import APPLIED, EXPIRED, REFUSED, SUPERSEDED
from kiezbox.protocol.constant import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kiezbox.protocol.messages import Message
    from kiezbox.protocol.wall_clock import WallClock

_MODE_LAST = const(4)
_SCOPE_DISTRICT = const(1)
_SCOPE_BOX = const(2)


class ModeOrders:
    """district: this box's; None leaves district scopes to the owner."""

    def __init__(self, node_num: int, district: "str | None", epoch: int) -> None:
        """epoch: of the last order that was obeyed, 0 if there was none."""
        self.district = district
        self.epoch = epoch
        self.mode = 0
        """Of that order; 0 until one was heard since the start."""
        self._node_num = node_num

    def judge(self, message: "Message", clock: "WallClock", now_ms: int) -> "int | None":
        """The result to tell, None if the order is for others. It is to be obeyed if `epoch` has changed."""
        get = message.get
        scope = get("scope")
        if (scope == _SCOPE_BOX and get("box") != self._node_num) or (
            scope == _SCOPE_DISTRICT and self.district is not None and get("district") != self.district
        ):
            return None
        mode = get("mode") or 0
        if not 1 <= mode <= _MODE_LAST:
            return REFUSED
        epoch = get("epoch") or 0
        if epoch < self.epoch or not epoch:
            return SUPERSEDED
        if epoch == self.epoch:
            # After a restart the number of the mode is learnt anew; otherwise it stays what was obeyed.
            self.mode = self.mode or mode
            return APPLIED
        expires_s = get("expires_s")
        if expires_s and clock.quality and clock.now_s(now_ms) >= expires_s:
            return EXPIRED
        self.epoch = epoch
        self.mode = mode
        return APPLIED
