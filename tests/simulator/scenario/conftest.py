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


@pytest.fixture
def vm_ran(tmp_path):
    """A town of two boxes with their firmware, an emergency, many calls; already run."""
    count = 0

    def make(seed=1, cores=2, start_order_seed=0, **changes):
        nonlocal count
        count += 1
        values = {
            "title": "vm", "start": "2026-01-03T16:00:00+01:00", "duration_h": 1.0,
            "map": {"width_m": 1200, "height_m": 1200}, "boxes": {"kind": "vm", "count": 2},
            "readings": {"interval_s": 120, "samples_per_frame": 2, "health_interval_s": 600},
            "people": {"calls_per_box_day": 150, "from_h": 0.1, "until_h": 0.8, "prank_share": 0, "blackout": False},
            "mode": [{"at_h": 0, "mode": "emergency"}], "limits": {"delivery_grace_h": 0.1},
        }  # fmt: skip
        work = tmp_path / f"vm-{count}"
        work.mkdir()
        simulation = Simulation(
            schema.parse(values | changes), seed, work_dir=work, cores=cores, start_order_seed=start_order_seed
        )
        simulation.run()
        return simulation

    return make
