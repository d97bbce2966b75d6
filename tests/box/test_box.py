# SPDX-License-Identifier: Apache-2.0
"""The whole firmware alone in virtual time: it goes on for days, whatever its intervals are."""

import pytest

from tests.box.conftest import MakeBox

DAY_S = 86_400


def test_long_intervals_do_not_starve_the_watchdog(lone_box: MakeBox) -> None:
    box = lone_box(reading_interval_s=900, health_interval_s=43_200)
    box.run(DAY_S)
    assert box.resets == []
    assert len(box.frames) > 20


def test_intervals_of_a_day_and_a_week_do_not_either(lone_box: MakeBox) -> None:
    box = lone_box(reading_interval_s=86_400, samples_per_frame=1, health_interval_s=604_800)
    box.run(DAY_S // 4)
    assert box.resets == []


def test_a_box_with_nothing_to_do_wakes_once_in_twenty_seconds(
    lone_box: MakeBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = lone_box(reading_interval_s=86_400, health_interval_s=604_800, nodeinfo_interval_s=604_800)
    box.run(1800)
    wakes: list[int] = []
    turn = box._turn
    monkeypatch.setattr(box, "_turn", lambda records: wakes.append(box.now_ms) or turn(records))
    box.run(3600)
    assert 180 <= len(wakes) < 200
    assert box.resets == []


def test_a_box_that_hears_nobody_for_days_is_no_reason_for_a_reset(lone_box: MakeBox) -> None:
    box = lone_box(reading_interval_s=3600)
    box.run(3 * DAY_S)
    assert box.resets == []
    assert box.boots == 1
