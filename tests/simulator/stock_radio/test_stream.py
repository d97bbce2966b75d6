# SPDX-License-Identifier: Apache-2.0
"""Framing as the firmware reads it: in any pieces, with garbage around, never holding more than one frame."""

import random

import pytest

from kiezbox_simulator.stock_radio.stream import FrameReader, encode

PAYLOADS = [b"", b"\x94\xc3", b"hello", bytes(512)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 2000])
def test_frames_come_out_whatever_the_pieces(size: int) -> None:
    stream = b"boot log\n" + b"\xc3" * 32 + b"".join(encode(payload) for payload in PAYLOADS)
    reader = FrameReader()
    found = [p for start in range(0, len(stream), size) for p in reader.feed(stream[start : start + size])]
    assert found == PAYLOADS
    assert reader.skipped_bytes == 9 + 32


def test_a_length_above_512_is_no_frame() -> None:
    reader = FrameReader()
    assert reader.feed(b"\x94\xc3\x02\x01" + encode(b"next")) == [b"next"]


def test_a_header_in_garbage_swallows_what_it_promises_and_wake_bytes_end_it() -> None:
    reader = FrameReader()
    assert reader.feed(b"\x94\xc3\x00\x20") == []
    assert reader.feed(b"\xc3" * 32) == [b"\xc3" * 32]
    assert reader.feed(encode(b"next")) == [b"next"]


def test_noise_never_makes_it_hold_more_than_a_frame() -> None:
    chance = random.Random(4)
    reader = FrameReader()
    for _ in range(2000):
        reader.feed(chance.randbytes(chance.randrange(1, 60)) + b"\x94\xc3")
        assert len(reader._buffer) <= 4 + 512 + 62
