# SPDX-License-Identifier: Apache-2.0
"""What a run comes to, as one JSON object: `summary.json`. Figures only; the page that explains them is report.py.

Times are seconds of the scenario; delays are from the moment a box promised to keep a call until a gateway had
stored it. All keys are described in docs/simulator.md.
"""

from typing import TYPE_CHECKING, Any

from kiezbox_simulator.virtual.station import REASONS
from kiezbox_simulator.world.people import HOUR_US

if TYPE_CHECKING:
    from kiezbox_simulator.scenario.referee import Call
    from kiezbox_simulator.scenario.simulation import Simulation


AT_THE_PAGE_US = 600_000_000
"""Who came so short a time before the end is still typing, or waits for an answer."""


def percentile(values: list[float], share: float) -> float | None:
    """The value that this share of all values does not exceed; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * int(share * 1000) // 1000) - 1))]


def delays(values: list[float]) -> dict[str, float | None]:
    """p50, p95, p99 and the longest, in seconds."""
    named = {"p50_s": 0.5, "p95_s": 0.95, "p99_s": 0.99, "max_s": 1.0}
    return {
        name: None if (found := percentile(values, share)) is None else round(found, 3) for name, share in named.items()
    }


def summarise(simulation: "Simulation") -> dict[str, Any]:
    """After `run`. Everything but `wall_s` is the same for the same scenario and seed."""
    scenario = simulation.scenario
    return {
        "scenario": scenario.title,
        "seed": simulation.seed,
        "boxes_kind": scenario.boxes.kind,
        "preset": scenario.radio.preset,
        "start": scenario.start.isoformat(),
        "simulated_s": round(simulation.end_us / 1e6),
        "wall_s": round(simulation.wall_s, 3),
        "events": simulation.schedule.events,
        "trace_events": simulation.trace.count,
        "trace_sha256": simulation.trace.sha256,
        "nodes": {
            "boxes": len(simulation.boxes), "gateways": len(simulation.gateways),
            "strangers": len(simulation.strangers), "attackers": len(simulation.attackers),
        },
        "calls": _calls(simulation),
        "pages": {"asked": simulation.pages_asked, "read": simulation.pages_read},
        "readings": _readings(simulation),
        "frames": _frames(simulation),
        "airtime": _airtime(simulation),
        "energy": _energy(simulation),
        "boxes": _boxes(simulation),
        "referee": {"violations": simulation.referee.violation_count, "first": simulation.referee.violations[:50]},
        "paced": None if simulation.paced is None else simulation.paced(),
        "events_noted": [{"time_s": round(time_us / 1e6), "text": text} for time_us, text in simulation.events[:500]],
    }  # fmt: skip


def fate(call: "Call", end_us: int, grace_us: int) -> str:
    """One word for what became of a call."""
    if call.accepted_us is None:
        if call.refused:
            return "refused"
        return "unanswered" if end_us - call.asked_us > AT_THE_PAGE_US else "at the page"
    if call.delivered_us is not None:
        return "delivered"
    if call.cancelled:
        return "cancelled"
    if call.lost_reason:
        return "lost"
    return "under way" if end_us - call.accepted_us <= grace_us else "lost"


def _calls(simulation: "Simulation") -> dict[str, Any]:
    calls, end_us, grace_us = simulation.calls, simulation.schedule.now_us, simulation.referee.delivery_grace_us
    fates: dict[str, int] = {}
    reasons: dict[str, int] = {}
    by_hour: dict[int, list[int]] = {}
    for call in calls:
        what = fate(call, end_us, grace_us)
        fates[what] = fates.get(what, 0) + 1
        if what in ("refused", "lost", "unanswered"):
            reason = (
                call.refused
                or call.lost_reason
                or ("no answer from the page" if what == "unanswered" else "not delivered in time")
            )
            reasons[reason] = reasons.get(reason, 0) + 1
        hour = by_hour.setdefault(call.asked_us // HOUR_US, [0, 0, 0])
        hour[0] += 1
        hour[1] += call.accepted_us is not None
        hour[2] += call.delivered_us is not None
    accepted = [call for call in calls if call.accepted_us is not None]
    delivered = [call for call in accepted if call.delivered_us is not None]
    to_gateway = [
        (call.delivered_us - call.accepted_us) / 1e6 for call in delivered if call.delivered_us and call.accepted_us
    ]
    told = [(call.receipt_us - call.accepted_us) / 1e6 for call in accepted if call.receipt_us and call.accepted_us]
    due = [call for call in accepted if not call.cancelled and fate(call, end_us, grace_us) != "under way"]
    arrived = sum(call.delivered_us is not None for call in due)
    return {
        "asked": len(calls),
        "accepted": len(accepted),
        "delivered": len(delivered),
        "lost": fates.get("lost", 0),
        "under_way": fates.get("under way", 0),
        "refused": fates.get("refused", 0) + fates.get("unanswered", 0),
        "at_the_page": fates.get("at the page", 0),
        "cancelled": fates.get("cancelled", 0),
        "delivery_ratio": round(arrived / len(due), 5) if due else None,
        "delay_to_gateway": delays(to_gateway),
        "delay_of_receipt": delays(told),
        "receipts_shown": len(told),
        "forged_by_thieves": simulation.forged,
        "reasons": dict(sorted(reasons.items())),
        "languages": dict(sorted(_count(call.language for call in calls).items())),
        "by_hour": [[hour, *counts] for hour, counts in sorted(by_hour.items())],
    }


def _count(values: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for value in values:
        found[value] = found.get(value, 0) + 1
    return found


def _readings(simulation: "Simulation") -> dict[str, Any]:
    made = sum(getattr(box, "readings_made", 0) for box in simulation.boxes.values())
    waiting = sum(getattr(box, "readings_waiting", 0) for box in simulation.boxes.values())
    delivered = simulation.readings_delivered
    airtime_us = sum(
        spent for kind, spent in simulation.air_log.airtime_by_kind_us.items() if kind.startswith(("256/1/", "67/0/"))
    )
    return {
        "made": made,
        "waiting": waiting,
        "delivered": delivered,
        "delivery_ratio": round(delivered / (made - waiting), 5) if made > waiting else None,
        "airtime_ms_each": round(airtime_us / 1000 / delivered, 3) if delivered else None,
    }


def _frames(simulation: "Simulation") -> dict[str, Any]:
    fates = dict(zip(REASONS, simulation.ether.fates, strict=True))
    return {"sent": simulation.referee.frames, "receptions": fates}


def _airtime(simulation: "Simulation") -> dict[str, Any]:
    hours = simulation.end_us / HOUR_US
    greatest = simulation.referee.greatest_hour_us
    boxes = [box.station for box in simulation.boxes.values()]
    total_us = sum(station.airtime_us for station in simulation.ether.stations)
    return {
        "total_s": round(total_us / 1e6, 3),
        "mean_box_pct": round(100 * sum(s.airtime_us for s in boxes) / len(boxes) / (hours * HOUR_US), 4),
        "greatest_hour_pct": round(100 * max(greatest.values(), default=0) / HOUR_US, 3),
        "by_kind_s": {
            kind: round(spent / 1e6, 3) for kind, spent in sorted(simulation.air_log.airtime_by_kind_us.items())
        },
    }


def _energy(simulation: "Simulation") -> dict[str, Any] | None:
    power = simulation.power
    if power is None:
        return None
    batteries = [box.battery for box in power.boxes.values()]
    order: dict[str, int] = {}
    for box in power.boxes.values():
        for _, text in box.shed:
            order[text] = order.get(text, 0) + 1
    return {
        "harvested_wh_mean": round(sum(battery.harvested_wh for battery in batteries) / len(batteries), 3),
        "drawn_wh_mean": round(sum(battery.drawn_wh for battery in batteries) / len(batteries), 3),
        "charge_at_end_pct": {
            "least": round(100 * min(battery.charge for battery in batteries), 1),
            "mean": round(100 * sum(battery.charge for battery in batteries) / len(batteries), 1),
        },
        "boxes_that_went_dark": sum(box.down_us > 0 for box in power.boxes.values()),
        "dark_h_total": round(sum(box.down_us for box in power.boxes.values()) / HOUR_US, 2),
        "switched": dict(sorted(order.items())),
    }


def _boxes(simulation: "Simulation") -> list[dict[str, Any]]:
    rows = []
    by_box: dict[str, list[Any]] = {}
    for call in simulation.calls:
        by_box.setdefault(call.box, []).append(call)
    for name, box in simulation.boxes.items():
        station = box.station
        row: dict[str, Any] = {
            "name": name,
            "node": f"{station.node_num:08x}",
            "calls_accepted": sum(call.accepted_us is not None for call in by_box.get(name, ())),
            "calls_delivered": sum(call.delivered_us is not None for call in by_box.get(name, ())),
            "frames_sent": station.sent,
            "airtime_s": round(station.airtime_us / 1e6, 3),
            "greatest_hour_pct": round(100 * simulation.referee.greatest_hour_us.get(station.index, 0) / HOUR_US, 3),
            "mode": getattr(box, "mode", None),
        }
        if simulation.power is not None:
            power = simulation.power.boxes[name]
            row["charge_pct"] = round(100 * power.battery.charge, 1)
            row["dark_h"] = round(power.down_us / HOUR_US, 2)
            row["switched"] = [[round(time_us / 1e6), text] for time_us, text in power.shed[:40]]
        rows.append(row)
    return rows
