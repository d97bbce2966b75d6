# SPDX-License-Identifier: Apache-2.0
"""Drawings: in proportion, inside their frame, with a title, safe against names with markup."""

import re

import pytest

from kiezbox_simulator.scenario import drawing
from kiezbox_simulator.scenario.words import Words

WORDS = Words("en")


def numbers(pattern, drawn):
    return [float(found) for found in re.findall(pattern, drawn)]


@pytest.mark.parametrize("value, ceiling", [(0.3, 0.5), (1, 1), (2.1, 2.5), (7, 10), (99, 100), (101, 200)])
def test_nice_ceiling(value, ceiling):
    assert drawing.nice_ceiling(value) == pytest.approx(ceiling)


def test_stacked_bars_are_in_proportion_and_stand_on_each_other():
    drawn = drawing.stacked_bars(WORDS, "calls", [(0, (10, 5, 0)), (1, (20, 0, 5))], ("ok", "wait", "refused"), 2, 6)
    heights = numbers(r'height="([\d.]+)" class="(?:ok|wait|refused)"', drawn)
    assert heights == pytest.approx([72, 36, 144, 36])
    tops = numbers(r'y="([\d.]+)" width="[\d.]+" height="[\d.]+" class', drawn)
    assert tops[1] == pytest.approx(tops[0] - heights[1])
    assert "<title>calls</title>" in drawn
    assert ">07:00<" in drawn


def test_nothing_to_draw_is_an_empty_drawing():
    assert "<rect" not in drawing.stacked_bars(WORDS, "calls", [(0, (0, 0))], ("ok", "wait"), 3, 0)
    assert "<circle" not in drawing.duration_lines(WORDS, "delay", [("line", [])], 3, 0)


def test_durations_stand_on_a_scale_of_tenfold_steps():
    drawn = drawing.duration_lines(WORDS, "delay", [("line", [(0.5, 0.1), (1.5, 1.0), (2.5, 10.0)])], 3, 0)
    places = numbers(r'cy="([\d.]+)"', drawn)
    assert places[0] == drawing.BASE
    assert places[0] - places[1] == pytest.approx(places[1] - places[2])
    assert ">10 s<" in drawn
    assert "1 min" not in drawn
    assert ">10 min<" in drawing.duration_lines(WORDS, "delay", [("line", [(1, 200.0)])], 3, 0)


def test_long_times_are_told_in_days():
    assert "Tag 2" in drawing.hour_ticks(Words("de"), 120, 6)
    assert "day 1" not in drawing.hour_ticks(WORDS, 120, 6)  # It begins at six.


def test_a_band_closes_and_keeps_to_its_frame():
    drawn = drawing.band(WORDS, "charge", [(0, 10, 50, 200), (1, 20, 60, 90)], 2, 0, 100.0, " %")
    assert min(numbers(r",([\d.]+)[ \"]", drawn)) >= drawing.TOP
    assert drawn.count("<polygon") == drawn.count("<polyline") == 1


def test_row_bars_end_at_their_frame_and_mark_the_limit():
    drawn = drawing.row_bars("duty", [("<b>", 5.0, "5 %", "ok"), ("x", 500.0, "much", "refused")], 10.0, 7.5)
    widths = numbers(r'width="([\d.]+)" height="12" class="(?:ok|refused)"', drawn)
    assert widths[0] * 2 == pytest.approx(widths[1])
    assert 'class="limit"' in drawn
    assert "<b>" not in drawn
