# SPDX-License-Identifier: Apache-2.0
"""Which of a client's packets the radio takes: the firmware's rate limits (PhoneAPI, 2.7), each tried on the real one.

1. A packet id among the last twenty is dropped without a word; the list outlives connections.
2. Traceroute once in 30 s, broadcast traceroute over more than one hop never: dropped, with a notification.
3. Position, waypoint, alert, telemetry once in 10 s for each: dropped, and the queue status still says 0.
4. Text once in 2 s: dropped, queue status 0, and a routing error RATE_LIMIT_EXCEEDED.
5. The clocks start anew with each connection. Everything else passes, the private port numbers among it.
"""

from collections import deque
from dataclasses import dataclass

from meshtastic.protobuf import mesh_pb2, portnums_pb2

from kiezbox.protocol.frame import BROADCAST

PORTS = portnums_pb2.PortNum
TEN_SECOND_PORTS = {PORTS.POSITION_APP, PORTS.WAYPOINT_APP, PORTS.ALERT_APP, PORTS.TELEMETRY_APP}


@dataclass(frozen=True)
class Verdict:
    """What to do with a packet. Not taken and `silent`: no answer at all."""

    taken: bool
    silent: bool = False
    notification: str = ""
    routing_error: int = 0


TAKEN = Verdict(True)


class Admission:
    """State of the limits. Times are monotonic milliseconds."""

    def __init__(self) -> None:
        self._recent_ids: deque[int] = deque(maxlen=20)
        self._last_ms: dict[int, int] = {}

    def connected(self) -> None:
        """A client has connected."""
        self._last_ms.clear()

    def judge(self, packet: mesh_pb2.MeshPacket, now_ms: int) -> Verdict:
        """Judge a packet from the client and remember it if it is taken."""
        if packet.id:
            if packet.id in self._recent_ids:
                return Verdict(False, silent=True)
            self._recent_ids.append(packet.id)
        port = packet.decoded.portnum
        last_ms = self._last_ms.get(port)
        since_ms = now_ms - last_ms if last_ms is not None else 1 << 62
        if port == PORTS.TRACEROUTE_APP:
            if since_ms < 30_000:
                return Verdict(False, notification="TraceRoute can only be sent once every 30 seconds")
            if packet.to == BROADCAST and packet.hop_limit > 0:
                return Verdict(False, notification="Multi-hop traceroute to broadcast address is not allowed")
        elif port in TEN_SECOND_PORTS and since_ms < 10_000:
            return Verdict(False)
        elif port == PORTS.TEXT_MESSAGE_APP and since_ms < 2_000:
            return Verdict(False, routing_error=mesh_pb2.Routing.Error.RATE_LIMIT_EXCEEDED)
        self._last_ms[port] = now_ms
        return TAKEN
