# SPDX-License-Identifier: Apache-2.0
"""Kiezbox against stock Meshtastic flooding: the same places, the same air, the same people and readings; everyday
and crisis.

Both are core nodes: ours with receipts, custody and priorities, stock with plain text and telemetry (the PyPI
packets' sizes), once with our preset and once with LongFast, what stock devices are sold with. Several seeds,
medians; the spread is in `how`.
"""

import statistics
from typing import Any

from bench.figure import Figure
from kiezbox_simulator.scenario import schema
from kiezbox_simulator.scenario.simulation import Simulation
from kiezbox_simulator.scenario.summary import summarise

SEEDS = (1, 2, 3)
HOURS = 4.0
LOADS: dict[str, dict[str, Any]] = {
    "everyday": {"people": {"calls_per_box_day": 2, "blackout": False, "until_h": 3.5}},
    "crisis": {
        "people": {"calls_per_box_day": 60, "until_h": 3.5},
        "mode": [{"at_h": 0, "mode": "emergency"}],
        "fault": [{"at_h": 1.5, "kind": "gateway_death", "target": "1", "duration_h": 0.5}],
    },
}
KINDS = (
    ("Kiezbox", "core", "MEDIUM_FAST"),
    ("stock, MediumFast", "stock", "MEDIUM_FAST"),
    ("stock, LongFast", "stock", "LONG_FAST"),
)
SIZES = ((20, 2600, 2200, 1), (60, 9000, 7000, 2))
GROWTH = (10, 30, 100, 300, 1000)


def run() -> list[Figure]:
    """Every size, load and kind; then how ours grows."""
    figures = []
    for boxes, width_m, height_m, gateways in SIZES:
        for load, changes in LOADS.items():
            found = {name: [_one(kind, preset, boxes, width_m, height_m, gateways, changes, seed) for seed in SEEDS]
                     for name, kind, preset in KINDS}  # fmt: skip
            for peer in ("stock, MediumFast", "stock, LongFast"):
                figures += _compare(f"{boxes} boxes, {load}", found["Kiezbox"], found[peer], peer)
    return figures + _growth()


def _one(
    kind: str,
    preset: str,
    boxes: int,
    width_m: float,
    height_m: float,
    gateways: int,
    changes: dict[str, Any],
    seed: int,
) -> dict[str, Any]:
    scenario = schema.parse(
        {
            "title": "bench", "start": "2026-01-05T16:00:00+01:00", "duration_h": HOURS,
            "map": {"width_m": width_m, "height_m": height_m}, "radio": {"preset": preset},
            "boxes": {"kind": kind, "count": boxes}, "gateways": {"count": gateways},
            "readings": {"interval_s": 300, "samples_per_frame": 6},
        }
        | changes
    )  # fmt: skip
    simulation = Simulation(scenario, seed)
    simulation.run()
    return summarise(simulation)


def _compare(what: str, ours: list[dict[str, Any]], theirs: list[dict[str, Any]], peer: str) -> list[Figure]:
    rows = []
    for label, unit, pick in (
        ("calls delivered", "%", lambda s: _percent(s["calls"]["delivery_ratio"])),
        ("delay of calls, p50", "s", lambda s: s["calls"]["delay_to_gateway"]["p50_s"]),
        ("delay of calls, p95", "s", lambda s: s["calls"]["delay_to_gateway"]["p95_s"]),
        ("delay of calls, p99", "s", lambda s: s["calls"]["delay_to_gateway"]["p99_s"]),
        ("readings delivered", "%", lambda s: _percent(s["readings"]["delivery_ratio"])),
        ("airtime per delivered reading", "ms", _airtime_per_sample),
        ("busiest hour of a station", "%", lambda s: s["airtime"]["greatest_hour_pct"]),
    ):
        own = [value for value in map(pick, ours) if value is not None]
        other = [value for value in map(pick, theirs) if value is not None]
        if own and other:
            spread = (
                f"seeds: {', '.join(f'{v:g}' for v in own)} against {', '.join(f'{v:g}' for v in other)}; {HOURS:g} h"
            )
            rows.append(
                Figure(
                    f"{what}: {label}",
                    round(statistics.median(own), 3),
                    unit,
                    spread,
                    peer,
                    round(statistics.median(other), 3),
                )
            )
    return rows


def _percent(ratio: float | None) -> float | None:
    return None if ratio is None else 100.0 * ratio


def _airtime_per_sample(summary: dict[str, Any]) -> float | None:
    each = summary["readings"]["airtime_ms_each"]
    if each is None:
        return None
    # A stock reading is four packets; ours are counted by the sample.
    return float(each) * (4.0 if summary["boxes_kind"] == "stock" else 1.0)


def _growth() -> list[Figure]:
    figures = []
    for boxes in GROWTH:
        side_m = 1000.0 * (boxes**0.5)
        changes = {
            "duration_h": 1.0 if boxes <= 100 else 0.25,
            "people": {"calls_per_box_day": 12, "until_h": 0.2},
            "mode": [{"at_h": 0, "mode": "emergency"}],
        }
        summary = _one("core", "MEDIUM_FAST", boxes, side_m, side_m, max(1, boxes // 30), changes, 1)
        how = f"one box per km2, a gateway for 30 boxes, {changes['duration_h']:g} h, readings every 300 s, seed 1"
        figures.append(
            Figure(
                f"growth to {boxes}: readings delivered",
                round(100 * (summary["readings"]["delivery_ratio"] or 0), 2),
                "%",
                how,
            )
        )
        figures.append(
            Figure(
                f"growth to {boxes}: calls delivered",
                round(100 * (summary["calls"]["delivery_ratio"] or 0), 2),
                "%",
                how,
            )
        )
        figures.append(Figure(f"growth to {boxes}: busiest hour", summary["airtime"]["greatest_hour_pct"], "%", how))
        figures.append(
            Figure(
                f"growth to {boxes}: simulated s per s", round(summary["simulated_s"] / summary["wall_s"], 1), "", how
            )
        )
    return figures
