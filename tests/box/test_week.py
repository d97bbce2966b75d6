# SPDX-License-Identifier: Apache-2.0
"""Days of the whole firmware with random faults in virtual time: no call lost, memory flat, the same trace twice. Hours
here, seven days in the long run."""

import os
import random
from pathlib import Path
from typing import Any

import pytest

from kiezbox_simulator.scenario import schema
from kiezbox_simulator.scenario.simulation import Simulation

LONG = bool(os.environ.get("KIEZBOX_LONG"))
HOURS = 168 if LONG else 6
BOXES = 2
KINDS = (
    "power_cut", "power_cut", "radio_reset", "sensor", "gateway_death", "clock_jump", "broken_flash", "full_flash",
    "jamming",
)  # fmt: skip
ATTACKS = ("phone_flood", "replay", "bit_flip")
CLOCK_JUMPS_S = (-30 * 86_400, -3_600, -60, 90, 3_600, 400 * 86_400)
HEAP_DRIFT_BYTES = 8 * 1024
"""What a box may hold more at the end than half-way: by then entries of calls (at most sixteen), neighbours and what is
remembered of frames have filled up."""


def faults(seed: int) -> list[dict[str, Any]]:
    """One an hour, of every kind that a box survives; the last hour is quiet, so that what waits can arrive."""
    chance = random.Random(seed)
    found: list[dict[str, Any]] = []
    for _ in range(HOURS):
        at_h = round(chance.uniform(0.2, HOURS - 1.5), 3)
        kind = chance.choice(KINDS)
        fault: dict[str, Any] = {"at_h": at_h, "kind": kind, "duration_h": round(chance.uniform(0.02, 0.4), 3)}
        if kind == "power_cut":
            fault["torn"] = chance.random() < 0.7
        if kind == "clock_jump":
            fault["jump_s"] = chance.choice(CLOCK_JUMPS_S)
        if kind == "jamming":
            fault["power_dbm"] = chance.choice([0, 14, 30])
        found.append(fault)
    return found


def attacks(seed: int) -> list[dict[str, Any]]:
    """One of each kind in six hours: phones that fill a box's page with calls, frames heard and sent again, changed or
    not."""
    chance = random.Random(seed + 1_000)
    return [
        {
            "at_h": round(chance.uniform(start_h + 0.3, start_h + 3.5), 3),
            "kind": kind,
            "duration_h": 0.05,
            "period_s": 6,
        }
        for start_h in range(0, HOURS, 6)
        for kind in ATTACKS
    ]


def run(folder: Path, seed: int, cores: int) -> Simulation:
    folder.mkdir()
    scenario = {
        "title": "week", "start": "2026-01-03T16:00:00+01:00", "duration_h": HOURS,
        "map": {"width_m": 900, "height_m": 900}, "boxes": {"kind": "vm", "count": BOXES},
        "readings": {"interval_s": 300, "samples_per_frame": 3, "health_interval_s": 1_800},
        "people": {
            "calls_per_box_day": 48, "from_h": 0.2, "until_h": HOURS - 1.2, "blackout": False,
            "lookers_per_box_day": 48,
        },
        "mode": [{"at_h": 0, "mode": "emergency"}], "limits": {"delivery_grace_h": 1.0}, "fault": faults(seed),
        "attack": attacks(seed),
    }  # fmt: skip
    simulation = Simulation(schema.parse(scenario), seed, work_dir=folder, cores=cores)
    simulation.run()
    return simulation


@pytest.mark.parametrize("seed", [1, 2, 3] if LONG else [1])
def test_days_of_faults_lose_no_call_and_leave_memory_as_it_was(tmp_path: Path, seed: int) -> None:
    first = run(tmp_path / "first", seed, 2)
    accepted = [call for call in first.calls if call.accepted_us is not None]
    assert len(accepted) > HOURS
    assert [call.code for call in accepted if call.delivered_us is None] == []
    assert [reason for box in first.boxes.values() for reason in box.crashes] == []
    assert [line for line in first.referee.violations if "lost" in line or "truth" in line] == []
    free: dict[int, list[int]] = {}
    for _, received in sorted(
        (store for gateway in first.gateways.values() for store in gateway.store.messages.values()),
        key=lambda one: one[0],
    ):
        if received.kind == "health" and received.message["uptime_s"] > 1_800:
            assert not received.message.get("crash"), received.message["crash"]
            free.setdefault(received.node_num, []).append(received.message["heap_free_bytes"])
    assert len(free) == BOXES
    for found in free.values():
        print("heap free in bytes, in order:", found)
        assert found[-1] > found[len(found) // 2] - HEAP_DRIFT_BYTES
    second = run(tmp_path / "second-with-another-name", seed, 1)
    assert second.trace.sha256 == first.trace.sha256
