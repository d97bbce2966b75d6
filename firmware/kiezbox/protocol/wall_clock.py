# SPDX-License-Identifier: Apache-2.0
"""The time of day at a box, as its owner last said it, and whether a time from the air is better.

Not here: the clock itself (the owner's), the proof of a time (broadcast_inbox.py). Called by box_endpoint.py.
"""

from kiezbox.protocol.constant import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kiezbox.protocol.messages import Message

_BACKWARDS_MAX_S = const(60)
"""A time of equal quality may set the clock back by this much at most."""


class WallClock:
    """quality: 0 none, 1 fair, 2 good."""

    def __init__(self) -> None:
        self.quality = 0
        self._time_s = 0
        self._at_ms = 0

    def set(self, time_s: int, quality: int, now_ms: int) -> None:
        """It is `time_s` (unix time) at `now_ms` of the steady clock."""
        self._time_s = time_s
        self.quality = quality
        self._at_ms = now_ms

    def now_s(self, now_ms: int) -> int:
        """Unix time; means nothing while the quality is 0."""
        return self._time_s + (now_ms - self._at_ms) // 1000

    def is_worse_than(self, message: "Message", now_ms: int) -> bool:
        """Whether the time in a `time` message is better: of higher quality, or as good and not far behind."""
        quality = message.get("quality") or 0
        time_s = message.get("time_s") or 0
        if not quality or not time_s or quality < self.quality:
            return False
        return quality > self.quality or time_s >= self.now_s(now_ms) - _BACKWARDS_MAX_S
