# SPDX-License-Identifier: Apache-2.0
"""The ether's presets are the protocol's, with the timings of their symbols."""

import pytest

from kiezbox.protocol import airtime
from kiezbox_simulator.virtual.modulation import modulation, on_air_us


@pytest.mark.parametrize("name", sorted(airtime.PRESETS))
def test_a_preset_keeps_its_settings_and_its_timings_are_symbols(name):
    preset, used = airtime.PRESETS[name], modulation(name)
    assert (used.spreading_factor, used.bandwidth_hz) == (preset.spreading_factor, preset.bandwidth_hz)
    assert used.coding_rate_denominator == preset.coding_rate_denominator
    symbols = [round(time_us / preset.symbol_us, 2) for time_us in (used.cad_us, used.grace_us, used.lock_us)]
    assert symbols == [2.5, 11.0, 20.25]
    assert on_air_us(name, 56) == airtime.time_on_air_us(preset, 56)


def test_low_data_rate_optimisation_where_the_symbols_are_long():
    assert [modulation(name).rows for name in ("LONG_FAST", "LONG_MODERATE", "LONG_SLOW")] == [11, 9, 10]


def test_equal_presets_are_equal_and_an_unknown_one_is_named():
    assert modulation("SHORT_FAST") == modulation("SHORT_FAST") != modulation("SHORT_SLOW")
    with pytest.raises(KeyError, match="NO_SUCH"):
        modulation("NO_SUCH")
