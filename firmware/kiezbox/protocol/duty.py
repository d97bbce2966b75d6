# SPDX-License-Identifier: Apache-2.0
"""The airtime ledger: no sliding hour above the legal share, and room kept for calls for help.

1. Spent airtime is kept per minute; a minute counts until its last instant is an hour ago, so the sum is never too low.
2. What is no emergency may fill the open part of the hour at most, so that the reserve is there for emergencies alone.
   That is judged by what such traffic has cost itself, so that many emergencies do not silence their own receipts.
3. On top, each rank has a ceiling for the sum of everything: when the hour fills up, readings stop first, then
   strangers' traffic, commands, receipts; then relayed emergencies, which no relay can verify. The last tenth is for
   own emergencies.
4. Over a reboot nobody knows how long the box was off: all that could have been spent in the last hour counts as spent
   at the first moment that the ledger is told. For that, flash holds an upper bound, and nothing is sent that would
   pass it.
5. The bound is written ahead by a quantum, so that flash is written once in several frames. It is lowered from time to
   time.

Limit: EU decision 2006/771/EC, 869.4-869.65 MHz, 10 % of an hour. Not here: queueing. Called by mesh.py.
"""

from array import array

from kiezbox.protocol import priority

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HOUR_MS = 3_600_000
LIMIT_MS = 360_000
RESERVE_PCT = 40
MINUTE_MS = 60_000
BUCKETS = 61
QUANTUM_MS = 6_000
LOWER_AFTER_MS = 600_000
PERSIST_NAME = "duty_reserved_ms"

CEILING_PCT = (100, 90, 90, 87, 60, 45)
"""How full the hour may be with a frame of each rank in it, by rank, for a reserve of 40 %."""

OPEN_CEILING_PCT = (100, 100, 100, 95, 90, 75)
"""How much of the open part may be filled with a frame of each rank in it, by what is no emergency."""


class DutyLedger:
    """Spent airtime of the last hour. Times are milliseconds of one steady clock that begins anywhere at each boot and
    never goes back."""

    def __init__(
        self, limit_ms: int = LIMIT_MS, reserve_pct: int = RESERVE_PCT, saved: "dict[str, Any] | None" = None
    ) -> None:
        """saved: what was persisted before by name; None for a node that keeps nothing, which then is not bound by
        rule 4.

        A saved value that cannot be is taken for the whole limit. Raises ValueError for a limit or reserve out of
        range.
        """
        if not 0 <= reserve_pct <= 100 or limit_ms <= 0:
            raise ValueError("limit or reserve")
        self.limit_ms = limit_ms
        open_ms = limit_ms * (100 - reserve_pct) // 100
        self._open_ceilings_ms = [open_ms * share // 100 for share in OPEN_CEILING_PCT]
        # The ceilings of strangers and readings are shares of the open part, whatever the reserve is.
        self._ceilings_ms = [limit_ms * share // 100 for share in CEILING_PCT]
        for rank in (priority.STRANGER, priority.READING):
            self._ceilings_ms[rank] = self._open_ceilings_ms[rank]
        # Four bytes a minute, where a list takes as many as a pointer, and on a large number more.
        self._buckets = array("I", bytes(4 * BUCKETS))
        self._open_buckets = array("I", bytes(4 * BUCKETS))
        self._last_minute = -1
        self._spent_ms = 0
        self._open_ms = 0
        # What flash holds for certain, or None. What it should hold and was not yet said; what was said and not
        # answered.
        self._bound_ms: int | None = None
        self._asked_ms: int | None = None
        self._told_ms: int | None = None
        self._persisted_at_ms = 0
        if saved is not None:
            worst_ms = saved.get(PERSIST_NAME, 0)
            if not isinstance(worst_ms, int) or not 0 <= worst_ms <= limit_ms:
                worst_ms = limit_ms
            self._bound_ms = worst_ms
            # Nobody knows what it was spent for.
            self._spent_ms = self._open_ms = worst_ms

    def spent_ms(self, now_ms: int) -> int:
        """Airtime that counts against the hour ending now, never too low."""
        minute = now_ms // MINUTE_MS
        steps = minute - self._last_minute
        if self._last_minute < 0:
            # The clock may have run for hours before: what the last life spent belongs to this minute.
            self._buckets[minute % BUCKETS] = self._spent_ms
            self._open_buckets[minute % BUCKETS] = self._open_ms
            self._last_minute = minute
        elif steps > 0:
            for step in range(1, min(steps, BUCKETS) + 1):
                index = (self._last_minute + step) % BUCKETS
                self._spent_ms -= self._buckets[index]
                self._open_ms -= self._open_buckets[index]
                self._buckets[index] = self._open_buckets[index] = 0
            self._last_minute = minute
        return self._spent_ms

    def open_pct(self, now_ms: int) -> int:
        """How full the part of the hour is that is not reserved for calls, by what is no call itself."""
        self.spent_ms(now_ms)
        return 100 * self._open_ms // max(self._open_ceilings_ms[priority.OWN_EMERGENCY], 1)

    def room_ms(self, rank: int, now_ms: int) -> int:
        """How much airtime `rank` may still spend now; not above 0 if none. Flash's bound is not looked at."""
        room_ms = self._ceilings_ms[rank] - self.spent_ms(now_ms)
        if rank > priority.RELAYED_EMERGENCY:
            room_ms = min(room_ms, self._open_ceilings_ms[rank] - self._open_ms)
        return room_ms

    def may_send(self, rank: int, airtime_ms: int, now_ms: int) -> "tuple[bool, str]":
        """Whether a frame of `rank` may go now, and if not, why: "duty_limit", "duty_reserve" or
        "duty_not_persisted"."""
        if airtime_ms > self.room_ms(rank, now_ms):
            return False, "duty_limit" if self._spent_ms + airtime_ms > self.limit_ms else "duty_reserve"
        after_ms = self._spent_ms + airtime_ms
        if self._bound_ms is not None and after_ms > self._bound_ms:
            wanted_ms = min(after_ms + QUANTUM_MS, self.limit_ms)
            if self._told_ms is None and (self._asked_ms is None or wanted_ms > self._asked_ms):
                self._asked_ms = wanted_ms
            return False, "duty_not_persisted"
        return True, ""

    def spend(self, airtime_ms: int, now_ms: int, rank: int = priority.READING) -> None:
        """A frame of `rank` has been on the air until now. Call may_send before it goes out."""
        self.spent_ms(now_ms)
        index = self._last_minute % BUCKETS
        self._buckets[index] += airtime_ms
        self._spent_ms += airtime_ms
        if rank > priority.RELAYED_EMERGENCY:
            self._open_buckets[index] += airtime_ms
            self._open_ms += airtime_ms

    def next_chance_ms(self, now_ms: int) -> int:
        """When the sum can next be lower: the next full minute."""
        return (now_ms // MINUTE_MS + 1) * MINUTE_MS

    def wanted(self, now_ms: int) -> "int | None":
        """The bound that flash should hold now, None if nothing is to be written. Says each value once.

        To be asked only while no frame is on the air: a lower bound leaves out what is not spent yet.
        """
        if self._bound_ms is None or self._told_ms is not None:
            return None
        spent_ms = self.spent_ms(now_ms)
        wanted_ms = self._asked_ms
        if wanted_ms is None:
            if self._bound_ms <= spent_ms + 2 * QUANTUM_MS or now_ms - self._persisted_at_ms < LOWER_AFTER_MS:
                return None
            wanted_ms = spent_ms + QUANTUM_MS
        self._asked_ms = None
        self._told_ms = wanted_ms
        self._persisted_at_ms = now_ms
        # Until flash has answered, the lower of both bounds holds, whichever of them a power cut leaves there.
        self._bound_ms = min(self._bound_ms, wanted_ms)
        return wanted_ms

    def persisted(self, value_ms: int) -> None:
        """Flash holds `value_ms`. A value that was not asked for changes nothing."""
        if value_ms == self._told_ms:
            self._told_ms = None
            self._bound_ms = value_ms

    def not_persisted(self) -> None:
        """Writing failed: `wanted` says it once more."""
        self._asked_ms = self._told_ms
        self._told_ms = None
