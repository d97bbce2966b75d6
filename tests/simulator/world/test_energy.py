# SPDX-License-Identifier: Apache-2.0
"""Battery and panel: energy is conserved, cold takes its share, voltage tells the charge."""

import pytest

from kiezbox_simulator.world.energy import (
    CONVERTER_EFFICIENCY,
    OPEN_CIRCUIT_MV,
    Battery,
    Supply,
    panel_mw,
    usable_share,
)


def test_a_load_takes_out_what_it_draws():
    battery = Battery(Supply(battery_wh=100.0, initial=1.0))
    for _ in range(10):
        battery.step(3600, 0.0, 880.0, 20.0)
    assert battery.drawn_wh == pytest.approx(10 * 0.88 / CONVERTER_EFFICIENCY)
    assert battery.charge == pytest.approx(0.9)


def test_full_is_full_and_empty_stays_off_until_charge_comes_back():
    battery = Battery(Supply(battery_wh=10.0, initial=0.95))
    battery.step(3600, 50_000.0, 0.0, 20.0)
    assert battery.charge == 1.0
    battery.step(36_000, 0.0, 5000.0, 20.0)
    assert battery.empty
    before = battery.drawn_wh
    battery.step(3600, 0.0, 5000.0, 20.0)
    assert battery.drawn_wh == before
    battery.step(600, 3000.0, 5000.0, 20.0)
    assert battery.empty
    battery.step(3600, 3000.0, 5000.0, 20.0)
    assert not battery.empty


def test_frost_forbids_charging_and_hides_capacity():
    battery = Battery(Supply(battery_wh=100.0, initial=0.5))
    battery.step(3600, 10_000.0, 0.0, -3.0)
    assert battery.charge == 0.5
    battery.step(3600, 10_000.0, 0.0, 3.0)
    assert battery.charge == pytest.approx(0.6)
    assert [usable_share(t) for t in (-40, -10, -5, 0, 25)] == [0.4, 0.8, pytest.approx(0.85), 0.9, 1.0]
    assert Battery(Supply(initial=0.25)).voltage_mv(-15.0) < Battery(Supply(initial=0.25)).voltage_mv(20.0)


@pytest.mark.parametrize("chemistry", sorted(OPEN_CIRCUIT_MV))
def test_voltage_rises_with_charge_and_sags_under_load(chemistry):
    supply = Supply(chemistry=chemistry, cells=1)
    levels = [Battery(supply, charge=step / 20).voltage_mv(20.0) for step in range(21)]
    assert levels == sorted(levels)
    loaded = Battery(supply, charge=0.5)
    loaded.step(1.0, 0.0, 5000.0, 20.0)
    assert loaded.voltage_mv(20.0) < Battery(supply, charge=0.5).voltage_mv(20.0)


def test_a_panel_gives_its_rating_less_losses_in_full_sun():
    assert panel_mw(Supply(panel_wp=20.0), 1000.0) == pytest.approx(16_000.0)
