# SPDX-License-Identifier: Apache-2.0
"""Two runs side by side: the same figures in two columns, and which is better where that can be said."""

import json
from html import escape
from pathlib import Path
from typing import Any

from kiezbox_simulator.scenario import drawing
from kiezbox_simulator.scenario.report import air_by_use, duration, page

Figure = tuple[str, float | None, str, int]
"""Label, value, unit ("s" is shown as a duration), 1 if more is better, -1 if less is, 0 if neither."""


def read(path: Path) -> dict[str, Any]:
    """A run's folder or its summary.json. Raises ValueError."""
    file = path / "summary.json" if path.is_dir() else path
    try:
        summary = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is no run: {error}") from error
    if not isinstance(summary, dict) or "calls" not in summary:
        raise ValueError(f"{path} is no run: there are no calls in it")
    return summary


def figures(summary: dict[str, Any]) -> list[Figure]:
    """What is compared, in the order of importance."""
    calls, readings, airtime = summary["calls"], summary["readings"], summary["airtime"]
    delay = calls["delay_to_gateway"]
    rows: list[Figure] = [
        ("calls for help accepted", calls["accepted"], "", 0),
        ("of them delivered", _percent(calls["delivery_ratio"]), "%", 1),
        ("lost", calls["lost"], "", -1),
        ("refused with a reason", calls["refused"], "", -1),
        ("half of the calls delivered within", delay["p50_s"], "s", -1),
        ("95 of 100 within", delay["p95_s"], "s", -1),
        ("99 of 100 within", delay["p99_s"], "s", -1),
        ("residents who could see that it arrived", calls["receipts_shown"], "", 1),
        ("readings at a gateway", _percent(readings["delivery_ratio"]), "%", 1),
        ("airtime for each delivered reading", _seconds(readings["airtime_ms_each"]), "s", -1),
        ("busiest hour of any station", airtime["greatest_hour_pct"], "%", -1),
        ("frames sent", summary["frames"]["sent"], "", -1),
        ("rules broken", summary["referee"]["violations"], "", -1),
    ]
    if summary.get("energy"):
        rows.append(("boxes that went dark", summary["energy"]["boxes_that_went_dark"], "", -1))
        rows.append(("energy drawn by a box", summary["energy"]["drawn_wh_mean"], "Wh", -1))
    return rows


def _percent(ratio: float | None) -> float | None:
    return None if ratio is None else round(100 * ratio, 2)


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def shown(value: float | None, unit: str) -> str:
    """A value with its unit."""
    if value is None:
        return "–"
    if unit == "s":
        return duration(value)
    return f"{value:,.10g}{' ' + unit if unit else ''}"


def better(first: float | None, second: float | None, sense: int) -> str:
    """ "A", "B" or "" where they are equal or nothing can be said."""
    if first is None or second is None or not sense or first == second:
        return ""
    return "A" if (first > second) == (sense > 0) else "B"


def table(first: dict[str, Any], second: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Rows (label, A, B, better) of figures that both runs have."""
    others = {label: value for label, value, _, _ in figures(second)}
    return [
        (label, shown(value, unit), shown(others[label], unit), better(value, others[label], sense))
        for label, value, unit, sense in figures(first)
        if label in others
    ]


def render(first: dict[str, Any], second: dict[str, Any]) -> str:
    """The page."""
    rows = "".join(
        f"<tr><td>{escape(label)}</td><td class={'win' if which == 'A' else 'no'}>{escape(one)}</td>"
        f"<td class={'win' if which == 'B' else 'no'}>{escape(other)}</td></tr>"
        for label, one, other, which in table(first, second)
    )
    heads = [
        f"{name}: {summary['scenario']} ({summary['nodes']['boxes']} boxes, {summary['boxes_kind']}, "
        f"{summary['preset']}, "
        f"{summary['simulated_s'] / 3600:g} h, seed {summary['seed']})"
        for name, summary in (("A", first), ("B", second))
    ]
    charts = ""
    hours = max(first["simulated_s"], second["simulated_s"]) / 3600
    for name, summary in (("A", first), ("B", second)):
        bars = [(hour, (delivered, accepted - delivered, asked - accepted))
                for hour, asked, accepted, delivered in summary["calls"]["by_hour"]]  # fmt: skip
        charts += f"<h3>{name}</h3>" + drawing.stacked_bars(
            f"Calls of {name}", bars, ("ok", "wait", "refused"), hours, 0.0
        )
    uses = sorted({*air_by_use(first["airtime"]["by_kind_s"]), *air_by_use(second["airtime"]["by_kind_s"])})
    air = "".join(
        f"<tr><td>{escape(use)}</td>"
        + "".join(f"<td>{air_by_use(s['airtime']['by_kind_s']).get(use, 0):,.0f} s</td>" for s in (first, second))
        + "</tr>"
        for use in uses
    )
    body = (
        f"<header><h1>Two runs compared</h1><p>{escape(heads[0])}</p><p>{escape(heads[1])}</p></header>"
        f"<table class=compare><thead><tr><th></th><th>A</th><th>B</th></tr></thead><tbody>{rows}</tbody></table>"
        f"<p class=legend>Bold: better.</p><section><h2>Calls for help by hour</h2>{charts}</section>"
        "<section><h2>Airtime for</h2><table><thead><tr><th></th><th>A</th><th>B</th></tr></thead>"
        f"<tbody>{air}</tbody></table></section>"
    )
    return page("Two runs compared", body)
