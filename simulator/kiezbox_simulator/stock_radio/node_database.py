# SPDX-License-Identifier: Apache-2.0
"""The nodes a radio has heard of, as its client lists them. Bounded; the longest silent one that is no favourite makes
room.

Fed with every decoded packet (`heard`) and with what NodeInfo, Position and Telemetry packets say. Kept in memory: a
rebooted simulated radio learns its neighbours anew.
"""

from collections.abc import Iterator

from meshtastic.protobuf import mesh_pb2, telemetry_pb2

from kiezbox_simulator.stock_radio.settings import RadioSettings

NODES_MAX = 100
"""Of an ESP32-S3 with 8 MB of flash: MAX_NUM_NODES is 100 there."""


class NodeDatabase:
    """Nodes by number, in the order first heard. Times are unix seconds, 0 while the radio has no clock."""

    def __init__(self, own_num: int) -> None:
        self._own_num = own_num
        self._nodes: dict[int, mesh_pb2.NodeInfo] = {}
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._nodes) + 1

    def __contains__(self, node_num: int) -> bool:
        return node_num in self._nodes

    def others(self) -> Iterator[mesh_pb2.NodeInfo]:
        """All nodes but the radio itself."""
        return iter(list(self._nodes.values()))

    def has_user(self, node_num: int) -> bool:
        """Whether the node's name is known."""
        return node_num in self._nodes and self._nodes[node_num].HasField("user")

    def public_key(self, node_num: int) -> bytes:
        """The node's public key, empty while unknown."""
        return bytes(self._nodes[node_num].user.public_key) if node_num in self._nodes else b""

    def own(self, settings: RadioSettings) -> mesh_pb2.NodeInfo:
        """The radio's own entry, first in every list."""
        node = mesh_pb2.NodeInfo(num=settings.node_num, user=settings.owner, is_favorite=True)
        node.device_metrics.battery_level = 101  # On external power.
        node.device_metrics.voltage = 4.2
        return node

    def heard(self, packet: mesh_pb2.MeshPacket, time_s: int) -> None:
        """Any decoded packet of another node."""
        node = self._node(getattr(packet, "from"))
        if node is None:
            return
        node.last_heard = time_s
        node.snr = packet.rx_snr
        node.via_mqtt = packet.via_mqtt
        node.channel = packet.channel
        if packet.hop_start and packet.hop_limit <= packet.hop_start:
            node.hops_away = packet.hop_start - packet.hop_limit

    def set_user(self, node_num: int, user: mesh_pb2.User) -> None:
        """Its NodeInfo came in. A node's key, once known, is not replaced by another (firmware 2.5)."""
        node = self._node(node_num)
        if node is None:
            return
        known_key = node.user.public_key
        if known_key and user.public_key and known_key != user.public_key:
            return
        node.user.CopyFrom(user)
        node.user.id = f"!{node_num:08x}"
        if known_key:
            node.user.public_key = known_key

    def set_position(self, node_num: int, position: mesh_pb2.Position) -> None:
        """Its position came in."""
        node = self._node(node_num)
        if node is not None:
            node.position.CopyFrom(position)

    def set_metrics(self, node_num: int, metrics: telemetry_pb2.DeviceMetrics) -> None:
        """Its device telemetry came in."""
        node = self._node(node_num)
        if node is not None:
            node.device_metrics.CopyFrom(metrics)

    def set_favorite(self, node_num: int, favorite: bool) -> None:
        """Favourites are never evicted."""
        if node_num in self._nodes:
            self._nodes[node_num].is_favorite = favorite

    def remove(self, node_num: int) -> None:
        """Forget one node."""
        self._nodes.pop(node_num, None)

    def clear(self) -> None:
        """Forget all nodes."""
        self._nodes.clear()

    def _node(self, node_num: int) -> mesh_pb2.NodeInfo | None:
        if node_num == self._own_num or node_num == 0:
            return None
        node = self._nodes.get(node_num)
        if node is None:
            if len(self) >= NODES_MAX:
                ordinary = [other for other in self._nodes.values() if not other.is_favorite]
                if not ordinary:
                    return None
                del self._nodes[min(ordinary, key=lambda other: other.last_heard).num]
                self.evicted += 1
            node = self._nodes[node_num] = mesh_pb2.NodeInfo(num=node_num)
        return node
