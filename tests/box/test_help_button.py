# SPDX-License-Identifier: Apache-2.0
"""The button of the whole firmware, pressed in virtual time."""

import itertools

from kiezbox_simulator.virtual import vm_link
from tests.box.conftest import MakeBox
from tests.box.lone_box import LoneBox


def press(box: LoneBox, held_s: float, bounces: int = 2) -> None:
    for _ in range(bounces):
        for level in (b"\1", b"\0"):
            box.put(vm_link.BUTTON, level)
            box.run(0.003)
    box.put(vm_link.BUTTON, b"\1")
    box.run(held_s)
    box.put(vm_link.BUTTON, b"\0")
    box.run(1)


def flashes(box: LoneBox, for_s: float) -> list[int]:
    """How long the light was on each time, in ms."""
    start = len(box.notes)
    box.run(for_s)
    moments = [(at_ms, note) for at_ms, note in box.notes[start:] if note.startswith("led=")]
    return [off[0] - on[0] for on, off in itertools.pairwise(moments) if on[1] == "led=1" and off[1] == "led=0"]


def test_short_press_calls_for_help_once_the_light_says_so_and_a_long_one_cancels(lone_box: MakeBox) -> None:
    box = lone_box(mode="emergency", parts="button led", reading_interval_s=86_400)
    box.run(120)
    assert set(flashes(box, 20)) == {100}
    before = len(box.frames)
    press(box, 0.3)
    box.run(20)
    assert set(flashes(box, 20)) == {200}
    sent = len(box.frames)
    assert sent > before
    press(box, 0.3)
    press(box, 0.3)
    box.cut_power()
    box.run(60)
    assert set(flashes(box, 20)) == {200}
    press(box, 4)
    assert 3_000 in flashes(box, 8)
    box.run(10)
    assert set(flashes(box, 20)) == {100}
    assert box.resets == []


def test_in_everyday_mode_a_press_makes_no_call_and_the_light_says_so(lone_box: MakeBox) -> None:
    box = lone_box(mode="everyday", parts="button led", reading_interval_s=86_400, health_interval_s=604_800)
    box.run(3_600)
    before = len(box.frames)
    press(box, 0.3)
    assert flashes(box, 2).count(50) > 5
    box.run(60)
    assert len(box.frames) - before <= 2  # What it says of itself to stock apps.
    assert set(flashes(box, 30)) == {50}


def test_in_exercise_mode_everything_says_exercise(lone_box: MakeBox) -> None:
    box = lone_box(mode="exercise", parts="button led", reading_interval_s=86_400)
    box.run(120)
    press(box, 0.3)
    box.run(20)
    assert set(flashes(box, 30)) == {1_500, 200}


def test_the_router_follows_mode_and_grid_input_proposes_a_blackout(lone_box: MakeBox) -> None:
    box = lone_box(mode="emergency", parts="grid router", reading_interval_s=60)
    box.run(200)
    routers = [note for _, note in box.notes if note.startswith("router=")]
    assert routers == ["router=0", "router=1"]
    box.put(vm_link.GRID, b"\0")
    box.run(100)
    assert "blackout proposed" not in box.log
    box.run(60)
    assert "blackout proposed" in box.log
    box.put(vm_link.GRID, b"\1")
    box.run(200)
    assert "blackout no longer proposed" in box.log
