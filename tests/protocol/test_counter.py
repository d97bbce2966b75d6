# SPDX-License-Identifier: Apache-2.0
"""Counters that survive power cuts."""

from kiezbox.protocol.counter import BLOCK, CounterExhausted, ReservedCounter

LAST = 0xFFFFFFFF


def exhausted(counter: ReservedCounter) -> bool:
    try:
        counter.take()
    except CounterExhausted:
        return True
    return False


def test_gives_nothing_before_flash_holds_the_block() -> None:
    counter = ReservedCounter()
    assert exhausted(counter)
    assert counter.wanted() == 1 + BLOCK
    assert exhausted(counter)
    counter.persisted(1 + BLOCK)
    assert counter.take() == 1
    assert counter.take() == 2


def test_asks_once_and_again_when_told_that_writing_failed() -> None:
    counter = ReservedCounter()
    value = counter.wanted()
    assert counter.wanted() == 0
    counter.ask_again()
    assert counter.wanted() == value


def test_asks_for_the_next_block_before_the_present_one_ends() -> None:
    counter = ReservedCounter(block=8)
    counter.persisted(counter.wanted())
    taken = 0
    while not counter.wanted():
        counter.take()
        taken += 1
    assert taken == 4
    assert counter.available() == 4


def test_power_cut_skips_and_never_repeats() -> None:
    flash = 0
    used = set()
    for cut in range(40):
        counter = ReservedCounter(flash, block=8)
        asked = counter.wanted()
        if cut % 3 == 0:
            continue  # the power went before the write
        flash = asked
        if cut % 3 == 1:
            continue  # the power went before the confirmation
        counter.persisted(asked)
        for _ in range(cut % 9):
            if counter.available():
                number = counter.take()
                assert number not in used
                used.add(number)
    assert len(used) > 40


def test_confirmation_that_was_not_asked_for_changes_nothing() -> None:
    counter = ReservedCounter()
    counter.persisted(1000)
    assert exhausted(counter)
    asked = counter.wanted()
    counter.persisted(asked + 1)
    assert exhausted(counter)
    counter.persisted(asked)
    counter.persisted(asked)
    assert counter.available() == BLOCK


def test_ends_at_the_last_number() -> None:
    counter = ReservedCounter(LAST - 1)
    counter.persisted(counter.wanted())
    assert counter.take() == LAST - 1
    assert counter.take() == LAST
    assert exhausted(counter)
    assert counter.wanted() == 0
    assert exhausted(ReservedCounter(LAST + 1))


def test_refuses_a_saved_value_out_of_range() -> None:
    for saved in (-1, LAST + 2):
        try:
            ReservedCounter(saved)
        except ValueError:
            continue
        raise AssertionError(saved)
