# SPDX-License-Identifier: Apache-2.0
"""Weather and air: plausible ranges, a day's course, no jumps."""

import statistics
from datetime import UTC, datetime
from itertools import pairwise

from kiezbox.protocol import reading
from kiezbox_simulator.world import weather

JANUARY_S = int(datetime(2026, 1, 3, tzinfo=UTC).timestamp())
JULY_S = int(datetime(2026, 7, 3, tzinfo=UTC).timestamp())


def series(start_s, days=14, step_s=1800, **options):
    return [weather.readings(1, "box", start_s + n * step_s, **options) for n in range(days * 86_400 // step_s)]


def test_values_are_integers_within_what_the_sensors_can_measure():
    for values in series(JANUARY_S) + series(JULY_S):
        assert all(isinstance(value, int) for value in values.values())
        assert -2500 < values["temperature_cc"] < 4000
        assert 150 <= values["humidity_dpct"] <= 1000
        assert 9700 < values["pressure_dpa"] < 10_500
        assert 0 < values["pm1_dugm3"] < values["pm25_dugm3"] < values["pm10_dugm3"] < 1000
        assert 250 < values["noise_laeq_ddba"] < values["noise_lamax_ddba"] < 1000


def test_seasons_and_days_differ():
    winter, summer = (statistics.mean(v["temperature_cc"] for v in series(s)) for s in (JANUARY_S, JULY_S))
    assert summer - winter > 1200
    night = statistics.mean(
        weather.readings(1, "b", JULY_S + d * 86_400 + 2 * 3600)["temperature_cc"] for d in range(14)
    )
    noon = statistics.mean(
        weather.readings(1, "b", JULY_S + d * 86_400 + 13 * 3600)["temperature_cc"] for d in range(14)
    )
    assert noon - night > 400


def test_a_blackout_is_quieter():
    loud, quiet = (statistics.mean(v["noise_laeq_ddba"] for v in series(JANUARY_S, blackout=b)) for b in (False, True))
    assert loud - quiet > 50


def test_nothing_jumps_between_two_readings():
    values = series(JANUARY_S, 3, 60)
    for name, most in (("temperature_cc", 20), ("pressure_dpa", 5), ("humidity_dpct", 10)):
        steps = [abs(b[name] - a[name]) for a, b in pairwise(values)]
        assert max(steps) <= most, name


def test_the_names_are_those_of_a_reading():
    assert set(series(JANUARY_S, 1)[0]) <= set(reading.VALUE_NAMES)
