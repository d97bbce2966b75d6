# SPDX-License-Identifier: Apache-2.0
"""A stock radio's rule for airtime, in the place of a box's ledger: more than 10 % of the last hour, and nothing goes
out any more.

Own or relayed, important or not; nothing is kept back for emergencies, and a reboot forgets all (firmware 2.7, AirTime:
sixty pieces of a minute). Times are monotonic milliseconds.
"""

HOUR_MS = 3_600_000
MINUTE_MS = 60_000


class StockLedger:
    """Has the surface of `kiezbox.protocol.duty.DutyLedger` that a mesh node uses."""

    def __init__(self, limit_ms: int = HOUR_MS // 10) -> None:
        self.limit_ms = limit_ms
        self._minutes_ms = [0] * 60
        self._minute = 0

    def spent_ms(self, now_ms: int) -> int:
        """Airtime sent within the last hour, the oldest minute leaving as a whole."""
        minute = now_ms // MINUTE_MS
        for step in range(self._minute + 1, min(minute, self._minute + 60) + 1):
            self._minutes_ms[step % 60] = 0
        if minute - self._minute >= 60:
            self._minutes_ms = [0] * 60
        self._minute = max(self._minute, minute)
        return sum(self._minutes_ms)

    def spent_pct(self, now_ms: int) -> float:
        """The same in percent of an hour."""
        return self.spent_ms(now_ms) / HOUR_MS * 100

    def may_send(self, rank: int, airtime_ms: int, now_ms: int) -> tuple[bool, str]:
        """Whether a frame may go out: the firmware looks at what was sent, not at what this frame would add."""
        if self.spent_ms(now_ms) > self.limit_ms:
            return False, "duty_limit"
        return True, ""

    def spend(self, airtime_ms: int, now_ms: int, rank: int = 0) -> None:
        """A frame goes out."""
        self.spent_ms(now_ms)
        self._minutes_ms[self._minute % 60] += airtime_ms

    def next_chance_ms(self, now_ms: int) -> int:
        """When the sum can next be lower."""
        return (now_ms // MINUTE_MS + 1) * MINUTE_MS

    def wanted(self, now_ms: int) -> int | None:
        """Nothing is kept on flash."""
        return None

    def persisted(self, value_ms: int) -> None:
        """Nothing is kept on flash."""
