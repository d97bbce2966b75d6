# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiezbox.box.button import DEBOUNCE_MS, HOLD_MS, LONG, SHORT, STUCK_MS, Button


def play(edges: list[tuple[int, bool]], until_ms: int) -> list[tuple[int, int]]:
    """Presses (moment, kind) that a button says when it is told these edges and asked at its own times."""
    button, found, now_ms = Button(), [], 0
    waiting = list(edges)
    while True:
        due_ms = button.due_ms(now_ms)
        moments = [now_ms + due_ms] if due_ms is not None else []
        moments += [waiting[0][0]] if waiting else []
        if not moments or min(moments) > until_ms:
            return found
        now_ms = min(moments)
        is_edge = waiting and waiting[0][0] == now_ms
        said = button.edge(waiting.pop(0)[1], now_ms) if is_edge else button.poll(now_ms)
        if said is not None:
            found.append((now_ms, said))


def test_a_short_press_counts_when_it_is_let_go() -> None:
    assert play([(1_000, True), (1_200, False)], 9_000) == [(1_200 + DEBOUNCE_MS, SHORT)]


def test_a_long_press_counts_while_it_is_held_and_once() -> None:
    assert play([(1_000, True), (9_000, False)], 20_000) == [(1_000 + HOLD_MS, LONG)]


@pytest.mark.parametrize("held_ms", [1, 10, DEBOUNCE_MS - 1])
def test_what_is_shorter_than_bounce_is_no_press(held_ms: int) -> None:
    assert play([(1_000, True), (1_000 + held_ms, False)], 9_000) == []


def test_bounce_at_both_ends_is_one_press() -> None:
    bounce = [(0, True), (3, False), (5, True), (9, False), (12, True)]
    release = [(500, False), (504, True), (507, False)]
    assert play(bounce + release, 5_000) == [(537, SHORT)]


def test_a_stuck_button_says_one_long_press_and_then_nothing() -> None:
    button = Button()
    button.edge(True, 0)
    assert button.poll(DEBOUNCE_MS) is None
    assert button.poll(HOLD_MS) == LONG
    assert not button.stuck
    assert button.poll(STUCK_MS) is None
    assert button.stuck
    assert button.due_ms(STUCK_MS) is None
    button.edge(False, 900_000)
    assert button.poll(900_000 + DEBOUNCE_MS) is None
    assert not button.stuck


@given(st.lists(st.tuples(st.integers(1, 5_000), st.booleans()), max_size=40))
def test_however_it_chatters_it_says_no_more_than_it_was_pressed(steps: list[tuple[int, bool]]) -> None:
    edges, now_ms = [], 0
    for pause_ms, level in steps:
        now_ms += pause_ms
        edges.append((now_ms, level))
    rises = sum(1 for number, (_, level) in enumerate(edges) if level and (number == 0 or not edges[number - 1][1]))
    found = play(edges, now_ms + 60_000)
    assert len(found) <= rises
    assert all(kind in (SHORT, LONG) for _, kind in found)
