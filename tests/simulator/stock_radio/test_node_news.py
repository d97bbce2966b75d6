# SPDX-License-Identifier: Apache-2.0
"""When a radio says its name, and to whom."""

import pytest
from meshtastic.protobuf import mesh_pb2

from kiezbox.protocol.frame import BROADCAST
from kiezbox_simulator.stock_radio.node_database import NodeDatabase
from kiezbox_simulator.stock_radio.node_news import FIRST_MS, PAUSE_MS, NodeNews
from kiezbox_simulator.stock_radio.packets import PORTS
from kiezbox_simulator.stock_radio.settings import RadioSettings

OWN = 1


@pytest.fixture
def nodes() -> NodeDatabase:
    return NodeDatabase(OWN)


@pytest.fixture
def news(nodes: NodeDatabase) -> NodeNews:
    return NodeNews(RadioSettings(OWN, "me", "m", bytes(range(1, 33))), nodes, 0)


def packet(node: int, port: int, payload: bytes = b"", to: int = BROADCAST, **fields: int) -> mesh_pb2.MeshPacket:
    result = mesh_pb2.MeshPacket(to=to, id=99, **fields)
    setattr(result, "from", node)
    result.decoded.portnum = port  # type: ignore[assignment]
    result.decoded.payload = payload
    return result


def test_first_after_half_a_minute_then_in_the_interval(news: NodeNews) -> None:
    assert news.periodic(FIRST_MS - 1, 0, 0) is None
    first = news.periodic(FIRST_MS, 0, 0)
    assert first is not None
    assert (first.to_node, first.want_response) == (BROADCAST, False)
    assert news.due_ms == FIRST_MS + 10_800_000
    assert news.periodic(news.due_ms, 0, 0) is not None


def test_it_is_silent_where_the_air_is_full(news: NodeNews) -> None:
    assert news.periodic(FIRST_MS, 41, 0) is None
    assert news.periodic(news.due_ms, 0, 5.1) is None


def test_an_unknown_node_is_asked_once_in_ten_minutes(news: NodeNews) -> None:
    asked = news.heard(packet(2, PORTS.TEXT_MESSAGE_APP), 0, 0)
    assert asked is not None
    assert (asked.to_node, asked.want_response) == (2, True)
    assert news.heard(packet(3, PORTS.TEXT_MESSAGE_APP), PAUSE_MS - 1, 0) is None
    assert news.heard(packet(3, PORTS.TEXT_MESSAGE_APP), PAUSE_MS, 0) is not None


def test_a_name_is_learned_and_a_question_answered(news: NodeNews, nodes: NodeDatabase) -> None:
    user = mesh_pb2.User(long_name="Kiezbox 2").SerializeToString()
    asking = packet(2, PORTS.NODEINFO_APP, user, to=OWN)
    asking.decoded.want_response = True
    answer = news.heard(asking, 0, 0)
    assert answer is not None
    assert (answer.to_node, answer.request_id, answer.want_response) == (2, 99, False)
    assert nodes.has_user(2)
    # Who asks again within twelve hours is not answered.
    assert news.heard(asking, PAUSE_MS * 2, 0) is None


def test_a_broadcast_question_from_afar_is_not_answered(news: NodeNews) -> None:
    asking = packet(2, PORTS.NODEINFO_APP, mesh_pb2.User(long_name="x").SerializeToString(), hop_start=3, hop_limit=2)
    asking.decoded.want_response = True
    assert news.heard(asking, 0, 0) is None


def test_a_ping_is_answered_after_a_minute(news: NodeNews) -> None:
    assert news.ping(0, 0) is not None
    assert news.ping(59_999, 0) is None
    assert news.ping(60_000, 0) is not None


def test_a_payload_that_is_no_user_teaches_nothing(news: NodeNews, nodes: NodeDatabase) -> None:
    assert news.heard(packet(2, PORTS.NODEINFO_APP, b"\xff\xff"), 0, 0) is None
    assert not nodes.has_user(2)
