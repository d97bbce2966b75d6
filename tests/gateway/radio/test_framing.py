# SPDX-License-Identifier: Apache-2.0
"""Framing of the stream API under debug text, lost bytes and arbitrary cuts."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiezbox_gateway.radio import framing


def parse(payload: bytes) -> bytes:
    """Payloads of the tests end with a check byte; a protobuf that lost a byte is refused about as surely."""
    if not payload or (sum(payload[:-1]) + len(payload)) % 251 != payload[-1]:
        raise ValueError("malformed")
    return payload


def message(content: bytes) -> bytes:
    return content + bytes([(sum(content) + len(content) + 1) % 251])


def test_message_in_pieces() -> None:
    reader = framing.FrameReader(parse)
    whole = framing.encode(message(b"abc")) + framing.encode(message(b"d" * 511))
    found = [each for byte in whole for each in reader.feed(bytes([byte]))]
    assert found == [message(b"abc"), message(b"d" * 511)]
    assert reader.skipped_bytes == 0
    assert not reader.incomplete


def test_debug_text_is_skipped_and_counted() -> None:
    reader = framing.FrameReader(parse)
    text = b"INFO | ??:??:?? 12 [Router] hello\r\n"
    assert reader.feed(text + framing.encode(message(b"x")) + text) == [message(b"x")]
    assert reader.skipped_bytes == 2 * len(text)


def test_false_start_does_not_swallow_the_next_frame() -> None:
    reader = framing.FrameReader(parse)
    assert reader.feed(b"\x94\xc3\x00\x05" + framing.encode(message(b"abc"))) == [message(b"abc")]
    assert reader.refused_frames == 1


def test_frame_that_lost_a_byte_costs_only_itself() -> None:
    broken = framing.encode(message(b"q" * 30))
    reader = framing.FrameReader(parse)
    good = [message(bytes([number]) * 20) for number in range(5)]
    stream = broken[:10] + broken[11:] + b"".join(map(framing.encode, good))
    assert reader.feed(stream) == good


def test_length_beyond_the_limit_is_no_frame() -> None:
    reader = framing.FrameReader(parse)
    assert reader.feed(b"\x94\xc3\x02\x01" + framing.encode(message(b"ok"))) == [message(b"ok")]


def test_half_frame_is_given_up() -> None:
    reader = framing.FrameReader(parse)
    inner = framing.encode(message(b"inside"))
    assert reader.feed(b"\x94\xc3\x01\x00" + inner) == []
    assert reader.incomplete
    assert reader.give_up() == [message(b"inside")]
    assert not reader.incomplete


def test_encode_refuses_too_long() -> None:
    with pytest.raises(ValueError, match="512"):
        framing.encode(bytes(513))


@given(st.lists(st.binary(max_size=40).filter(lambda raw: 0x94 not in raw), max_size=20), st.integers())
def test_any_noise_between_frames(noise: list[bytes], seed: int) -> None:
    chance = random.Random(seed)
    reader = framing.FrameReader(parse)
    wanted = [message(bytes([number, 0x11])) for number in range(len(noise))]
    stream = b"".join(junk + framing.encode(each) for junk, each in zip(noise, wanted))
    found = []
    while stream:
        cut = chance.randint(1, 30)
        found += reader.feed(stream[:cut])
        stream = stream[cut:]
    assert found == wanted


@given(st.binary(max_size=2000))
def test_any_bytes_are_survived_in_bounded_memory(raw: bytes) -> None:
    reader = framing.FrameReader(parse)
    reader.feed(raw)
    for _ in range(len(raw) + 1):
        reader.give_up()
    assert not reader.incomplete
