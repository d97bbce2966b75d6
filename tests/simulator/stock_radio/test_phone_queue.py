# SPDX-License-Identifier: Apache-2.0
"""What waits for a client: 32 packets, and what happens to the 33rd."""

from meshtastic.protobuf import mesh_pb2

from kiezbox_simulator.stock_radio.phone_queue import PLACES, PUSHING_PORTS, PhoneQueue


def packet(number: int, port: int = 256) -> mesh_pb2.MeshPacket:
    result = mesh_pb2.MeshPacket(id=number)
    result.decoded.portnum = port
    return result


def ids(queue: PhoneQueue) -> list[int]:
    return [message.packet.id for message in iter(queue.take, None)]


def test_a_packet_too_many_is_lost_itself_and_counted() -> None:
    queue = PhoneQueue()
    for number in range(PLACES + 3):
        queue.put_packet(packet(number))
    assert queue.dropped == {"to_phone_full": 3}
    assert ids(queue) == list(range(PLACES))


def test_a_text_pushes_out_the_oldest() -> None:
    queue = PhoneQueue()
    for number in range(PLACES):
        queue.put_packet(packet(number))
    queue.put_packet(packet(99, next(iter(PUSHING_PORTS))))
    assert queue.dropped == {"to_phone_oldest": 1}
    assert ids(queue) == [*range(1, PLACES), 99]


def test_states_go_first_then_notifications() -> None:
    queue = PhoneQueue()
    queue.put_packet(packet(1))
    queue.put_notification(mesh_pb2.ClientNotification(message="x"))
    queue.put_state(mesh_pb2.QueueStatus(free=3))
    kinds = [message.WhichOneof("payload_variant") for message in iter(queue.take, None)]
    assert kinds == ["queueStatus", "clientNotification", "packet"]
