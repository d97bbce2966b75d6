# SPDX-License-Identifier: Apache-2.0
from kiezbox.protocol.wall_clock import WallClock


def test_it_goes_on_from_what_it_was_told():
    clock = WallClock()
    assert clock.quality == 0
    clock.set(1_767_000_000, 2, 5_000)
    assert clock.now_s(5_999) == 1_767_000_000
    assert clock.now_s(65_000) == 1_767_000_060
    assert clock.quality == 2


def test_a_better_time_is_of_higher_quality_or_as_good_and_not_far_behind():
    clock = WallClock()
    assert clock.is_worse_than({"time_s": 5, "quality": 1}, 0)
    assert not clock.is_worse_than({"time_s": 5, "quality": 0}, 0)
    assert not clock.is_worse_than({"quality": 2}, 0)
    assert not clock.is_worse_than({}, 0)
    clock.set(1_000, 1, 0)
    assert clock.is_worse_than({"time_s": 1, "quality": 2}, 0)
    assert clock.is_worse_than({"time_s": 940, "quality": 1}, 0)
    assert not clock.is_worse_than({"time_s": 939, "quality": 1}, 0)
    assert not clock.is_worse_than({"time_s": 940, "quality": 1}, 1_000)
    clock.set(1_000, 2, 0)
    assert not clock.is_worse_than({"time_s": 5_000, "quality": 1}, 0)
