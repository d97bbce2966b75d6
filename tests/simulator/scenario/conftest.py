# SPDX-License-Identifier: Apache-2.0
"""Small scenarios that run in a moment."""

import pytest

from kiezbox_simulator.scenario import schema
from kiezbox_simulator.scenario.simulation import Simulation


@pytest.fixture
def small():
    """A scenario of a few core boxes; keyword arguments replace top-level keys."""

    def make(**changes):
        values = {
            "title": "small", "start": "2026-01-03T06:00:00+01:00", "duration_h": 3,
            "map": {"width_m": 1500, "height_m": 1500}, "boxes": {"kind": "core", "count": 5},
            "people": {"calls_per_box_day": 40, "until_h": 2.5}, "mode": [{"at_h": 0, "mode": "emergency"}],
        }  # fmt: skip
        return schema.parse(values | changes)

    return make


@pytest.fixture
def ran(small):
    """The same, already run."""

    def make(seed=1, **changes):
        simulation = Simulation(small(**changes), seed)
        simulation.run()
        return simulation

    return make
