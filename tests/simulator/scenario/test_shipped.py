# SPDX-License-Identifier: Apache-2.0
"""Every scenario that ships, shortened: it runs, the referee is silent, and the same run again gives the same events,
whichever box is started first and on one core or two.

Shortened means: everything that happens in it happens, in a fraction of the time and to fewer boxes. KIEZBOX_LONG=1
takes all boxes and more time.
"""

import os

import pytest

from kiezbox_simulator.scenario import schema
from kiezbox_simulator.scenario.simulation import Simulation

LONG = bool(os.environ.get("KIEZBOX_LONG"))
HOURS = 3.0 if LONG else 0.6
BOXES = 100 if LONG else 8


def compressed(name):
    """All of a scenario's events within HOURS."""
    scenario = schema.load(schema.find(name))
    values = scenario.model_dump()
    factor = HOURS / scenario.duration_h
    for kind in ("mode", "bulletin", "fault", "attack"):
        for part in values[kind]:
            for key in ("at_h", "duration_h", "spread_h", "revoked_after_h"):
                if key in part:
                    part[key] *= factor
    values["duration_h"] = HOURS
    values["time_beacon_h"] *= factor
    values["boxes"]["count"] = min(BOXES, values["boxes"]["count"])
    values["people"] |= {"from_h": 0.1 * HOURS, "until_h": 0.8 * HOURS, "calls_per_box_day": 150 / HOURS}
    for key in ("width_m", "height_m"):
        values["map"][key] = min(values["map"][key], 2500)
    return schema.parse(values)


@pytest.mark.parametrize("name", schema.shipped())
def test_a_shipped_scenario_says_in_german_too_what_it_is(name):
    scenario = schema.load(schema.find(name))
    assert scenario.title_de and scenario.description_de
    assert scenario.description_de != scenario.description


@pytest.mark.parametrize("name", schema.shipped())
def test_a_shipped_scenario_gives_the_same_events_twice(name, tmp_path):
    runs = []
    for number, (cores, start_order_seed) in enumerate(((2, 0), (1, 7))):
        work = tmp_path / str(number)
        work.mkdir()
        simulation = Simulation(
            compressed(name),
            3,
            trace_path=work / "trace",
            work_dir=work,
            cores=cores,
            start_order_seed=start_order_seed,
        )
        simulation.run()
        runs.append(simulation)
    first, second = runs
    lines = [(tmp_path / number / "trace").read_text().splitlines() for number in ("0", "1")]
    assert lines[0] == lines[1]
    assert first.trace.sha256 == second.trace.sha256
    assert len(lines[0]) > 200
    assert sum(call.accepted_us is not None for call in first.calls) > 5
    assert first.referee.violations == []
    happened = {text for _, text in first.events}
    for fault in first.scenario.fault:
        assert any(fault.kind.replace("_", " ") in text for text in happened)
    for attack in first.scenario.attack:
        assert any(attack.kind.replace("_", " ") in text for text in happened)
