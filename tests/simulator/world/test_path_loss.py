# SPDX-License-Identifier: Apache-2.0
"""Path loss against values worked out by hand from the standards' formulas."""

import math

import pytest

from kiezbox_simulator.world import path_loss

F_HZ = 869_525_000.0


def test_free_space_by_hand():
    # 32.45 + 20 log10(km) + 20 log10(MHz)
    assert path_loss.free_space_db(1000.0, F_HZ) == pytest.approx(32.45 + 20 * math.log10(869.525), abs=0.01)


def test_log_distance_is_free_space_first_and_its_exponent_later():
    assert path_loss.log_distance_db(40.0, F_HZ) == path_loss.free_space_db(40.0, F_HZ)
    decade_db = path_loss.log_distance_db(4000.0, F_HZ, 3.5) - path_loss.log_distance_db(400.0, F_HZ, 3.5)
    assert decade_db == pytest.approx(35.0)


def test_uma_without_line_of_sight_by_hand():
    # 25 m and 1.5 m at 1 km: d3D = 1000.28; 13.54 + 39.08 * 3.00012 + 20 log10(0.869525) = 129.57
    assert path_loss.uma_db(1000.0, F_HZ, 25.0, 1.5, False) == pytest.approx(129.57, abs=0.02)
    # Nine metres higher: 0.6 dB a metre less.
    lower = path_loss.uma_db(1000.0, F_HZ, 25.0, 10.5, False)
    assert lower == pytest.approx(129.57 - 0.6 * 9, abs=0.03)


def test_uma_with_line_of_sight_changes_slope_at_its_breakpoint():
    # 4 * 24 * 0.5 * f / c = 139.2 m
    near = [path_loss.uma_db(d, F_HZ, 25.0, 1.5, True) for d in (50.0, 100.0)]
    far = [path_loss.uma_db(d, F_HZ, 25.0, 1.5, True) for d in (1000.0, 10_000.0)]
    assert far[1] - far[0] == pytest.approx(40.0, abs=0.05)
    assert near[1] - near[0] == pytest.approx(22 * math.log10(102.71 / 55.22), abs=0.05)
    just_before, just_after = (path_loss.uma_db(d, F_HZ, 25.0, 1.5, True) for d in (139.0, 139.5))
    assert abs(just_after - just_before) < 0.2


def test_line_of_sight_gets_rarer_with_distance_and_likelier_with_height():
    chances = [path_loss.uma_line_of_sight_probability(d, 15.0) for d in (10, 100, 300, 1000, 5000)]
    assert chances[0] == 1.0
    assert chances == sorted(chances, reverse=True)
    assert path_loss.uma_line_of_sight_probability(300, 22.0) > path_loss.uma_line_of_sight_probability(300, 5.0)
    assert all(0 <= path_loss.uma_line_of_sight_probability(d, 23.0) <= 1 for d in range(1, 5000, 7))


def test_suburban_macro_is_the_model_of_meshtasticator():
    # (44.9 - 6.55 * 0) * log10(1) + 45.5 + (35.46 - 1.1) * log10(869.525) + 0.7 = 147.18 at 1 km, both antennas at 1 m
    by_hand = 45.5 + 34.36 * math.log10(869.525) + 0.7
    assert path_loss.suburban_macro_db(1000.0, F_HZ, 1.0, 1.0) == pytest.approx(by_hand)
    assert path_loss.suburban_macro_db(1000.0, F_HZ, 1.0, 1.0, urban=True) == pytest.approx(by_hand + 3)
