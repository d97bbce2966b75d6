# SPDX-License-Identifier: Apache-2.0
"""What the books of the air add up to is what the ether really carried."""

import pytest


def test_airtime_of_all_kinds_is_the_airtime_of_all_frames(ran):
    simulation = ran(duration_h=1, people={"calls_per_box_day": 40, "until_h": 0.8})
    by_kind = simulation.air_log.airtime_by_kind_us
    spent_us = sum(station.airtime_us for station in simulation.ether.stations)
    assert sum(by_kind.values()) == pytest.approx(spent_us, abs=1)
    assert any(kind.startswith("256/3/own") for kind in by_kind)
    assert any(kind.endswith("/relayed") for kind in by_kind)


def test_a_link_is_used_only_between_two_stations_that_exist(ran):
    simulation = ran(duration_h=1)
    stations = range(len(simulation.ether.stations))
    assert simulation.air_log.link_uses
    for (sender, receiver), count in simulation.air_log.link_uses.items():
        assert sender in stations
        assert receiver in stations
        assert sender != receiver
        assert count > 0
