# SPDX-License-Identifier: Apache-2.0
"""How fast virtual time runs: core nodes under Meshtasticator's load, vm boxes in an everyday hour; memory of a box.

Meshtasticator's figures were measured beside an earlier run on two cores (Meshtasticator a304b7d, time on air
corrected, 30 and 100 nodes, one 40-byte message per node and 300 s); a peer is not started here because its own
dependencies are not ours. Core nodes run in one thread that waits for nothing, so processor time is what they take on a
quiet machine, and a busy one does not change it.
"""

import os
import statistics
import tempfile
from pathlib import Path

import psutil

from bench.figure import Figure
from kiezbox_simulator.scenario import flood, outcome, schema
from kiezbox_simulator.scenario.simulation import Simulation

MESHTASTICATOR = {10: 1900.0, 30: 253.0, 100: 8.0}
LENGTHS_S = {10: 40_000.0, 30: 12_000.0, 100: 2400.0, 300: 400.0, 1000: 60.0}
SEEDS = (1, 2, 3)


def run() -> list[Figure]:
    """Core nodes of five sizes, then vm boxes."""
    figures = []
    costs_us = []
    for nodes, simulated_s in LENGTHS_S.items():
        speeds, reaches, receptions_us = [], [], []
        for seed in SEEDS:
            result = flood.run(nodes, simulated_s, seed=seed)
            speeds.append(simulated_s / result.cpu_s)
            reaches.append(result.reach)
            receptions_us.append(result.cpu_s / max(1, result.receptions) * 1e6)
        how = f"LongFast, hop limit 3, a 40-byte message per node and 300 s, {simulated_s:g} s, {len(SEEDS)} topologies"
        peer = MESHTASTICATOR.get(nodes)
        name = "Meshtasticator a304b7d" if peer else None
        figures.append(
            Figure(f"core nodes, {nodes}", round(statistics.median(speeds), 1), "simulated s per s", how, name, peer)
        )
        figures.append(
            Figure(f"reach of a message, {nodes} nodes", round(100 * statistics.median(reaches), 1), "%", how)
        )
        costs_us.append(statistics.median(receptions_us))
    for nodes, cost_us in zip(LENGTHS_S, costs_us, strict=True):
        how = "processor time over frames that came in at an antenna: equal over sizes means cost linear in receptions"
        figures.append(Figure(f"cost of a reception, {nodes} nodes", round(cost_us, 2), "us", how))
    figures += _linear()
    figures += _vm_boxes()
    return figures


def _linear() -> list[Figure]:
    took = []
    for simulated_s in (6000.0, 24_000.0):
        took.append(flood.run(30, simulated_s, seed=1).cpu_s)
    how = "processor time of four times the simulated time over that of once, 30 nodes; 4 is linear"
    return [Figure("cost of four times the time", round(took[1] / took[0], 2), "times", how, "linear", 4.0)]


def _vm_boxes() -> list[Figure]:
    """An ordinary morning, and the first hours of a blackout: boxes switched on, a mode command, the first calls."""
    everyday = schema.load(schema.find("everyday-schoeneberg"), duration_h=2.0, fault=[], bulletin=[])
    blackout = outcome.shortened(schema.load(schema.find("january-2026")), 2.0)
    figures = []
    for name, scenario, aim in (("everyday-schoeneberg", everyday, 1000.0), ("january-2026", blackout, 240.0)):
        memory: list[float] = []

        def watch(simulation: Simulation, memory: list[float] = memory) -> None:
            if not memory and simulation.schedule.now_us > 3.6e9:
                # Private memory: what one more box costs, shared libraries not counted.
                children = [one for one in psutil.Process().children() if "virtual_box" in " ".join(one.cmdline())]
                memory.extend(child.memory_full_info().uss / 2**20 for child in children)

        with tempfile.TemporaryDirectory() as folder:
            before_s = _cpu_s()
            simulation = Simulation(scenario, 1, work_dir=Path(folder))
            simulation.run(watch)
            cpu_s = _cpu_s() - before_s
        boxes = len(simulation.boxes)
        how = f"{boxes} boxes with their firmware on MicroPython, {name}, first two hours"
        speed = round(7200.0 / simulation.wall_s, 1)
        figures += [
            Figure(f"vm boxes, {boxes}, {name}", speed, "simulated s per s", how, "aim", aim),
            Figure(f"processor time, {name}", round(cpu_s / 2.0, 2), "s per simulated hour", f"{how}, all processes"),
            Figure(f"private memory of a vm box, {name}", round(statistics.median(memory), 2), "MiB", how),
            Figure(f"violations seen by the referee, {name}", simulation.referee.violation_count, "", how),
        ]
    return figures


def _cpu_s() -> float:
    """Processor time of this process and of those that it has waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system
