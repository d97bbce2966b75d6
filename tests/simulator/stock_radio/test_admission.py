# SPDX-License-Identifier: Apache-2.0
"""The rate limits measured on the real firmware."""

import pytest
from meshtastic.protobuf import mesh_pb2

from kiezbox.protocol.frame import BROADCAST
from kiezbox_simulator.stock_radio.admission import PORTS, Admission


def packet(port: int, packet_id: int, **fields: int) -> mesh_pb2.MeshPacket:
    result = mesh_pb2.MeshPacket(id=packet_id, to=BROADCAST, **fields)
    result.decoded.portnum = port
    return result


@pytest.mark.parametrize(
    ("port", "pause_ms"),
    [
        (PORTS.TEXT_MESSAGE_APP, 2_000),
        (PORTS.POSITION_APP, 10_000),
        (PORTS.TELEMETRY_APP, 10_000),
        (PORTS.ALERT_APP, 10_000),
        (PORTS.WAYPOINT_APP, 10_000),
        (PORTS.TRACEROUTE_APP, 30_000),
    ],
)
def test_one_in_its_time(port: int, pause_ms: int) -> None:
    admission = Admission()
    assert admission.judge(packet(port, 1), 1_000).taken
    refused = admission.judge(packet(port, 2), 1_000 + pause_ms - 1)
    assert not refused.taken
    assert not refused.silent
    # A refused one does not start the pause again.
    assert admission.judge(packet(port, 3), 1_000 + pause_ms).taken


def test_private_packets_pass_as_fast_as_they_come() -> None:
    admission = Admission()
    assert all(admission.judge(packet(256, number), 0).taken for number in range(1, 100))


def test_only_a_refused_text_gets_a_routing_error() -> None:
    admission = Admission()
    for port, error in ((PORTS.TEXT_MESSAGE_APP, mesh_pb2.Routing.Error.RATE_LIMIT_EXCEEDED), (PORTS.POSITION_APP, 0)):
        admission.judge(packet(port, port * 10), 0)
        assert admission.judge(packet(port, port * 10 + 1), 1).routing_error == error


def test_an_id_of_the_last_twenty_is_dropped_in_silence_over_connections() -> None:
    admission = Admission()
    for number in range(1, 22):
        assert admission.judge(packet(256, number), 0).taken
    admission.connected()
    assert admission.judge(packet(256, 21), 0).silent
    assert admission.judge(packet(256, 1), 0).taken
    assert admission.judge(packet(256, 0), 0).taken
    assert admission.judge(packet(256, 0), 0).taken


def test_a_new_connection_starts_the_pauses_anew() -> None:
    admission = Admission()
    admission.judge(packet(PORTS.TEXT_MESSAGE_APP, 1), 0)
    admission.connected()
    assert admission.judge(packet(PORTS.TEXT_MESSAGE_APP, 2), 1).taken


def test_a_broadcast_traceroute_over_hops_is_refused() -> None:
    verdict = Admission().judge(packet(PORTS.TRACEROUTE_APP, 1, hop_limit=3), 0)
    assert (verdict.taken, verdict.notification) == (
        False,
        "Multi-hop traceroute to broadcast address is not allowed",
    )
