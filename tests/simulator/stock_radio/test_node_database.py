# SPDX-License-Identifier: Apache-2.0
"""The list of nodes: what is learned, how hops are counted, who makes room."""

from meshtastic.protobuf import mesh_pb2, telemetry_pb2

from kiezbox_simulator.stock_radio.node_database import NODES_MAX, NodeDatabase
from kiezbox_simulator.stock_radio.settings import RadioSettings


def packet(node_num: int, **fields: float) -> mesh_pb2.MeshPacket:
    result = mesh_pb2.MeshPacket(**fields)
    setattr(result, "from", node_num)
    return result


def test_a_heard_node_is_listed_with_hops_and_signal() -> None:
    nodes = NodeDatabase(1)
    nodes.heard(packet(2, hop_start=5, hop_limit=2, rx_snr=-3.5), 1_700_000_000)
    (node,) = nodes.others()
    assert (node.num, node.hops_away, node.snr, node.last_heard) == (2, 3, -3.5, 1_700_000_000)
    assert not nodes.has_user(2)
    nodes.set_user(2, mesh_pb2.User(id="!ffffffff", long_name="Kiezbox 2", short_name="K2"))
    (node,) = nodes.others()
    assert (node.user.id, node.user.long_name) == ("!00000002", "Kiezbox 2")
    assert nodes.has_user(2)


def test_a_known_key_is_not_replaced() -> None:
    nodes = NodeDatabase(1)
    nodes.set_user(2, mesh_pb2.User(long_name="a", public_key=b"1" * 32))
    nodes.set_user(2, mesh_pb2.User(long_name="thief", public_key=b"2" * 32))
    nodes.set_user(2, mesh_pb2.User(long_name="renamed"))
    (node,) = nodes.others()
    assert (node.user.long_name, nodes.public_key(2)) == ("renamed", b"1" * 32)


def test_position_and_metrics_are_kept() -> None:
    nodes = NodeDatabase(1)
    nodes.set_position(2, mesh_pb2.Position(latitude_i=524_000_000))
    nodes.set_metrics(2, telemetry_pb2.DeviceMetrics(battery_level=80))
    (node,) = nodes.others()
    assert (node.position.latitude_i, node.device_metrics.battery_level) == (524_000_000, 80)


def test_the_longest_silent_makes_room_but_no_favourite() -> None:
    nodes = NodeDatabase(1)
    for number in range(2, NODES_MAX + 1):
        nodes.heard(packet(number), number)
    nodes.set_favorite(2, True)
    assert len(nodes) == NODES_MAX
    nodes.heard(packet(5000), 5000)
    assert len(nodes) == NODES_MAX
    assert nodes.evicted == 1
    assert 2 in nodes
    assert 3 not in nodes
    assert 5000 in nodes


def test_itself_is_first_and_favourite_and_never_among_the_others() -> None:
    settings = RadioSettings(1, "me", "m", bytes(32))
    nodes = NodeDatabase(1)
    nodes.heard(packet(1), 1)
    assert list(nodes.others()) == []
    assert nodes.own(settings).is_favorite
    nodes.heard(packet(2), 1)
    nodes.heard(packet(3), 1)
    nodes.remove(2)
    assert [node.num for node in nodes.others()] == [3]
    nodes.clear()
    assert len(nodes) == 1
