# SPDX-License-Identifier: Apache-2.0
"""The MQTT state machine: bytes by the standard, and bytes nobody should send."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiezbox_gateway.city import mqtt
from kiezbox_gateway.city.mqtt import MqttError, MqttSession

CONNACK = b"\x20\x02\x00\x00"


def connected(version: int = 4) -> MqttSession:
    session = MqttSession("gateway", version)
    session.connect()
    session.take_output()
    session.receive(CONNACK if version == 4 else b"\x20\x03\x00\x00\x00")
    return session


def test_connect_as_the_standard_spells_it() -> None:
    session = MqttSession("gw", 4, 30)
    session.connect("user", b"secret")
    assert session.take_output() == (
        b"\x10\x1c" + b"\x00\x04MQTT\x04\xc0\x00\x1e" + b"\x00\x02gw" + b"\x00\x04user" + b"\x00\x06secret"
    )


def test_publish_subscribe_ping_disconnect_bytes() -> None:
    session = connected()
    assert session.publish("a/b", b"hi") == 1
    session.subscribe(["x/+"])
    session.acknowledge(513)
    session.acknowledge(0)
    session.ping()
    session.disconnect()
    assert session.take_output() == (
        b"\x32\x09\x00\x03a/b\x00\x01hi\x82\x08\x00\x02\x00\x03x/+\x01\x40\x02\x02\x01\xc0\x00\xe0\x00"
    )
    assert session.take_output() == b""


def test_version_5_bounds_of_the_broker_are_read() -> None:
    session = MqttSession("gw", 5)
    session.connect()
    output = session.take_output()
    assert b"\x00\x04MQTT\x05" in output
    properties = (
        b"\x21\x00\x0a" + b"\x27\x00\x00\x10\x00" + b"\x13\x00\x14" + b"\x1f\x00\x03abc" + b"\x26\x00\x01a\x00\x01b"
    )
    body = b"\x01\x00" + bytes([len(properties)]) + properties
    (event,) = session.receive(b"\x20" + bytes([len(body)]) + body)
    assert event == mqtt.Connected(True, 10, 4096, 20)


def test_refusal_is_a_sentence() -> None:
    assert MqttSession("gw").receive(b"\x20\x02\x00\x05") == [mqtt.Refused("not authorised")]
    assert MqttSession("gw", 5).receive(b"\x20\x03\x00\x86\x00") == [mqtt.Refused("wrong user name or password")]
    assert MqttSession("gw", 5).receive(b"\x20\x05\x00\x00\x02\x24\x00") == [
        mqtt.Refused("the broker does not accept QoS 1")
    ]


def test_confirmations_in_any_order_free_their_ids() -> None:
    session = connected()
    ids = [session.publish("t", b"") for _ in range(3)]
    events = session.receive(b"\x40\x02\x00\x03\x40\x02\x00\x01")
    assert events == [mqtt.Confirmed(3, 0), mqtt.Confirmed(1, 0)]
    assert ids == [1, 2, 3]
    with pytest.raises(MqttError, match="not sent"):
        session.receive(b"\x40\x02\x00\x01")


def test_packet_ids_skip_those_in_use_and_end() -> None:
    session = connected()
    for _ in range(65_535):
        session.publish("t", b"")
    with pytest.raises(MqttError, match="no packet id"):
        session.publish("t", b"")
    session.receive(b"\x40\x02\x10\x00")
    assert session.publish("t", b"") == 0x1000


def test_refused_message_of_version_5() -> None:
    session = connected(5)
    session.publish("t", b"")
    assert session.receive(b"\x40\x03\x00\x01\x97") == [mqtt.Confirmed(1, 0x97)]


def test_delivered_message_is_acknowledged_by_the_caller_only() -> None:
    session = connected()
    assert session.receive(b"\x32\x08\x00\x01t\x00\x07abc") == [mqtt.Delivered("t", b"abc", 7)]
    assert session.take_output() == b""
    assert session.receive(b"\x30\x06\x00\x01tabc") == [mqtt.Delivered("t", b"abc", 0)]
    five = connected(5)
    assert five.receive(b"\x32\x0b\x00\x01t\x00\x07\x02\x01\x01abc"[:13] + b"c") == [mqtt.Delivered("t", b"abc", 7)]


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\x40\x02\x00\x01",
        b"\x20\x02\x00\x00" * 2,
        b"\x20\xff\xff\xff\x7f",
        b"\x20\xff\xff\xff\xff\x01",
        CONNACK + b"\x34\x05\x00\x01t\x00\x01",
        CONNACK + b"\x32\x02\x00\x09",
        CONNACK + b"\x30\x04\x00\x02\xff\xfe",
        CONNACK + b"\x40\x01\x00",
        CONNACK + b"\x90\x02\x00\x01",
        CONNACK + b"\x50\x02\x00\x01",
        CONNACK + b"\xe0\x00",
    ],
)
def test_what_a_broker_must_not_send_ends_the_connection(raw: bytes) -> None:
    with pytest.raises(MqttError):
        MqttSession("gw").receive(raw)


@given(st.binary(max_size=300), st.sampled_from([4, 5]), st.booleans())
def test_any_bytes_end_in_events_or_one_error(raw: bytes, version: int, first: bool) -> None:
    session = MqttSession("gw", version)
    session.connect()
    try:
        if first:
            session.receive(CONNACK if version == 4 else b"\x20\x03\x00\x00\x00")
            session.publish("t", b"")
        session.receive(raw)
    except MqttError:
        return


@given(st.binary(min_size=1, max_size=5), st.lists(st.integers(1, 20), min_size=1, max_size=30))
def test_cuts_between_reads_do_not_matter(payload: bytes, cuts: list[int]) -> None:
    stream = CONNACK + (b"\x30" + bytes([3 + len(payload)]) + b"\x00\x01t" + payload) * 20
    whole = MqttSession("gw").receive(stream)
    session = MqttSession("gw")
    events = []
    index = 0
    while stream:
        cut = cuts[index % len(cuts)]
        events += session.receive(stream[:cut])
        stream = stream[cut:]
        index += 1
    assert events == whole


@pytest.mark.parametrize("number", [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 268_435_455])
def test_variable_length_round_trip(number: int) -> None:
    encoded = mqtt.variable_length(number)
    assert mqtt.read_variable_length(encoded, 0) == (number, len(encoded))
    assert mqtt.read_variable_length(encoded[:-1], 0) is None
