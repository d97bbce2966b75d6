# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiezbox.box.journal import RECORD_LENGTH_MAX, Journal
from tests.box.conftest import RunProgram

Open = Callable[[], Journal]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    journals: list[Journal] = []

    def open_journal() -> Journal:
        journals.append(Journal(f"{tmp_path}/a.log"))
        return journals[-1]

    yield open_journal
    for journal in journals:
        journal.close()


def test_records_come_back_in_order(opened: Open) -> None:
    journal = opened()
    for number in range(20):
        journal.append(number % 3, b"x" * number)
    assert list(journal.records()) == [(number % 3, b"x" * number) for number in range(20)]
    assert list(opened().records()) == list(journal.records())


@pytest.mark.parametrize("cut", range(1, 14))
def test_a_torn_last_record_is_not_read_and_the_others_are(opened: Open, cut: int) -> None:
    journal = opened()
    journal.append(1, b"first")
    journal.append(1, b"second")
    whole = Path(journal.path).read_bytes()
    Path(journal.path).write_bytes(whole[:-cut])
    assert list(journal.records()) == [(1, b"first")]


def test_a_changed_bit_is_noticed(opened: Open) -> None:
    journal = opened()
    journal.append(1, b"payload")
    whole = Path(journal.path).read_bytes()
    for bit in range(len(whole) * 8):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        Path(journal.path).write_bytes(bytes(changed))
        assert list(journal.records()) == []


@given(
    sizes=st.lists(st.integers(0, 300), min_size=1, max_size=12),
    noise=st.binary(min_size=1, max_size=40),
    place=st.integers(0, 4000),
    over=st.booleans(),
)
def test_whatever_is_damaged_the_other_records_count(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], noise: bytes, place: int, over: bool
) -> None:
    path = str(tmp_path_factory.mktemp("damage") / "a.log")
    journal = Journal(path)
    for number, size in enumerate(sizes):
        journal.append(number, bytes([number]) * size)
    journal.close()
    whole = Path(path).read_bytes()
    place %= len(whole) + 1
    end = place + len(noise) if over else place
    Path(path).write_bytes(whole[:place] + noise + whole[end:])
    untouched = []
    at = 0
    for number, size in enumerate(sizes):
        if at + size + 8 <= place or at >= end:
            untouched.append((number, bytes([number]) * size))
        at += size + 8
    again = Journal(path)
    found = list(again.records())
    assert all(one in found for one in untouched)
    again.append(77, b"goes on")
    assert list(again.records())[-1] == (77, b"goes on")
    again.close()
    after = Journal(path)
    assert not after.damaged
    after.close()


def test_a_file_that_says_it_is_damaged(opened: Open) -> None:
    journal = opened()
    journal.append(1, b"first")
    assert not opened().damaged
    with open(journal.path, "ab") as file:
        file.write(b"rubbish")
    assert opened().damaged
    assert not opened().damaged


def test_a_damaged_end_is_cut_off_before_the_next_record(opened: Open) -> None:
    journal = opened()
    journal.append(1, b"first")
    journal.append(1, b"second")
    journal.close()
    with open(journal.path, "r+b") as file:
        file.truncate(journal.size_bytes() - 3)
    again = opened()
    again.append(1, b"third")
    assert list(opened().records()) == [(1, b"first"), (1, b"third")]


def test_too_long_a_record_is_refused_and_changes_nothing(opened: Open) -> None:
    journal = opened()
    with pytest.raises(ValueError, match="record too long"):
        journal.append(1, bytes(RECORD_LENGTH_MAX + 1))
    assert journal.size_bytes() == 0


def test_a_file_that_could_not_be_opened_again_is_opened_later(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = opened()
    journal.append(1, b"first")

    def refuse(*_: object) -> None:
        raise OSError(28)

    with monkeypatch.context() as flash:
        flash.setattr("kiezbox.box.journal.os.rename", refuse)
        with pytest.raises(OSError, match="28"):
            journal.rewrite(lambda kind, payload: True)
    journal.append(1, b"second")
    assert [payload for _, payload in journal.records()] == [b"first", b"second"]


def test_rewrite_keeps_what_is_wanted_and_goes_on(opened: Open) -> None:
    journal = opened()
    for number in range(10):
        journal.append(number, b"")
    journal.rewrite(lambda kind, payload: kind % 2 == 0)
    journal.append(99, b"new")
    assert [kind for kind, _ in journal.records()] == [0, 2, 4, 6, 8, 99]


def test_a_reader_may_leave_off_and_another_one_begins_anew(opened: Open) -> None:
    journal = opened()
    for number in range(3):
        journal.append(number, b"")
    for kind, _ in journal.records():
        assert kind == 0
        break
    assert [kind for kind, _ in journal.records()] == [0, 1, 2]
    assert next(journal.records()) == (0, b"")
    journal.rewrite(lambda kind, payload: kind > 0)
    assert [kind for kind, _ in journal.records()] == [1, 2]


def test_a_closed_journal_goes_on(opened: Open) -> None:
    journal = opened()
    journal.append(1, b"")
    journal.close()
    journal.append(2, b"")
    assert [kind for kind, _ in journal.records()] == [1, 2]


def test_no_open_file_is_left_to_the_garbage_collector(run_on_micropython: RunProgram) -> None:
    """It once was, and a box that renamed a file at that moment hung in LittleFS for ever, or crashed."""
    run_on_micropython("abandoned_reader.py", "-X", "heapsize=600k")
