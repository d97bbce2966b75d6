# SPDX-License-Identifier: Apache-2.0
"""How important a packet of somebody else is, told from what every holder of the channel key may read.

A relay has no box's key, so this is a claim, not a proof: what one origin may gain by calling its traffic an emergency
is
capped, and the airtime ledger keeps a part for our own. Called by mesh.py.
"""

from kiezbox.protocol import envelope, priority
from kiezbox.protocol.packet import TEXT_MESSAGE_APP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kiezbox.protocol.packet import Data

ORIGINS_MAX = 32
ORIGIN_SHARE_PCT = 10
"""Airtime of one origin's emergencies that one relay spends, in percent of the legal hour."""

HOUR_MS = 3_600_000

_RANKS = {
    envelope.EMERGENCY: priority.RELAYED_EMERGENCY,
    envelope.BUTTON: priority.RELAYED_EMERGENCY,
    envelope.RECEIPT: priority.RECEIPT,
    envelope.READING: priority.READING,
    envelope.HEALTH: priority.READING,
    envelope.QUERY: priority.STRANGER,
}


def relay_rank(data: "Data") -> int:
    """Rank of a packet that our channel key opened. A text typed on a stock device is a call for help."""
    if data.portnum == TEXT_MESSAGE_APP:
        return priority.RELAYED_EMERGENCY
    if data.portnum != envelope.PORTNUM:
        return priority.STRANGER
    kind = envelope.clear_kind(data.payload)
    return _RANKS.get(kind, priority.COMMAND if kind else priority.STRANGER)


class OriginCap:
    """Airtime that relaying the emergencies of each origin has cost in its running hour; at most 32 origins, the oldest
    forgotten. An origin that is over its cap is still relayed, as a stranger."""

    def __init__(self, limit_ms: int) -> None:
        """limit_ms: what the ledger allows in an hour altogether."""
        self._cap_us = limit_ms * ORIGIN_SHARE_PCT * 10
        self._origins: dict[bytes, list[int]] = {}

    def admits(self, origin: bytes, airtime_us: int, now_ms: int) -> bool:
        """Whether one more relay fits. origin: the four bytes of the header."""
        entry = self._origins.get(origin)
        return entry is None or now_ms - entry[0] >= HOUR_MS or entry[1] + airtime_us <= self._cap_us

    def spend(self, origin: bytes, airtime_us: int, now_ms: int) -> None:
        """It went out."""
        entry = self._origins.get(origin)
        if entry is not None and now_ms - entry[0] < HOUR_MS:
            entry[1] += airtime_us
            return
        if entry is None and len(self._origins) >= ORIGINS_MAX:
            del self._origins[min(self._origins, key=lambda node: self._origins[node][0])]
        self._origins[origin] = [now_ms, airtime_us]
