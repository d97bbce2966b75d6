# SPDX-License-Identifier: Apache-2.0
"""Kiezbox against stock Meshtastic flooding: the same places, the same air, the same people and sensors; everyday and
crisis, on roofs where nearly everybody hears everybody, and on street lamps where frames need several hops.

Both are core nodes: ours with receipts, custody and priorities; stock with texts sent as its apps do (repeated twice
until relayed) and telemetry in the PyPI packets' sizes, once with our preset and once with LongFast, what devices are
sold with. A stock reading counts as delivered when all of its packets are there. A call that never arrives counts with
all the time it has waited, so that losing the slow ones makes nobody fast. Several seeds, medians; each seed's value is
in `how`. Then how ours grows. A call that is under way when a run ends counts as not delivered.
"""

import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from rich.progress import Progress

from bench.figure import Figure
from kiezbox_simulator.scenario import schema
from kiezbox_simulator.scenario.simulation import Simulation
from kiezbox_simulator.scenario.summary import delays, summarise

SEEDS = (1, 2, 3)
HOURS = 2.0
LOADS: dict[str, dict[str, Any]] = {
    "everyday": {"people": {"calls_per_box_day": 4, "blackout": False, "until_h": 1.7}},
    "crisis": {
        "people": {"calls_per_box_day": 60, "until_h": 1.7},
        "mode": [{"at_h": 0, "mode": "emergency"}],
    },
    "crisis, gateway off for 18 min": {
        "people": {"calls_per_box_day": 60, "until_h": 1.7},
        "mode": [{"at_h": 0, "mode": "emergency"}],
        "fault": [{"at_h": 0.8, "kind": "gateway_death", "target": "1", "duration_h": 0.3}],
    },
}
KINDS = (
    ("Kiezbox", "core", "MEDIUM_FAST"),
    ("stock, MediumFast", "stock", "MEDIUM_FAST"),
    ("stock, LongFast", "stock", "LONG_FAST"),
)
GROWTH_H = {10: 1.0, 30: 1.0, 100: 0.5, 300: 0.1, 1000: 0.05}
"""Boxes and hours: the cost of an hour grows faster than the boxes, because each frame has more hearers."""


@dataclass(frozen=True)
class Town:
    """A topology: boxes on a grid that is shaken by the seed."""

    name: str
    boxes: int
    width_m: float
    height_m: float
    box_height_m: float
    gateways: int


TOWNS = (
    Town("20 roofs, one gateway", 20, 2600, 2200, 18, 1),
    Town("40 street lamps, one gateway, several hops", 40, 15_000, 12_000, 5, 1),
)


def run() -> list[Figure]:
    """Every town, load and kind; then how ours grows."""
    runs = [(town, load, kind, seed) for town in TOWNS for load in LOADS for kind in KINDS for seed in SEEDS]
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    with ProcessPoolExecutor(os.cpu_count()) as pool, Progress(transient=True) as progress:
        task = progress.add_task("mesh: towns", total=len(runs))
        for (town, load, kind, _), summary in zip(runs, pool.map(_town, runs), strict=True):
            found.setdefault((town.name, load, kind[0]), []).append(summary)
            progress.advance(task)
    figures = []
    for town in TOWNS:
        for load in LOADS:
            for peer in ("stock, MediumFast", "stock, LongFast"):
                ours = found[town.name, load, "Kiezbox"]
                figures += _compare(f"{town.name}, {load}", ours, found[town.name, load, peer], peer)
    return figures + _growth()


def _town(what: tuple[Town, str, tuple[str, str, str], int]) -> dict[str, Any]:
    town, load, (_, kind, preset), seed = what
    changes = {"map": {"width_m": town.width_m, "height_m": town.height_m}, "radio": {"preset": preset},
               "boxes": {"kind": kind, "count": town.boxes, "height_m": town.box_height_m},
               "gateways": {"count": town.gateways}}  # fmt: skip
    return _one(LOADS[load] | changes, seed)


def _one(changes: dict[str, Any], seed: int) -> dict[str, Any]:
    scenario = schema.parse(
        {
            "title": "bench", "start": "2026-01-05T16:00:00+01:00", "duration_h": HOURS,
            "readings": {"interval_s": 300, "samples_per_frame": 6},
        }
        | changes
    )  # fmt: skip
    simulation = Simulation(scenario, seed)
    simulation.run()
    summary = summarise(simulation)
    waited_s = [((simulation.end_us if call.delivered_us is None else call.delivered_us) - call.accepted_us) / 1e6
                for call in simulation.calls if call.accepted_us is not None and not call.cancelled]  # fmt: skip
    return summary | {"waits": delays(waited_s)}


def _compare(what: str, ours: list[dict[str, Any]], theirs: list[dict[str, Any]], peer: str) -> list[Figure]:
    rows = []
    for label, unit, pick in (
        ("calls delivered", "%", _delivered_pct),
        ("delay of calls, p50", "s", lambda s: s["waits"]["p50_s"]),
        ("delay of calls, p95", "s", lambda s: s["waits"]["p95_s"]),
        ("delay of calls, p99", "s", lambda s: s["waits"]["p99_s"]),
        ("readings delivered", "%", lambda s: _percent(s["readings"]["delivery_ratio"])),
        ("airtime per delivered reading", "ms", lambda s: s["readings"]["airtime_ms_each"]),
        ("airtime of everything, mean of a box", "%", lambda s: s["airtime"]["mean_box_pct"]),
        ("busiest hour of a station", "%", lambda s: s["airtime"]["greatest_hour_pct"]),
    ):
        own = [value for value in map(pick, ours) if value is not None]
        other = [value for value in map(pick, theirs) if value is not None]
        if own and other:
            seeds = f"{', '.join(f'{v:g}' for v in own)} against {', '.join(f'{v:g}' for v in other)}"
            how = f"{HOURS:g} h, a reading every 300 s, seeds {', '.join(map(str, SEEDS))}: {seeds}"
            rows.append(Figure(f"{what}: {label}", round(statistics.median(own), 3), unit, how, peer,
                               round(statistics.median(other), 3)))  # fmt: skip
    return rows


def _percent(ratio: float | None) -> float | None:
    return None if ratio is None else round(100.0 * ratio, 3)


def _delivered_pct(summary: dict[str, Any]) -> float | None:
    """Of all calls that were accepted and not cancelled. The summary's own ratio gives each an hour's grace, which is
    longer than most of these runs."""
    calls = summary["calls"]
    wanted = calls["accepted"] - calls["cancelled"]
    return round(100.0 * calls["delivered"] / wanted, 3) if wanted else None


def _growth() -> list[Figure]:
    figures = []
    for boxes, hours in GROWTH_H.items():
        side_m = 1000.0 * (boxes**0.5)
        started_s = time.process_time()
        summary = _one(
            {
                "duration_h": hours,
                "map": {"width_m": side_m, "height_m": side_m},
                "boxes": {"kind": "core", "count": boxes},
                "gateways": {"count": max(1, boxes // 30)},
                "people": {"calls_per_box_day": 24, "until_h": 0.6 * hours},
                "mode": [{"at_h": 0, "mode": "emergency"}],
            },
            1,
        )
        cpu_s = time.process_time() - started_s
        calls = summary["calls"]["accepted"]
        how = f"one box per km2, a gateway for 30 boxes, {hours:g} h, readings every 300 s, {calls} calls, seed 1"
        for label, value, unit in (
            ("calls delivered", _delivered_pct(summary), "%"),
            ("delay of calls, p99", summary["waits"]["p99_s"], "s"),
            ("busiest hour", summary["airtime"]["greatest_hour_pct"], "%"),
            ("simulated s per s of processor time", round(summary["simulated_s"] / cpu_s, 1), ""),
        ):
            if value is not None:
                figures.append(Figure(f"growth to {boxes}: {label}", value, unit, how))
    return figures
