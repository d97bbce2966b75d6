# SPDX-License-Identifier: Apache-2.0
"""What this gateway's radio may still send in the hour: what is no receipt waits before the legal share is used up.

The firmware refuses everything beyond the region's share, receipts for calls too. So commands, answers and notices keep
to a part of it. The radio says how much it has sent, relays counted in; between its reports our own frames are counted.
Asked by `downlink`, told by `radio.link`.
"""

from kiezbox.protocol import airtime, priority
from kiezbox.protocol.duty import HOUR_MS, DutyLedger

# Per cent of an hour, by the firmware's names; other regions have no limit (firmware 2.7, src/mesh/RadioInterface.cpp).
SHARE_PCT = {"EU_868": 10, "EU_433": 10, "UA_433": 10, "UA_868": 1}
# Beside the payload: clear header, and the Data message's port, length and flags.
FRAME_OVERHEAD = 16 + 10
FRAME_LENGTH_MAX = 255
REPORT_LIFETIME_MS = 600_000


class AirBudget:
    """Times are monotonic milliseconds. In a region or with a preset that has no legal share everything may be sent."""

    def __init__(self, region: str, preset: str) -> None:
        share_pct = SHARE_PCT.get(region)
        self._preset = airtime.PRESETS.get(preset)
        self._ledger = DutyLedger(HOUR_MS * share_pct // 100) if share_pct and self._preset else None
        self._reported_ms = 0
        self._reported_at_ms = -REPORT_LIFETIME_MS

    def may_send(self, rank: int, payload_length: int, now_ms: int) -> bool:
        """Whether a payload of this rank (kiezbox.protocol.priority) may go on the air now."""
        if self._ledger is None:
            return True
        used_elsewhere_ms = 0
        if now_ms - self._reported_at_ms < REPORT_LIFETIME_MS:
            used_elsewhere_ms = max(0, self._reported_ms - self._ledger.spent_ms(now_ms))
        needed_ms = self._airtime_ms(payload_length) + used_elsewhere_ms
        return self._ledger.may_send(_share_of(rank), needed_ms, now_ms)[0]

    def spend(self, rank: int, payload_length: int, now_ms: int) -> None:
        """The radio has taken a payload."""
        if self._ledger is not None:
            self._ledger.spend(self._airtime_ms(payload_length), now_ms, _share_of(rank))

    def note_report(self, air_util_tx_pct: float, now_ms: int) -> None:
        """The radio has said which part of the last hour it was sending."""
        if 0 <= air_util_tx_pct <= 100:
            self._reported_ms = int(HOUR_MS * air_util_tx_pct / 100)
            self._reported_at_ms = now_ms

    def used_pct(self, now_ms: int) -> float | None:
        """Part of the legal share that the last hour has used, None without one."""
        if self._ledger is None:
            return None
        spent_ms = self._ledger.spent_ms(now_ms)
        if now_ms - self._reported_at_ms < REPORT_LIFETIME_MS:
            spent_ms = max(spent_ms, self._reported_ms)
        return 100 * spent_ms / self._ledger.limit_ms

    def _airtime_ms(self, payload_length: int) -> int:
        assert self._preset is not None  # noqa: S101  There is no ledger without.
        return airtime.time_on_air_us(self._preset, min(payload_length + FRAME_OVERHEAD, FRAME_LENGTH_MAX)) // 1000 + 1


def _share_of(rank: int) -> int:
    """A receipt for a call is worth as much as the call."""
    return priority.OWN_EMERGENCY if rank <= priority.RECEIPT else rank
