# SPDX-License-Identifier: Apache-2.0
"""The order in which a radio tells its configuration, and the two special nonces."""

from itertools import groupby

from meshtastic.protobuf import mesh_pb2

from kiezbox_simulator.stock_radio import handshake
from kiezbox_simulator.stock_radio.node_database import NodeDatabase
from kiezbox_simulator.stock_radio.settings import RadioSettings

SETTINGS = RadioSettings(0x7C3E51A4, "Rathaus", "RH", bytes(range(1, 33)))


def play(nonce: int) -> list[mesh_pb2.FromRadio]:
    nodes = NodeDatabase(SETTINGS.node_num)
    nodes.set_user(2, mesh_pb2.User(long_name="Kiezbox 2"))
    nodes.set_user(3, mesh_pb2.User(long_name="Kiezbox 3"))
    return list(handshake.handshake(nonce, SETTINGS, nodes))


def kinds(messages: list[mesh_pb2.FromRadio]) -> list[tuple[str | None, int]]:
    names = [message.WhichOneof("payload_variant") for message in messages]
    return [(name, len(list(group))) for name, group in groupby(names)]


def test_the_firmware_order() -> None:
    messages = play(77)
    assert kinds(messages) == [
        ("my_info", 1),
        ("deviceuiConfig", 1),
        ("node_info", 1),
        ("metadata", 1),
        ("channel", 8),
        ("config", 10),
        ("moduleConfig", 13),
        ("node_info", 2),
        ("fileInfo", 4),
        ("config_complete_id", 1),
    ]
    assert messages[-1].config_complete_id == 77
    assert messages[0].my_info.my_node_num == 0x7C3E51A4
    sections = [m.config.WhichOneof("payload_variant") for m in messages if m.HasField("config")]
    assert sections == list(handshake.CONFIG_SECTIONS)
    assert [m.channel.index for m in messages if m.HasField("channel")] == list(range(8))


def test_every_message_fits_the_stream() -> None:
    assert max(len(message.SerializeToString()) for message in play(77)) <= 512


def test_without_nodes_and_only_nodes() -> None:
    assert ("node_info", 2) not in kinds(play(handshake.ONLY_CONFIG_NONCE))
    assert kinds(play(handshake.ONLY_NODES_NONCE)) == [("node_info", 3), ("config_complete_id", 1)]
