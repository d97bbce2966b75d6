# SPDX-License-Identifier: Apache-2.0
"""Packets to the radio itself: a burst loses some, a paced client loses none."""

from meshtastic.protobuf import admin_pb2, mesh_pb2

from kiezbox_simulator.stock_radio.inbound import WRITE_MS, Inbound
from kiezbox_simulator.stock_radio.node_database import NodeDatabase
from kiezbox_simulator.stock_radio.packets import PORTS
from kiezbox_simulator.stock_radio.settings import RadioSettings


def write(number: int, want_ack: bool = True) -> mesh_pb2.MeshPacket:
    message = admin_pb2.AdminMessage()
    message.set_owner.long_name = f"name {number}"
    packet = mesh_pb2.MeshPacket(id=number, want_ack=want_ack)
    packet.decoded.portnum = PORTS.ADMIN_APP
    packet.decoded.payload = message.SerializeToString()
    return packet


def make() -> tuple[Inbound, RadioSettings]:
    settings = RadioSettings(1, "old", "o", bytes(range(1, 33)))
    return Inbound(settings, NodeDatabase(1)), settings


def test_a_burst_of_writes_loses_the_oldest_of_those_waiting() -> None:
    inbound, settings = make()
    for number in range(1, 8):
        inbound.put(write(number))
        inbound.take(0)
    names = [settings.owner.long_name]
    for step in range(1, 8):
        if inbound.take(step * WRITE_MS) is not None:
            names.append(settings.owner.long_name)
    assert names == ["name 1", "name 4", "name 5", "name 6", "name 7"]
    assert inbound.counters == {"inbound_full": 2}


def test_paced_writes_all_arrive_and_are_acknowledged() -> None:
    inbound, settings = make()
    for number in range(1, 8):
        inbound.put(write(number))
        taken = inbound.take(number * 600)
        assert taken is not None
        outcome, answer = taken
        assert outcome.written
        assert answer is not None
        assert (answer.decoded.request_id, answer.decoded.payload) == (number, b"\x18\x00")
    assert settings.owner.long_name == "name 7"
    assert inbound.counters == {}
    assert inbound.due_ms is None


def test_nonsense_is_counted_and_refused() -> None:
    inbound, settings = make()
    before = settings.files()
    packet = write(1, want_ack=False)
    packet.decoded.payload = b"\xff\xff\xff"
    packet.decoded.want_response = True
    inbound.put(packet)
    taken = inbound.take(0)
    assert taken is not None
    answer = taken[1]
    assert answer is not None
    routing = mesh_pb2.Routing.FromString(answer.decoded.payload)
    assert routing.error_reason == mesh_pb2.Routing.Error.BAD_REQUEST
    assert inbound.counters == {"malformed_admin": 1}
    assert settings.files() == before
