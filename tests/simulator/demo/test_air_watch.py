# SPDX-License-Identifier: Apache-2.0
"""What the demo's listener learns from frames on the air."""

from kiezbox.protocol.channel import Channel
from kiezbox.protocol.frame import BROADCAST, Header, encode_header
from kiezbox.protocol.packet import NODEINFO_APP, Data, encode_data
from kiezbox_simulator.demo.air_watch import AirWatch
from kiezbox_simulator.ether.server import Watched

CHANNEL = Channel("Kiezbox", bytes(range(32)))


def introduction(node: int, start_ms: int, heard: list[str], hop_limit: int = 5) -> Watched:
    header = Header(
        to_node=BROADCAST, from_node=node, packet_id=77, hop_limit=hop_limit, hop_start=5, channel_hash=CHANNEL.hash
    )
    plain = encode_data(Data(NODEINFO_APP, b"\x0a\x09!00000001"))
    frame = bytes(encode_header(header)) + bytes(CHANNEL.crypt(node, 77, plain))
    return Watched(start_ms, f"box {node}", 55, frame.hex(), heard, {})


def test_it_knows_whose_name_was_heard_where_and_since_when() -> None:
    air = AirWatch(CHANNEL, "gateway radio")
    air.take(introduction(1, 1000, ["box 2"]))
    air.take(introduction(1, 1400, ["box 1", "resident's radio"], 4))
    air.take(introduction(2, 2000, []))
    assert air.names == {1: (1000, {"box 2", "box 1", "resident's radio"}), 2: (2000, set())}
    assert (air.frames, air.sent) == (3, {})
