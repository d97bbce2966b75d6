# SPDX-License-Identifier: Apache-2.0
"""Custody: repeated until settled, ordered by rank, bounded, never given up."""

from kiezbox.protocol.custody import Custody, CustodyFull, Outgoing
from kiezbox.protocol.random_bits import RandomBits


def custody() -> Custody:
    return Custody(RandomBits(b"seed"))


def message(counter: int, rank: int = 5, attempts_max: int = 1, parts: int = 1) -> Outgoing:
    return Outgoing(1, counter, rank, [b"x"] * parts, attempts_max)


def test_the_most_important_goes_first_then_the_least_tried() -> None:
    held = custody()
    for counter, rank in ((1, 5), (2, 0), (3, 3), (4, 0)):
        held.hold(message(counter, rank, 0), 0)
    assert [held.due(0, 5).counter for _ in range(4)] == [2, 4, 3, 1]
    assert held.due(0, 5) is None


def test_a_rank_that_may_not_go_waits() -> None:
    held = custody()
    held.hold(message(1, 5), 0)
    assert held.due(0, 0) is None
    assert held.next_due_ms(0) is None
    assert held.next_due_ms(5) == 0
    assert held.due(0, 5).counter == 1


def test_what_is_in_custody_can_be_brought_forward_and_nothing_is_put_off() -> None:
    held = custody()
    for counter, attempts_max in ((1, 0), (2, 0), (3, 3)):
        held.hold(message(counter, attempts_max=attempts_max), 0)
    while held.due(0, 5):
        pass
    held.find(1).due_ms = 10**6
    held.find(2).due_ms = 11
    held.find(3).due_ms = 10**6
    held.bring_forward(10, 60_000)
    assert 10 <= held.find(1).due_ms < 60_010
    assert held.find(2).due_ms <= 11
    assert held.find(3).due_ms == 10**6


def test_attempts_end_and_custody_does_not() -> None:
    held = custody()
    held.hold(message(1, attempts_max=3), 0)
    held.hold(message(2, rank=0, attempts_max=0), 0)
    now_ms = 0
    sent = {1: 0, 2: 0}
    for _ in range(200):
        due = held.due(now_ms, 5)
        if due:
            sent[due.counter] += 1
        now_ms += 60_000
    assert sent[1] == 3
    assert 10 <= sent[2] <= 25
    assert held.settle(2).counter == 2
    assert held.settle(2) is None
    assert held.next_due_ms(5) is None


def test_repair_sends_only_what_is_missing_and_soon() -> None:
    held = custody()
    held.hold(message(7, 0, 0, parts=4), 0)
    assert held.due(0, 5).wanted == 0b1111
    assert held.repair(7, 0b1011, 1000)
    assert not held.repair(7, 0b1111, 1000)
    assert not held.repair(8, 0, 1000)
    assert held.next_due_ms(5) < 2000
    assert held.due(2000, 5).wanted == 0b0100


def test_full_custody_gives_up_readings_first_and_never_a_call() -> None:
    held = custody()
    for counter in range(1, 11):
        held.hold(message(counter, 0, 0), 0)
    for counter in range(11, 17):
        held.hold(message(counter, 5, 1), 0)
    held.hold(message(17, 0, 0), 0)
    assert held.dropped == 1
    held.hold(message(18, 5, 1), 0)
    assert held.dropped == 2, "a newer reading takes the place of an older one"
    assert len(held.messages) == 16
    for counter in range(19, 24):
        held.hold(message(counter, 0, 0), 0)
    assert held.dropped == 7
    for rank, attempts_max in ((0, 0), (5, 1)):
        try:
            held.hold(message(30, rank, attempts_max), 0)
        except CustodyFull:
            assert len(held.messages) == 16
            assert all(one.attempts_max == 0 for one in held.messages)
        else:
            raise AssertionError


def test_the_same_counter_replaces() -> None:
    held = custody()
    held.hold(message(1, 0, 0), 0)
    held.hold(message(1, 0, 0, parts=2), 0)
    assert len(held.messages) == 1
    assert held.find(1).wanted == 0b11


def test_a_new_call_parks_the_one_tried_most_often() -> None:
    held = custody()
    for counter in range(1, 17):
        held.hold(message(counter, 3 if counter == 5 else 0, 0), 0, True)
    try:
        held.hold(message(17, 0, 0), 0, True)
    except CustodyFull:
        assert len(held.messages) == 16, "each of them has still to go out for the first time"
    else:
        raise AssertionError
    now_ms = 0
    while any(one.attempt == 0 for one in held.messages):
        held.due(now_ms, 5)
    held.due(20_000, 5)
    [twice] = [one.counter for one in held.messages if one.attempt == 2]
    try:
        held.hold(message(17, 0, 0), 0)
    except CustodyFull:
        assert not held.parked, "what was sent before waits for room"
    else:
        raise AssertionError
    held.hold(message(17, 0, 0), 0, True)
    assert held.parked
    assert held.find(5) is None, "the less important one first"
    held.hold(message(18, 0, 0), 0, True)
    assert held.find(twice) is None
    assert {17, 18} <= {one.counter for one in held.messages}
    assert held.dropped == 0
    try:
        held.hold(message(19, 5, 1), 0, True)
    except CustodyFull:
        assert len(held.messages) == 16, "a reading parks nobody"
    else:
        raise AssertionError
