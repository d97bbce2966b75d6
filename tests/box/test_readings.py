# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiezbox.box.readings import LEAP, PENDING_MAX, REOFFER_AFTER_MS, Readings
from kiezbox.box.testing import FakeRoom, FakeState

SAMPLES = [{"temperature_cc": 812, "battery_mv": 3_900}]
Boot = Callable[..., Readings]


@pytest.fixture
def boot(tmp_path: Path) -> Iterator[Boot]:
    opened: list[Readings] = []

    state = FakeState()

    def start(room: FakeRoom | None = None) -> Readings:
        opened.append(Readings(str(tmp_path), room or FakeRoom(), state))
        return opened[-1]

    yield start
    for readings in opened:
        readings.journal.close()


def test_sequence_numbers_go_on_after_a_restart(boot: Boot) -> None:
    readings = boot()
    assert [readings.add(SAMPLES, 1, 2, 300, 0)["sequence"] for _ in range(3)] == [1, 2, 3]
    assert boot().add(SAMPLES, 1, 2, 300, 0)["sequence"] == 4


def test_what_nobody_acknowledged_is_offered_again_as_it_was(boot: Boot) -> None:
    readings = boot()
    first = readings.add(SAMPLES, 1_767_450_000, 2, 300, 0)
    second = readings.add(SAMPLES, 1_767_450_300, 2, 300, 0)
    assert readings.due(REOFFER_AFTER_MS - 1) is None
    readings.acknowledged([2])
    assert readings.due(REOFFER_AFTER_MS) == first
    assert readings.due(REOFFER_AFTER_MS) is None
    assert readings.due(2 * REOFFER_AFTER_MS) == first
    readings.acknowledged([1])
    assert readings.due(9 * REOFFER_AFTER_MS) is None
    assert second["sequence"] == 2


def test_a_full_journal_gives_up_the_oldest_and_counts_it(boot: Boot) -> None:
    readings = boot()
    readings.bytes_max = 2_000
    for _ in range(PENDING_MAX + 36):
        readings.add(SAMPLES, 1, 2, 300, 0)
    assert readings.journal.size_bytes() < 3_000
    assert len(readings._pending) == PENDING_MAX
    assert readings.shed == 36
    assert boot().sequence == PENDING_MAX + 36


def test_after_a_restart_everything_on_flash_is_offered_until_a_gateway_says_that_it_has_it(boot: Boot) -> None:
    first = boot()
    sent = [first.add(SAMPLES, 1_767_450_000 + number, 2, 300, 0) for number in range(4)]
    again = boot()
    assert again.due(REOFFER_AFTER_MS) == sent[0]
    again.acknowledged([1, 2, 4])
    assert again.due(REOFFER_AFTER_MS) == sent[2]
    again.acknowledged([3])
    assert again.due(9 * REOFFER_AFTER_MS) is None


def test_when_flash_fills_up_readings_stop_and_no_number_is_used_twice(boot: Boot) -> None:
    room = FakeRoom()
    readings = boot(room)
    readings.add(SAMPLES, 1, 2, 300, 0)
    room.full = True
    assert readings.add(SAMPLES, 1, 2, 300, 0)["sequence"] == 2
    assert readings.add(SAMPLES, 1, 2, 300, 0)["sequence"] == 3
    assert readings.shed == 2
    assert boot().add(SAMPLES, 1, 2, 300, 0)["sequence"] == 4


def test_all_of_them_give_way_to_a_call(boot: Boot) -> None:
    room = FakeRoom()
    readings = boot(room)
    for _ in range(5):
        readings.add(SAMPLES, 1, 2, 300, 0)
    assert room.sheds[0]()
    assert not room.sheds[0]()
    assert readings.journal.size_bytes() == 0
    assert readings.shed == 5
    assert boot().add(SAMPLES, 1, 2, 300, 0)["sequence"] == 6


def test_a_damaged_journal_leaves_the_others_and_uses_no_number_twice(boot: Boot) -> None:
    readings = boot()
    for _ in range(3):
        readings.add(SAMPLES, 1, 2, 300, 0)
    path = Path(readings.journal.path)
    path.write_bytes(path.read_bytes()[:-5])
    again = boot()
    assert again.journal.damaged
    assert again.add(SAMPLES, 1, 2, 300, 0)["sequence"] == 3 + LEAP


def test_a_full_flash_costs_the_reading_not_the_box(boot: Boot, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = boot()

    def full(kind: int, payload: bytes) -> None:
        raise OSError(28)

    monkeypatch.setattr(readings.journal, "append", full)
    assert readings.add(SAMPLES, 1, 2, 300, 0)["sequence"] == 1
    assert readings.shed == 1


def test_a_flash_that_refuses_to_give_up_readings_takes_new_ones_afterwards(
    boot: Boot, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = boot()
    readings.add(SAMPLES, 1, 2, 300, 0)

    def refused(_: str) -> None:
        raise OSError(5)

    with monkeypatch.context() as broken:
        broken.setattr("os.remove", refused)
        with pytest.raises(OSError):
            readings._give_up()
    readings.add(SAMPLES, 2, 2, 300, 0)
    assert boot().sequence == 2
