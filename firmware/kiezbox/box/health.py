# SPDX-License-Identifier: Apache-2.0
"""What a box tells about itself, as a health message (docs/wire-format.md). Numbers and names of parts only: nothing in
it comes from a resident. Called by box.py.
"""

import gc

from kiezbox import __version__

SENSED = ("battery_mv", "panel_mv", "battery_ma", "temperature_cc")
CRASH_TOLD_S = 86_400

# Faults; bits 0 to 15 belong to the sensors.
FLASH_FULL = 1 << 16
STATE_DAMAGED = 1 << 17
CONFIGURATION_FAULTY = 1 << 18
JOURNAL_DAMAGED = 1 << 19
BUTTON_STUCK = 1 << 20
RADIO_SILENT = 1 << 21

# Signs; bits 0 to 3 are those of blackout.py.
ROUTER_ON = 16
ON_TRIAL = 32


def report_of(box, ports, node, supervisor, now_ms: int) -> dict:  # noqa: ANN001
    """Fields of a health message. `box` as in box.py."""
    time_s, quality = ports.clock.wall()
    neighbours = node.mesh.neighbours.nodes
    counters = node.counters
    gc.collect()  # What is free is said, not what happened to be unused.
    health = {
        "time_s": time_s,
        "clock_source": ports.clock.source(),
        "clock_quality": quality,
        "uptime_s": now_ms // 1000,
        "heap_free_bytes": gc.mem_free(),
        "flash_free_bytes": box.room.free_bytes(),
        "reset_cause": ports.reset_cause,
        "firmware_version": __version__,
        "mode": box.modes.number,
        "mode_epoch": box.modes.epoch,
        "broadcast_epoch": node.broadcast_epoch,
        "duty_spent_ms": node.mesh.ledger.spent_ms(now_ms),
        "queue_length": len(node.mesh.queue),
        "calls_open": box.calls.open_count(),
        "restarts": box.starts + supervisor.restarts,
        "faults": faults_of(box),
        "signs": signs_of(box),
        "refused": sum(counters.get(name, 0) for name in ("duty_limit", "duty_reserve", "duty_not_persisted")),
        "refused_reserve": counters.get("duty_reserve", 0),
        "readings_shed": box.readings.shed,
        "unsent": box.unsent,
        "reading_interval_s": box.settings.values["reading_interval_s"] * node.reading_factor(now_ms),
        "neighbours": [
            {"node": one, "rssi_dbm": neighbours[one][0], "snr_db": neighbours[one][1]} for one in neighbours
        ],
    }
    crash = supervisor.last_crash(CRASH_TOLD_S)
    if crash:
        health["crash"] = crash
    air = box.air()
    for name in SENSED:
        if name in air:
            health[name] = air[name][0]
    return health


def damage_of(box) -> int:  # noqa: ANN001
    """Faults of what flash could not give back whole at the start."""
    damaged = 0
    if box.state.damaged:
        damaged |= STATE_DAMAGED
    if box.settings.faulty:
        damaged |= CONFIGURATION_FAULTY
    if box.calls.journal.damaged or box.readings.journal.damaged or box.notices_kept.journal.damaged:
        damaged |= JOURNAL_DAMAGED
    return damaged


def faults_of(box) -> int:  # noqa: ANN001
    """Bit field of what does not work."""
    faults = box.sensing.faults | box.damaged
    if box.room.full or box.unsaved:
        faults |= FLASH_FULL
    if box.button is not None and box.button.stuck():
        faults |= BUTTON_STUCK
    if box.radio_silent:
        faults |= RADIO_SILENT
    return faults


def signs_of(box) -> int:  # noqa: ANN001
    """Bit field of what the box sees around it and what it does about it."""
    signs = 0
    if box.upkeep is not None:
        signs = box.upkeep.blackout.signs
        if box.upkeep.router.on:
            signs |= ROUTER_ON
    if box.settings.on_trial:
        signs |= ON_TRIAL
    return signs
