# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiezbox.box import readings as readings_module
from kiezbox.box.readings import PENDING_MAX, REOFFER_AFTER_MS, Readings

SAMPLES = [{"temperature_cc": 812, "battery_mv": 3_900}]
Boot = Callable[[], Readings]


@pytest.fixture
def boot(tmp_path: Path) -> Iterator[Boot]:
    opened: list[Readings] = []

    def start() -> Readings:
        opened.append(Readings(str(tmp_path)))
        return opened[-1]

    yield start
    for readings in opened:
        readings._journal.close()


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


def test_a_full_journal_gives_up_the_oldest_and_counts_it(boot: Boot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings_module, "JOURNAL_BYTES_MAX", 2_000)
    readings = boot()
    for _ in range(100):
        readings.add(SAMPLES, 1, 2, 300, 0)
    assert readings._journal.size_bytes() < 3_000
    assert len(readings._pending) == PENDING_MAX
    assert readings.shed == 100 - PENDING_MAX
    assert boot().sequence == 100


def test_a_full_flash_costs_the_reading_not_the_box(boot: Boot, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = boot()

    def full(kind: int, payload: bytes) -> None:
        raise OSError(28)

    monkeypatch.setattr(readings._journal, "append", full)
    assert readings.add(SAMPLES, 1, 2, 300, 0)["sequence"] == 1
    assert readings.shed == 1
