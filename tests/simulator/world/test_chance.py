# SPDX-License-Identifier: Apache-2.0
"""Chance is a function of what is decided, well spread, and the same on every machine and Python."""

import statistics

import pytest

from kiezbox_simulator.world import chance


def test_a_draw_is_the_same_on_every_machine():
    assert chance.digest(1, "shadowing", "a", "b") == 0xE6C6_2241_8D25_2EA4
    assert chance.mix(1) == 0x5692_161D_100B_05E5


def test_draws_have_the_distributions_they_are_named_for():
    uniform = [chance.uniform(1, n) for n in range(4000)]
    assert statistics.mean(uniform) == pytest.approx(0.5, abs=0.02)
    normal = [chance.normal(1, n) for n in range(4000)]
    assert statistics.mean(normal) == pytest.approx(0, abs=0.05)
    assert statistics.stdev(normal) == pytest.approx(1, abs=0.05)
    waits = [chance.exponential(1, 20.0, n) for n in range(4000)]
    assert statistics.mean(waits) == pytest.approx(20, rel=0.06)
    assert statistics.stdev(chance.NORMAL_1024) == pytest.approx(1, abs=0.01)


def test_mix_spreads_neighbouring_inputs():
    bits = [chance.mix(n) for n in range(4096)]
    assert len(set(bits)) == 4096
    for place in range(0, 64, 7):
        assert statistics.mean((word >> place) & 1 for word in bits) == pytest.approx(0.5, abs=0.05)


def test_choice_reaches_every_index():
    assert {chance.choice(5, 7, n) for n in range(200)} == set(range(7))
