# SPDX-License-Identifier: Apache-2.0
"""Stock nodes: text and telemetry in Meshtastic's sizes, relayed by managed flooding, nothing more."""

import pytest

from kiezbox.protocol.channel import Channel as MeshChannel
from kiezbox.protocol.frame import HEADER_LENGTH
from kiezbox_simulator.virtual.ether import Ether
from kiezbox_simulator.virtual.modulation import modulation, on_air_us
from kiezbox_simulator.virtual.schedule import Schedule
from kiezbox_simulator.virtual.stock_node import TELEMETRY_LENGTHS, TEXT_LENGTH_MAX, StockNode
from kiezbox_simulator.world.link import Channel, Site


@pytest.fixture
def street():
    """Three nodes in a row; the ends do not hear each other."""
    ether = Ether(Schedule(), Channel(1, model="log_distance", shadowing_db=0, fading_db=0), on_air_us)
    used = modulation("MEDIUM_FAST")
    channel = MeshChannel("", b"\x01", "MEDIUM_FAST")
    heard = []
    stations = [ether.add(number + 1, Site(f"n{number}", 12_000.0 * number, 0), used, 22.0) for number in range(3)]
    ether.connect()
    nodes = [
        StockNode(ether, station, seed=1, channel=channel, preset_name="MEDIUM_FAST", hop_limit=3,
                  on_packet=lambda node, packet: heard.append((node.station.name, packet)))
        for station in stations
    ]  # fmt: skip
    for node in nodes:
        node.start()
    return ether, nodes, heard


def test_a_text_reaches_the_far_end_over_the_middle(street):
    ether, nodes, heard = street
    assert [receiver.name for receiver, _ in ether.links[0]] == ["n1"]
    packet_id = nodes[0].send_text("Hilfe")
    ether.schedule.run(10_000_000)
    assert [(name, packet.header.packet_id) for name, packet in heard] == [("n1", packet_id), ("n2", packet_id)]
    assert heard[1][1].data.payload == b"Hilfe"
    assert heard[1][1].header.hop_limit == 2
    assert [node.station.sent for node in nodes] == [1, 1, 1]


def test_a_long_text_ends_at_a_whole_character(street):
    ether, nodes, heard = street
    nodes[0].send_text("ü" * 200)
    ether.schedule.run(10_000_000)
    text = heard[0][1].data.payload
    assert len(text) == TEXT_LENGTH_MAX
    assert set(text.decode()) == {"ü"}


def test_a_reading_is_four_packets_of_the_measured_sizes(street):
    ether, nodes, _ = street
    frames = []
    ether.on_end.append(lambda transmission: frames.append((transmission.sender.name, transmission.frame)))
    ids = nodes[0].send_telemetry(1)
    ether.schedule.run(60_000_000)
    assert len(set(ids)) == len(TELEMETRY_LENGTHS) == 4
    # Port number, length and bitfield are six bytes more.
    assert sorted(len(frame) - HEADER_LENGTH - 6 for name, frame in frames if name == "n0") == sorted(TELEMETRY_LENGTHS)


def test_what_does_not_fit_is_counted_and_not_sent(street):
    _, nodes, _ = street
    assert nodes[0].send_bytes(256, bytes(240)) is None
    assert nodes[0].refused == 1


def test_a_power_cut_loses_what_waited_and_the_node_comes_back(street):
    ether, nodes, heard = street
    nodes[0].send_text("verloren")
    nodes[0].cut_power()
    ether.schedule.run(10_000_000)
    assert heard == []
    nodes[0].restore_power()
    packet_id = nodes[0].send_text("da")
    ether.schedule.run(20_000_000)
    assert [(name, packet.header.packet_id) for name, packet in heard] == [("n1", packet_id), ("n2", packet_id)]


def test_an_app_repeats_a_text_that_nobody_relays_and_no_reading(street):
    ether, nodes, _ = street
    nodes[1].cut_power()
    nodes[0].send_text("hört mich jemand")
    ether.schedule.run(60_000_000)
    assert nodes[0].station.sent == 3
    nodes[0].send_telemetry(1)
    ether.schedule.run(120_000_000)
    assert nodes[0].station.sent == 3 + len(TELEMETRY_LENGTHS)


def test_airtime_is_the_stock_rule_and_telemetry_stops_at_half_of_it(street):
    """Ten percent of the hour for everything, nothing kept back for anybody; readings are held back from five on."""
    ether, nodes, _ = street
    one = nodes[0]
    one.ledger.spend(190_000, 0)
    assert one.send_telemetry(1) == []
    assert one.held_back == 1
    one.ledger.spend(165_000, 0)
    one.send_text("noch erlaubt")
    ether.schedule.run(1_000_000)
    assert one.station.sent == 1
    one.ledger.spend(10_000, one.now_ms)
    one.send_text("wartet auf die Stunde")
    ether.schedule.run(60_000_000)
    assert one.station.sent == 1


def test_telemetry_waits_while_a_quarter_of_the_channel_is_in_use(street):
    _, nodes, _ = street
    nodes[0].node.contention.occupied(15_000_000, 0)
    assert nodes[0].send_telemetry(1) == []
    assert nodes[0].held_back == 1
