# SPDX-License-Identifier: Apache-2.0
"""Link budget: noise, shadowing that belongs to the pair, and its spread."""

import statistics

import pytest

from kiezbox_simulator.world import link
from kiezbox_simulator.world.link import Channel, Site

HERE = Site("a", 0, 0)
THERE = Site("b", 800, 0)


def test_sensitivity_is_that_of_the_data_sheet():
    # SX1261/2 data sheet, table 3-9: 250 kHz, SF 9 about -126 to -127 dBm, as in docs/adr/0003.
    assert link.noise_dbm(Channel(1), 250_000) - 12.5 == pytest.approx(-126.5, abs=0.1)


@pytest.mark.parametrize("model", ["uma", "log_distance", "suburban_macro"])
def test_a_link_is_the_same_in_both_directions_and_belongs_to_the_pair(model):
    channel = Channel(7, model=model)
    assert link.loss_db(channel, HERE, THERE) == link.loss_db(channel, THERE, HERE)
    assert link.loss_db(channel, HERE, THERE) != link.loss_db(Channel(8, model=model), HERE, THERE)
    assert link.loss_db(channel, HERE, THERE) != link.loss_db(channel, HERE, Site("c", 800, 0))


def test_shadowing_has_the_spread_that_was_asked_for():
    channel = Channel(3, model="log_distance", shadowing_db=6.0)
    losses = [link.loss_db(channel, HERE, Site(f"n{n}", 800, 0)) for n in range(5000)]
    assert statistics.stdev(losses) == pytest.approx(6.0, rel=0.05)
    plain_db = link.loss_db(Channel(3, model="log_distance", shadowing_db=0.0), HERE, THERE)
    assert statistics.mean(losses) == pytest.approx(plain_db, abs=0.5)


def test_received_power_adds_both_antennas():
    channel = Channel(1, model="log_distance", shadowing_db=0.0)
    bare = link.mean_received_dbm(channel, 22.0, Site("a", 0, 0, antenna_dbi=0), Site("b", 500, 0, antenna_dbi=0))
    assert (
        link.mean_received_dbm(channel, 22.0, Site("a", 0, 0, antenna_dbi=2), Site("b", 500, 0, antenna_dbi=3))
        == bare + 5
    )


def test_an_unknown_model_is_named():
    with pytest.raises(ValueError, match="magic"):
        link.loss_db(Channel(1, model="magic"), HERE, THERE)


def test_the_median_is_the_loss_without_the_links_own_luck():
    channel = Channel(3, model="log_distance", shadowing_db=0.0)
    assert link.median_loss_db(channel, HERE, THERE) == link.loss_db(channel, HERE, THERE)
    uma = Channel(3, model="uma")
    blocked_db, seen_db = (link.median_loss_db(uma, HERE, THERE, sight) for sight in (False, True))
    assert blocked_db > seen_db
    # At 800 m and 15 m height almost no path is free: the median of many links is the one without line of sight.
    losses = [link.loss_db(uma, HERE, Site(f"n{n}", 800, 0)) for n in range(3000)]
    assert statistics.median(losses) == pytest.approx(blocked_db, abs=0.8)
    with pytest.raises(ValueError, match="magic"):
        link.median_loss_db(Channel(1, model="magic"), HERE, THERE)


def test_link_budget_by_hand():
    # 22 + 2 + 2 dBm; log-distance: 63.27 dB at 40 m, then 35 dB a decade: 45.54 dB more at 800 m.
    channel = Channel(1, model="log_distance", shadowing_db=0.0)
    assert link.mean_received_dbm(channel, 22.0, HERE, THERE) == pytest.approx(26 - 63.27 - 45.54, abs=0.02)
