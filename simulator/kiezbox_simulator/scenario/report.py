# SPDX-License-Identifier: Apache-2.0
"""`report.html`: one run as a page that a district planner reads. Self-contained: inline SVG and CSS, nothing is
loaded, no script.

It answers in this order: did every call for help arrive and how fast; where do boxes stand and over whom do they
talk; how full is the air; does the energy last; what went wrong and why; under which assumptions. Figures come from
summary.py, drawings from drawing.py.
"""

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiezbox_simulator.scenario import drawing, map_drawing
from kiezbox_simulator.world.people import HOUR_US

if TYPE_CHECKING:
    from kiezbox_simulator.scenario.simulation import Simulation

CSS = (Path(__file__).parent / "style.css").read_text(encoding="utf-8")

KINDS = {
    "vm": "each box runs its real firmware on MicroPython",
    "core": "each box runs the firmware's protocol code; portal, flash and energy policy are simplified",
    "stock": "each box is a stock Meshtastic node that floods; no receipts, no custody, no priorities",
}
AIR_KINDS = (
    ("256/3/", "calls for help"), ("256/4/", "exercise calls"), ("256/16/", "receipts"), ("256/17/", "answers"),
    ("256/18/", "mode"), ("256/19/", "bulletins"), ("256/21/", "time"), ("256/7/", "command results"),
    ("256/1/", "readings"), ("256/2/", "box health"), ("256/", "other Kiezbox"), ("4/", "node names"),
    ("67/", "stock telemetry"), ("1/", "stock text messages"), ("", "other devices"),
)  # fmt: skip
"""Prefixes of the summary's kinds of airtime, most exact first."""


def duration(seconds: float | None) -> str:
    """Seconds as people say them."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"


def air_by_use(by_kind_s: dict[str, float]) -> dict[str, float]:
    """Airtime in seconds by what it was for, largest first."""
    found: dict[str, float] = {}
    for kind, spent_s in by_kind_s.items():
        label = next(label for prefix, label in AIR_KINDS if kind.startswith(prefix))
        found[label] = found.get(label, 0.0) + spent_s
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def render(simulation: "Simulation", summary: dict[str, Any]) -> str:
    """The whole page."""
    scenario = simulation.scenario
    parts = [
        _head(scenario.title, scenario.description, summary),
        _answer(summary),
        _calls(simulation, summary),
        _map(simulation),
        _air(summary),
        _energy(simulation, summary),
        _events(summary),
        _assumptions(simulation, summary),
    ]
    return page(scenario.title, "".join(parts))


def page(title: str, body: str) -> str:
    """A self-contained page."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)} – Kiezbox simulation</title><style>{CSS}</style></head><body><main>{body}"
        "</main></body></html>\n"
    )


def figure(number: str, label: str, cls: str = "") -> str:
    """One big figure with its meaning."""
    return f'<div class="figure {cls}"><b>{escape(number)}</b><span>{escape(label)}</span></div>'


def _head(title: str, description: str, summary: dict[str, Any]) -> str:
    nodes = summary["nodes"]
    facts = (
        f"{summary['simulated_s'] / 3600:g} hours from {summary['start'][:16].replace('T', ' ')} · "
        f"{nodes['boxes']} boxes"
        f" ({KINDS[summary['boxes_kind']]}) · {nodes['gateways']} gateway{'s' if nodes['gateways'] != 1 else ''}"
        f" · {summary['preset']} · seed {summary['seed']}"
    )
    return f"<header><h1>{escape(title)}</h1><p>{escape(description)}</p><p class=facts>{escape(facts)}</p></header>"


def _answer(summary: dict[str, Any]) -> str:
    calls = summary["calls"]
    delay = calls["delay_to_gateway"]
    violations = summary["referee"]["violations"]
    lost = calls["lost"]
    if not calls["asked"]:
        verdict = "Nobody asked for help in this scenario."
    elif lost == 0 and violations == 0:
        verdict = (
            "Every call for help that a box accepted reached the district or is on its way, and no rule was broken."
        )
    elif lost == 0:
        verdict = (
            f"No accepted call was lost, but the referee saw {violations} broken rule{'s' if violations > 1 else ''}."
        )
    else:
        verdict = f"{lost} of {calls['accepted']} accepted calls did not reach the district. The reasons stand below."
    good = "good" if lost == 0 and not violations else "bad"
    figures = [
        figure(f"{calls['delivered']} of {calls['accepted']}", "accepted calls delivered", good),
        figure(duration(delay["p50_s"]), "half of the calls were there within"),
        figure(duration(delay["p99_s"]), "99 of 100 calls were there within"),
        figure(f"{summary['airtime']['greatest_hour_pct']:.2f} %", "busiest hour of any station (law: 10 %)",
               "good" if summary["airtime"]["greatest_hour_pct"] <= 10 else "bad"),
    ]  # fmt: skip
    if summary["energy"]:
        dark = summary["energy"]["boxes_that_went_dark"]
        figures.append(figure(str(dark), "boxes whose battery ran empty", "bad" if dark else "good"))
    return f'<p class="verdict {good}">{escape(verdict)}</p><div class=figures>{"".join(figures)}</div>'


def _calls(simulation: "Simulation", summary: dict[str, Any]) -> str:
    calls = summary["calls"]
    if not calls["asked"]:
        return ""
    hours, start = _hours(simulation)
    rows = [
        (hour, (delivered, accepted - delivered, asked - accepted))
        for hour, asked, accepted, delivered in calls["by_hour"]
    ]
    chart = drawing.stacked_bars("Calls for help by hour", rows, ("ok", "wait", "refused"), hours, start)
    by_hour: dict[int, list[float]] = {}
    for call in simulation.calls:
        if call.accepted_us is not None and call.delivered_us is not None:
            by_hour.setdefault(call.accepted_us // HOUR_US, []).append((call.delivered_us - call.accepted_us) / 1e6)
    points = [(hour + 0.5, sum(values) / len(values)) for hour, values in sorted(by_hour.items())]
    greatest = drawing.nice_ceiling(max((value for _, value in points), default=1.0))
    delay = drawing.lines(
        "Mean delay to the gateway by hour", [("mean delay", "line", points)], hours, start, greatest, " s"
    )
    told = calls["delay_of_receipt"]
    table = _table(
        ("", "half within", "95 of 100 within", "99 of 100 within", "longest"),
        [("until a gateway had the call", *map(duration, calls["delay_to_gateway"].values())),
         ("until the resident could see that", *map(duration, told.values()))],
    )  # fmt: skip
    reasons = "".join(f"<li>{count} × {escape(reason)}</li>" for reason, count in calls["reasons"].items())
    why = f"<p>Refused or lost, and why:</p><ul>{reasons}</ul>" if reasons else "<p>No call was refused or lost.</p>"
    languages = ", ".join(f"{language} {count}" for language, count in calls["languages"].items())
    legend = (
        '<p class=legend><i class="ok"></i> delivered <i class="wait"></i> accepted, not yet delivered '
        '<i class="refused"></i> refused</p>'
    )
    return (
        f"<section><h2>Calls for help</h2>{chart}{legend}<h3>How long it took, by hour</h3>{delay}{table}{why}"
        f"<p>{calls['asked']} people asked, {calls['cancelled']} withdrew their call. Languages: "
        f"{escape(languages)}.</p></section>"
    )


def _map(simulation: "Simulation") -> str:
    stations = simulation.ether.stations
    kinds = {inhabitant.site.key: inhabitant.kind for inhabitant in simulation.inhabitants}
    sites = {s.index: (s.site, kinds.get(s.name, "attacker")) for s in stations}
    least = max(3, simulation.referee.frames // 5000)
    gateways = [index for index, (_, kind) in sites.items() if kind == "gateway"]
    own = {link: count for link, count in simulation.link_uses.items()
           if all(sites[end][1] not in ("stranger", "attacker") for end in link)}  # fmt: skip
    hops = map_drawing.hops_to(gateways, map_drawing.used_links(own, least))
    notes = {s.index: f"{s.sent} frames, {hops.get(s.index, 'no')} hops from a gateway" for s in stations}
    drawn = map_drawing.draw("Map of boxes and links", sites, own, hops, notes)
    far = sorted({hop for index, hop in hops.items() if sites[index][1] not in ("gateway", "stranger", "attacker")})
    counts = ", ".join(
        f"{sum(hops.get(i) == hop and sites[i][1] not in ('gateway', 'stranger') for i in sites)} at {hop} "
        f"hop{'s' if hop > 1 else ''}"
        for hop in far
    )
    unreached = [sites[i][0].key for i in sites if i not in hops and sites[i][1] not in ("stranger", "attacker")]
    warning = f"<p class=bad>No link towards a gateway: {escape(', '.join(unreached))}.</p>" if unreached else ""
    return (
        "<section><h2>Where the boxes stand and over whom they talk</h2>"
        f"{drawn}<p class=legend>■ gateway, ● box with its hops to a gateway, small dots: other devices. Lines "
        "carried frames,"
        f" the thicker the more. {escape(counts)}.</p>{warning}</section>"
    )


def _air(summary: dict[str, Any]) -> str:
    boxes = sorted(summary["boxes"], key=lambda row: -row["greatest_hour_pct"])
    shown = boxes[:40]
    rows = [
        (
            row["name"],
            row["greatest_hour_pct"],
            f"{row['greatest_hour_pct']:.2f} %",
            "ok" if row["greatest_hour_pct"] <= 10 else "refused",
        )
        for row in shown
    ]
    chart = drawing.row_bars("Busiest hour of each box", rows, max(11.0, rows[0][1] * 1.05 if rows else 11.0), 10.0)
    total_s = summary["airtime"]["total_s"] or 1.0
    uses = _table(
        ("airtime of all stations for", "seconds", "share"),
        [(label, f"{spent_s:,.0f}", f"{100 * spent_s / total_s:.1f} %")
         for label, spent_s in air_by_use(summary["airtime"]["by_kind_s"]).items()],
    )  # fmt: skip
    receptions = summary["frames"]["receptions"]
    possible = sum(receptions.values()) or 1
    fates = _table(
        ("a frame at a neighbour", "times", "share"),
        [
            (name.replace("_", " "), f"{count:,}", f"{100 * count / possible:.2f} %")
            for name, count in receptions.items()
            if count
        ],
    )
    more = f"<p class=legend>The {len(shown)} busiest of {len(boxes)} boxes.</p>" if len(boxes) > len(shown) else ""
    readings = summary["readings"]
    read = ""
    if readings["made"]:
        ratio = 100 * (readings["delivery_ratio"] or 0)
        read = (f"<p>Readings: {readings['made']:,} taken, {readings['delivered']:,} at a gateway ({ratio:.1f} %),"
                f" {readings['airtime_ms_each'] or 0:,.0f} ms of airtime each, all repeaters "
                "included.</p>")  # fmt: skip
    return (
        "<section><h2>How full the air is</h2><p>Each station may be on the air 10 % of any hour by law. The bar "
        "is its busiest hour.</p>"
        f"{chart}{more}<div class=columns>{uses}{fates}</div>{read}</section>"
    )


def _energy(simulation: "Simulation", summary: dict[str, Any]) -> str:
    power, energy = simulation.power, summary["energy"]
    if power is None or not energy:
        return ""
    hours, start = _hours(simulation)
    columns: dict[float, list[float]] = {}
    for box in power.boxes.values():
        for time_us, permille in box.history:
            columns.setdefault(round(time_us / HOUR_US, 3), []).append(permille / 10.0)
    every = max(1, len(columns) // 300)
    points = [(hour, min(v), sum(v) / len(v), max(v)) for hour, v in sorted(columns.items())[::every]]
    chart = drawing.band("Charge of the batteries", points, hours, start, 100.0, " %")
    rows = []
    for row in sorted(summary["boxes"], key=lambda row: row["charge_pct"])[:40]:
        dark = f", {row['dark_h']:g} h dark" if row["dark_h"] else ""
        rows.append((row["name"], row["charge_pct"], f"{row['charge_pct']:.0f} %{dark}", "refused" if dark else "ok"))
    bars = drawing.row_bars("Charge at the end", rows, 100.0)
    switched = [(row["name"], time_s, text) for row in summary["boxes"] for time_s, text in row["switched"]]
    switched.sort(key=lambda item: item[1])
    order = "".join(f"<li>{_clock(time_s)} {escape(name)}: {escape(text)}</li>" for name, time_s, text in switched[:60])
    shed = (
        f"<details><summary>What boxes switched, and when ({len(switched)})</summary><ol>{order}</ol></details>"
        if switched
        else ""
    )
    return (
        "<section><h2>Does the energy last</h2>"
        f"<p>On average a box drew {energy['drawn_wh_mean']:.1f} Wh and its panel gave "
        f"{energy['harvested_wh_mean']:.1f} Wh.</p>"
        f"{chart}<p class=legend>Line: mean of all boxes; band: from the emptiest to the fullest.</p><h3>Charge "
        f"at the end</h3>{bars}{shed}</section>"
    )


def _events(summary: dict[str, Any]) -> str:
    violations = summary["referee"]["first"]
    parts = ["<section><h2>What happened, and what went wrong</h2>"]
    if violations:
        items = "".join(f"<li>{escape(line)}</li>" for line in violations)
        parts.append(
            f"<p class=bad>The referee saw {summary['referee']['violations']} broken rules:</p><ul>{items}</ul>"
        )
    else:
        parts.append(
            "<p>The referee, who watches every frame and every promise from outside, saw no rule broken: nobody above "
            "10 % of an hour, no accepted call lost, no reading sent before a call, no words of a call readable "
            "on the air.</p>"
        )
    if summary["events_noted"]:
        items = "".join(
            f"<li>{_clock(event['time_s'])} {escape(event['text'])}</li>" for event in summary["events_noted"][:120]
        )
        parts.append(f"<ol class=events>{items}</ol>")
    parts.append("</section>")
    return "".join(parts)


def _assumptions(simulation: "Simulation", summary: dict[str, Any]) -> str:
    scenario = simulation.scenario
    air = scenario.air
    radio, boxes = scenario.radio, scenario.boxes
    antennas = f"antennas {boxes.antenna_dbi:g} dBi"
    reach = f"Radio: {radio.preset}, {radio.power_dbm:g} dBm, up to {radio.hop_limit} hops, {antennas}."
    model = air.model.replace("_", " ")
    noise = f"{air.city_noise_db:g} dB above the receiver's own"
    computing = (
        "A processor's computing takes no time here; everything on the air, in the flash and on the page does its own."
    )
    same = f"The same scenario and seed give the same {summary['trace_events']:,} events: {summary['trace_sha256']}."
    lines = [
        reach,
        f"Propagation: {model}, fading {air.fading_db:g} dB, city noise {noise}.",
        "Frame errors over signal-to-noise by a published closed form; colliding frames by power and timing.",
        computing,
        same,
    ]
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<section><h2>Assumptions</h2><ul>{items}</ul></section>"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _clock(time_s: float) -> str:
    return f"{int(time_s // 3600)}:{int(time_s // 60 % 60):02d} h"


def _hours(simulation: "Simulation") -> tuple[float, float]:
    start = simulation.scenario.start
    return simulation.scenario.duration_h, start.hour + start.minute / 60.0
