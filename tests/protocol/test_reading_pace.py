# SPDX-License-Identifier: Apache-2.0
"""Readings hold back when the band is full, and come back slowly."""

from kiezbox.protocol.reading_pace import CALM_MS, ReadingPace, merged


def test_the_fuller_of_hour_and_channel_decides() -> None:
    for open_pct, load_pct, factor in (
        (0, 0, 1),
        (39, 24, 1),
        (40, 0, 2),
        (0, 25, 2),
        (52, 25, 4),
        (40, 40, 4),
        (64, 0, 8),
        (0, 60, 8),
        (100, 100, 8),
    ):
        assert ReadingPace().factor(open_pct, load_pct, 0) == factor, (open_pct, load_pct)


def test_it_rises_at_once_and_falls_step_by_step() -> None:
    pace = ReadingPace()
    assert pace.factor(0, 100, 0) == 8
    assert pace.factor(0, 0, CALM_MS - 1) == 8
    assert pace.factor(0, 0, CALM_MS) == 4
    assert pace.factor(0, 45, CALM_MS + 1) == 4
    assert pace.factor(0, 0, 2 * CALM_MS) == 4
    assert pace.factor(0, 0, 2 * CALM_MS + 1) == 2
    assert pace.factor(0, 0, 4 * CALM_MS) == 1
    assert pace.factor(0, 0, 9 * CALM_MS) == 1


def test_several_measurements_become_one_sample() -> None:
    assert merged([{"temperature_cc": 5}]) == {"temperature_cc": 5}
    samples = [
        {"temperature_cc": -3, "noise_lamax_ddba": 700, "pm25_dugm3": 10},
        {"temperature_cc": -4, "noise_lamax_ddba": 912},
        {"temperature_cc": -4, "noise_lamax_ddba": 650, "pm25_dugm3": 13, "gas_ohm": 5},
    ]
    assert merged(samples) == {"temperature_cc": -4, "noise_lamax_ddba": 912, "pm25_dugm3": 12, "gas_ohm": 5}
    assert merged([{}, {}]) == {}


def test_a_value_that_one_sensor_gave_once_is_kept() -> None:
    assert merged([{}, {"battery_mv": 3900}, {}]) == {"battery_mv": 3900}
