# SPDX-License-Identifier: Apache-2.0
"""Cutting and putting together, in any order, with losses, within bounds."""

from kiezbox.protocol.fragment import COUNT_MAX, Assembler, split


def test_parts_are_few_and_about_equal() -> None:
    for length in (0, 1, 216, 217, 432, 433, 1000, 1728):
        body = bytes(n & 0xFF for n in range(length))
        parts = split(body, 216)
        assert b"".join(parts) == body
        assert len(parts) == max(1, -(-length // 216))
        sizes = [len(part) for part in parts]
        assert max(sizes) - min(sizes) <= 1


def test_any_order_and_repetition() -> None:
    parts = split(b"abcdefghij", 3)
    assembler = Assembler(2, 1000, 60_000)
    for index in (3, 1, 1, 3, 0):
        assert assembler.add("k", index, 4, parts[index], 0) is None
    assert assembler.held("k") == 0b1011
    assert assembler.add("k", 2, 4, parts[2], 0) == b"abcdefghij"
    assert assembler.held("k") == 0
    assert assembler.dropped == 0


def test_single_fragments_pass_through() -> None:
    assembler = Assembler(0, 0, 0)
    assert assembler.add(1, 0, 1, b"x", 0) == b"x"


def test_counts_must_agree() -> None:
    assembler = Assembler(2, 1000, 60_000)
    assembler.add(1, 0, 3, b"x", 0)
    for index, count in ((1, 2), (0, COUNT_MAX + 1)):
        try:
            assembler.add(1, index, count, b"y", 0)
        except ValueError:
            continue
        raise AssertionError
    assert assembler.held(1) == 1


def test_the_message_that_waited_longest_gives_way() -> None:
    assembler = Assembler(2, 1000, 60_000)
    for key in range(3):
        assembler.add(key, 0, 2, b"x", key)
    assert assembler.held(0) == 0
    assert assembler.held(1) == assembler.held(2) == 1
    assert assembler.dropped == 1
    bytes_bound = Assembler(9, 10, 60_000)
    bytes_bound.add(1, 0, 2, b"123456", 0)
    bytes_bound.add(2, 0, 2, b"123456", 1)
    assert bytes_bound.held(1) == 0
    bytes_bound.add(3, 0, 2, b"12345678901", 2)
    assert bytes_bound.waiting() == []
    assert bytes_bound.dropped == 3


def test_expiry() -> None:
    assembler = Assembler(2, 1000, 60_000)
    assembler.add(1, 0, 2, b"x", 0)
    assembler.expire(59_999)
    assert assembler.held(1)
    assert assembler.add(1, 1, 2, b"y", 60_000) is None
    assert assembler.held(1) == 0b10
    assembler.forget(1)
    assert assembler.waiting() == []
