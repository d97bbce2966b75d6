# SPDX-License-Identifier: Apache-2.0
"""The sun: where it stands on known days, and that months come out at their cited means."""

from datetime import UTC, date, datetime, timedelta

import pytest

from kiezbox_simulator.world import sun


def unix(*parts):
    return int(datetime(*parts, tzinfo=UTC).timestamp())


def test_noon_elevation_on_the_solstices():
    # 90 - 52.52 +- 23.44 degrees at true noon, which is about 11:06 UTC in Berlin.
    highest = max(sun.position(unix(2026, 6, 21) + step * 60)[0] for step in range(1440))
    lowest = max(sun.position(unix(2026, 12, 21) + step * 60)[0] for step in range(1440))
    assert highest == pytest.approx(0.8739, abs=0.003)  # sin 60.92
    assert lowest == pytest.approx(0.2425, abs=0.004)  # sin 14.04


def test_day_length_in_berlin():
    light_min = [sum(sun.position(unix(2026, m, 21) + step * 60)[0] > 0 for step in range(1440)) for m in (6, 12)]
    # 16:50 and 7:39 with refraction, which adds about ten minutes that a geometric sun lacks.
    assert light_min[0] == pytest.approx(16 * 60 + 40, abs=12)
    assert light_min[1] == pytest.approx(7 * 60 + 30, abs=12)


@pytest.mark.parametrize("month", [1, 4, 7, 12])
def test_a_months_mean_is_the_cited_one(month):
    totals = []
    for seed in range(6):
        day = date(2026, month, 1)
        while day.month == month:
            start_s = unix(day.year, day.month, day.day)
            totals.append(sum(sun.horizontal_w_m2(seed, start_s + step * 900) for step in range(96)) / 4000.0)
            day += timedelta(1)
    assert sum(totals) / len(totals) == pytest.approx(sun.DAILY_KWH_M2[month - 1], rel=0.12)


def test_a_steep_panel_gains_in_winter_and_loses_in_summer():
    def day_kwh(start_s, tilt_deg):
        return sum(sun.panel_w_m2(3, start_s + step * 900, tilt_deg) for step in range(96)) / 4000.0

    january = [sum(day_kwh(unix(2026, 1, d), tilt) for d in range(1, 29)) for tilt in (0, 60)]
    june = [sum(day_kwh(unix(2026, 6, d), tilt) for d in range(1, 29)) for tilt in (0, 60)]
    assert 1.2 < january[1] / january[0] < 2.2
    assert june[1] < june[0]


def test_night_is_dark_and_nothing_exceeds_the_sun():
    assert sun.panel_w_m2(1, unix(2026, 1, 5, 22, 0), 60) == 0.0
    assert max(sun.panel_w_m2(s, unix(2026, 6, 21, 11, 0), 35) for s in range(50)) < sun.SOLAR_CONSTANT_W_M2


def test_the_same_seed_gives_the_same_sky():
    when = unix(2026, 3, 4, 10, 17)
    assert sun.panel_w_m2(5, when, 60) == sun.panel_w_m2(5, when, 60) != sun.panel_w_m2(7, when, 60)
