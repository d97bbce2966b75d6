# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from kiezbox.box.led import PATTERNS, UNIT_MS, Light, pattern
from kiezbox.box.modes import NAMES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "box-led.md"


def shown(wanted: tuple[int, ...], for_ms: int) -> list[tuple[bool, int]]:
    """(lit, duration in ms) in order, as a person sees them."""
    light, now_ms, found = Light(), 0, []
    light.show(wanted, 0)
    while now_ms < for_ms:
        lit, wait_ms = light.at(now_ms)
        if found and found[-1][0] == lit:
            found[-1] = (lit, found[-1][1] + wait_ms)
        else:
            found.append((lit, wait_ms))
        now_ms += wait_ms
    return found


@pytest.mark.parametrize("stage", [1, 2, 3, 4, 5])
def test_count_the_flashes(stage: int) -> None:
    wanted = pattern("", stage)
    seen = shown(wanted, sum(wanted) * UNIT_MS)
    assert [duration for lit, duration in seen if lit] == [200] * stage
    assert seen[-1] == (False, 400 + 1_500)


def test_an_exercise_begins_with_a_long_flash() -> None:
    wanted = pattern("", 2, exercise=True)
    assert [duration for lit, duration in shown(wanted, sum(wanted) * UNIT_MS) if lit] == [1_500, 200, 200]


def test_no_two_states_look_alike() -> None:
    every = [pattern(name) for name in PATTERNS] + [
        pattern("", stage, exercise) for stage in range(1, 6) for exercise in (False, True)
    ]
    assert len(set(every)) == len(every)
    assert all(len(one) % 2 == 0 and min(one) > 0 for one in every)
    assert set(NAMES[1:]) <= set(PATTERNS)


def test_a_pattern_that_goes_on_is_not_begun_anew() -> None:
    light = Light()
    light.show(pattern("", 3), 0)
    light.show(pattern("", 3), 100)
    assert light.at(100) == (True, 100)
    light.show(pattern("everyday"), 150)
    assert light.at(150) == (True, 50)
    assert Light().at(0) == (False, 1_000)


def test_the_page_shows_every_pattern_as_it_is() -> None:
    text = PAGE.read_text(encoding="utf-8")
    every = {name: pattern(name) for name in PATTERNS}
    every |= {f"stage {stage}": pattern("", stage) for stage in range(1, 6)}
    every |= {f"exercise, stage {stage}": pattern("", stage, exercise=True) for stage in (1, 5)}
    for name, wanted in every.items():
        times = " ".join(str(duration * UNIT_MS) for duration in wanted)
        assert f"| {name} |" in text, name
        assert f"| {times} |" in text, (name, times)
