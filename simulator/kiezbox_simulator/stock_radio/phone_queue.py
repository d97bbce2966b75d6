# SPDX-License-Identifier: Apache-2.0
"""What waits for the client: packets of the mesh, queue states, notifications; also while no client is there.

As in the firmware (MeshService, 2.7) each has 32 places. When all are taken a text or range test pushes out the oldest
packet, any other packet is lost itself. Queue states go before notifications, those before packets.
"""

from collections import deque

from meshtastic.protobuf import mesh_pb2, portnums_pb2

PLACES = 32
PUSHING_PORTS = {portnums_pb2.PortNum.TEXT_MESSAGE_APP, portnums_pb2.PortNum.RANGE_TEST_APP}


class PhoneQueue:
    """Three bounded queues. `dropped` counts by reason."""

    def __init__(self) -> None:
        self._packets: deque[mesh_pb2.MeshPacket] = deque()
        self._states: deque[mesh_pb2.QueueStatus] = deque(maxlen=PLACES)
        self._notifications: deque[mesh_pb2.ClientNotification] = deque(maxlen=PLACES)
        self.dropped: dict[str, int] = {}

    def put_packet(self, packet: mesh_pb2.MeshPacket) -> None:
        """A packet for the client."""
        if len(self._packets) >= PLACES:
            if packet.decoded.portnum not in PUSHING_PORTS:
                self.dropped["to_phone_full"] = self.dropped.get("to_phone_full", 0) + 1
                return
            self._packets.popleft()
            self.dropped["to_phone_oldest"] = self.dropped.get("to_phone_oldest", 0) + 1
        self._packets.append(packet)

    def put_state(self, state: mesh_pb2.QueueStatus) -> None:
        """A queue status; the oldest makes room."""
        self._states.append(state)

    def put_notification(self, notification: mesh_pb2.ClientNotification) -> None:
        """A notification; the oldest makes room."""
        self._notifications.append(notification)

    def take(self) -> mesh_pb2.FromRadio | None:
        """The next message for the client, None when nothing waits."""
        if self._states:
            return mesh_pb2.FromRadio(queueStatus=self._states.popleft())
        if self._notifications:
            return mesh_pb2.FromRadio(clientNotification=self._notifications.popleft())
        if self._packets:
            return mesh_pb2.FromRadio(packet=self._packets.popleft())
        return None
