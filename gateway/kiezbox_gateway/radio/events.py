# SPDX-License-Identifier: Apache-2.0
"""What a connection to a radio tells its owner. Made by `radio.session`, handed on by `radio.link`."""

from dataclasses import dataclass

from meshtastic.protobuf import mesh_pb2

from kiezbox_gateway.radio.send_queue import Outgoing


@dataclass(frozen=True)
class Ready:
    """The handshake is complete. `differences` names settings that still do not fit (empty: all fit)."""

    node_num: int
    differences: tuple[str, ...]


@dataclass(frozen=True)
class PacketArrived:
    """A packet the radio decrypted."""

    packet: mesh_pb2.MeshPacket


@dataclass(frozen=True)
class Accepted:
    """The radio has taken the packet into its transmit queue."""

    packet: Outgoing


@dataclass(frozen=True)
class Acknowledged:
    """A node has confirmed a packet with want_ack; the radio itself when it has heard somebody relay it."""

    packet_id: int
    from_node: int


@dataclass(frozen=True)
class Refused:
    """The radio will not send the packet (queue status) or gave it up (routing error)."""

    packet_id: int
    error: int


@dataclass(frozen=True)
class Notice:
    """Something an operator should see: short name and detail without personal data."""

    name: str
    detail: str = ""


@dataclass(frozen=True)
class GiveUp:
    """This connection is of no use any more; close it and make a new one."""

    reason: str


Event = Ready | PacketArrived | Accepted | Acknowledged | Refused | Notice | GiveUp
