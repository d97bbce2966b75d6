# SPDX-License-Identifier: Apache-2.0
"""The airtime ledger: no sliding hour above the legal share, and room kept for calls for help.

1. Spent airtime is kept per minute; a minute counts until its last instant is an hour ago, so the sum is never too low.
2. Each rank may fill the hour up to its own share. Only emergencies reach into the whole reserve, receipts and
   commands into
   part of it, because a call without a receipt is repeated. Readings stop first.
3. Over a reboot nobody knows how long the box was off: all that could have been spent in the last hour counts as spent
   at
   the moment of booting. For that, flash holds an upper bound, and nothing is sent that would pass it (rule 4).
4. The bound is written ahead by a quantum, so that flash is written once in several frames. It is lowered from time to
   time.

Limit: EU decision 2006/771/EC, 869.4-869.65 MHz, 10 % of an hour. Not here: queueing. Called by mesh.py.
"""

from kiezbox.protocol import priority

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HOUR_MS = 3_600_000
LIMIT_MS = 360_000
MINUTE_MS = 60_000
BUCKETS = 61
QUANTUM_MS = 6_000
LOWER_AFTER_MS = 600_000
PERSIST_NAME = "duty_reserved_ms"

SHARE_OF_RESERVE_PCT = (100, 75, 50, 25, 0, 0)
"""How much of the reserve each rank may use, by rank."""

READING_SHARE_PCT = 75
"""Readings leave a quarter of the open part to strangers' traffic."""


class DutyLedger:
    """Spent airtime of the last hour. Times are milliseconds of one steady clock that starts at or after 0 at each
    boot.
    """

    __slots__ = (
        "_bound_asked_ms",
        "_bound_ms",
        "_buckets",
        "_last_minute",
        "_persisted_at_ms",
        "_shares_ms",
        "_spent_ms",
        "limit_ms",
    )

    def __init__(self, limit_ms: int = LIMIT_MS, reserve_pct: int = 40, saved: "dict[str, Any] | None" = None) -> None:
        """saved: what was persisted before by name; None for a node that keeps nothing, which then is not bound by
        rule 4.
        """
        if not 0 <= reserve_pct <= 100 or limit_ms <= 0:
            raise ValueError("the reserve is 0 to 100 %, the limit above 0 ms")
        self.limit_ms = limit_ms
        reserve_ms = limit_ms * reserve_pct // 100
        open_ms = limit_ms - reserve_ms
        self._shares_ms = [open_ms + reserve_ms * share // 100 for share in SHARE_OF_RESERVE_PCT]
        self._shares_ms[priority.READING] = open_ms * READING_SHARE_PCT // 100
        self._buckets = [0] * BUCKETS
        self._last_minute = 0
        self._spent_ms = 0
        self._bound_ms: int | None = None
        self._bound_asked_ms: int | None = None
        self._persisted_at_ms = 0
        if saved is not None:
            worst_ms = saved.get(PERSIST_NAME, 0)
            if not isinstance(worst_ms, int) or not 0 <= worst_ms <= limit_ms:
                worst_ms = limit_ms
            self._buckets[0] = self._spent_ms = self._bound_ms = worst_ms

    def spent_ms(self, now_ms: int) -> int:
        """Airtime that counts against the hour ending now, never too low."""
        minute = now_ms // MINUTE_MS
        steps = minute - self._last_minute
        if steps > 0:
            if steps >= BUCKETS:
                self._buckets = [0] * BUCKETS
                self._spent_ms = 0
            else:
                for step in range(1, steps + 1):
                    index = (self._last_minute + step) % BUCKETS
                    self._spent_ms -= self._buckets[index]
                    self._buckets[index] = 0
            self._last_minute = minute
        return self._spent_ms

    def may_send(self, rank: int, airtime_ms: int, now_ms: int) -> "tuple[bool, str]":
        """Whether a frame of `rank` may go now, and if not, why: "duty_limit", "duty_reserve" or
        "duty_not_persisted".
        """
        after_ms = self.spent_ms(now_ms) + airtime_ms
        if after_ms > self.limit_ms:
            return False, "duty_limit"
        if after_ms > self._shares_ms[rank]:
            return False, "duty_reserve"
        if self._bound_ms is not None and after_ms > self._bound_ms:
            self._ask(min(after_ms + QUANTUM_MS, self.limit_ms))
            return False, "duty_not_persisted"
        return True, ""

    def spend(self, airtime_ms: int, now_ms: int) -> None:
        """A frame goes out now. Call may_send first."""
        self.spent_ms(now_ms)
        self._buckets[self._last_minute % BUCKETS] += airtime_ms
        self._spent_ms += airtime_ms

    def next_chance_ms(self, now_ms: int) -> int:
        """When the sum can next be lower: the next full minute."""
        return (now_ms // MINUTE_MS + 1) * MINUTE_MS

    def wanted(self, now_ms: int) -> "int | None":
        """The bound that flash should hold now, None if nothing is to be written. Says each value once."""
        if self._bound_ms is None:
            return None
        spent_ms = self.spent_ms(now_ms)
        if (
            self._bound_asked_ms is None
            and self._bound_ms > spent_ms + 2 * QUANTUM_MS
            and now_ms - self._persisted_at_ms >= LOWER_AFTER_MS
        ):
            self._ask(spent_ms + QUANTUM_MS)
        if self._bound_asked_ms is None or self._bound_asked_ms < 0:
            return None
        asked_ms = self._bound_asked_ms
        self._persisted_at_ms = now_ms
        # Until flash has answered, the lower of both bounds holds, whichever of them a power cut leaves there.
        self._bound_ms = min(self._bound_ms, asked_ms)
        self._bound_asked_ms = -asked_ms - 1
        return asked_ms

    def persisted(self, value_ms: int) -> None:
        """Flash holds `value_ms`. A value that was not asked for changes nothing."""
        if self._bound_asked_ms is not None and self._bound_asked_ms == -value_ms - 1:
            self._bound_ms = value_ms
            self._bound_asked_ms = None

    def _ask(self, bound_ms: int) -> None:
        if self._bound_asked_ms is None or 0 <= self._bound_asked_ms < bound_ms:
            self._bound_asked_ms = bound_ms
