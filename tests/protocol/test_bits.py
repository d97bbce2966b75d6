# SPDX-License-Identifier: Apache-2.0
"""Bit fields, and chance that is the same on both interpreters."""

from kiezbox.protocol.bits import BitReader, BitWriter
from kiezbox.protocol.random_bits import RandomBits


def test_numbers_of_any_width_come_back() -> None:
    writer = BitWriter()
    for width in range(17):
        writer.write(0x5A5A, width)
        writer.write((1 << width) - 1, width)
    assert writer.length() == 2 * sum(range(17))
    reader = BitReader(writer.finish(0))
    for width in range(17):
        assert reader.read(width) == 0x5A5A & ((1 << width) - 1)
        assert reader.read(width) == (1 << width) - 1


def test_the_end_is_an_error_and_reads_nothing() -> None:
    reader = BitReader(b"\xf0")
    assert reader.read(5) == 0b11110
    try:
        reader.read(4)
    except ValueError:
        assert reader.position == 5
        assert reader.read(3) == 0
    else:
        raise AssertionError


def test_fill() -> None:
    for fill, byte in ((0, 0xA0), (1, 0xBF)):
        writer = BitWriter()
        writer.write(0b101, 3)
        assert writer.finish(fill) == bytes((byte,))
    assert BitWriter().finish(1) == b""


def test_chance_is_the_same_everywhere_and_even() -> None:
    chance = RandomBits(b"entropy", b"purpose")
    assert [chance.below(1000) for _ in range(6)] == FIRST
    assert RandomBits(b"entropy", b"other").below(1 << 20) != RandomBits(b"entropy", b"purpose").below(1 << 20)
    counts = [0] * 8
    for _ in range(4000):
        counts[chance.below(8)] += 1
    assert min(counts) > 400
    assert max(counts) < 600


FIRST = [771, 750, 918, 726, 806, 121]
