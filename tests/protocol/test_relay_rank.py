# SPDX-License-Identifier: Apache-2.0
from kiezbox.protocol import envelope, priority
from kiezbox.protocol.packet import Data
from kiezbox.protocol.relay_rank import HOUR_MS, ORIGINS_MAX, OriginCap, relay_rank


def rank(kind, scheme=1):
    return relay_rank(Data(envelope.PORTNUM, bytes((0x10 | scheme, kind)) + bytes(20)))


def test_every_kind_has_its_rank():
    assert rank(envelope.EMERGENCY) == priority.RELAYED_EMERGENCY
    assert rank(envelope.BUTTON) == priority.RELAYED_EMERGENCY
    assert rank(envelope.RECEIPT) == priority.RECEIPT
    assert rank(envelope.READING) == rank(envelope.HEALTH) == priority.READING
    assert rank(envelope.QUERY) == priority.STRANGER
    for kind in (envelope.EXERCISE, envelope.MODE, envelope.BULLETIN, envelope.TIME, envelope.REPLY):
        assert rank(kind) == priority.COMMAND, kind


def test_a_typed_text_is_a_call_and_everything_else_is_a_strangers():
    assert relay_rank(Data(1, b"Hilfe")) == priority.RELAYED_EMERGENCY
    for data in (
        Data(3, b"x"),
        Data(67),
        Data(257, b"\x11\x03"),
        Data(256),
        Data(256, b"\x11"),
        Data(256, b"\x21\x03"),
    ):
        assert relay_rank(data) == priority.STRANGER
    assert rank(255) == priority.STRANGER


def test_what_one_origin_gains_is_capped_for_an_hour():
    cap = OriginCap(360_000)
    assert cap.admits(b"aaaa", 36_000_000, 0)
    cap.spend(b"aaaa", 35_000_000, 0)
    assert cap.admits(b"aaaa", 1_000_000, 1_000)
    assert not cap.admits(b"aaaa", 1_000_001, 1_000)
    assert cap.admits(b"bbbb", 36_000_000, 1_000)
    assert not cap.admits(b"aaaa", 1_000_001, HOUR_MS - 1)
    assert cap.admits(b"aaaa", 1_000_001, HOUR_MS)
    cap.spend(b"aaaa", 36_000_000, HOUR_MS)
    assert not cap.admits(b"aaaa", 1, HOUR_MS)


def test_origins_are_bounded_and_the_oldest_goes():
    cap = OriginCap(360_000)
    for number in range(ORIGINS_MAX + 1):
        cap.spend(number.to_bytes(4, "little"), 36_000_000, number)
    assert cap.admits(bytes(4), 1, ORIGINS_MAX)
    assert not cap.admits((1).to_bytes(4, "little"), 1, ORIGINS_MAX)
