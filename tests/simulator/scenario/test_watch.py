# SPDX-License-Identifier: Apache-2.0
"""The live view: what a browser gets before, while and after a run, and how the run is paced."""

import time
import urllib.request

import pytest

from kiezbox_simulator.scenario import watch
from kiezbox_simulator.scenario.simulation import Simulation


@pytest.fixture
def view():
    made = []

    def make(*arguments):
        made.append(watch.LiveView(*arguments))
        return made[-1]

    yield make
    for one in made:
        one.close()


def read(view):
    return urllib.request.urlopen(view.url).read().decode()  # noqa: S310  Loopback.


def test_the_view_serves_the_run_as_it_stands(view, ran):
    live = view()
    assert "Starting" in read(live)
    simulation = ran()
    live.draw(simulation, running=True)
    page = read(live)
    assert "running" in page
    assert '<noscript><meta http-equiv="refresh"' in page
    live.draw(simulation, running=False)
    page = read(live)
    assert "finished" in page
    assert "refresh" not in page
    assert "<script" not in page


def test_the_view_speaks_german(view, ran):
    live = view(0.0, 0, "de")
    live.draw(ran(), running=True)
    assert "Stunde 3,0 von 3, läuft" in read(live)


def test_a_paced_run_takes_its_time_and_an_unpaced_one_does_not(view, small):
    scenario = small(duration_h=0.05, people={})
    took_s = []
    for speed in (0.0, 180.0):
        live = view(speed)
        began_s = time.monotonic()
        Simulation(scenario, 1).run(live.watch)
        took_s.append(time.monotonic() - began_s)
    # 180 simulated seconds at 180 a second.
    assert took_s[1] >= 0.95
    assert "finished" in read(live)
