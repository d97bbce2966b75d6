# SPDX-License-Identifier: Apache-2.0
"""Two runs side by side: the same figures in two columns, and which is better where that can be said."""

import json
from html import escape
from pathlib import Path
from typing import Any

from kiezbox_simulator.scenario import drawing
from kiezbox_simulator.scenario.page import drawing_with_table, legend, page, section, table
from kiezbox_simulator.scenario.report import air_by_use
from kiezbox_simulator.scenario.words import Words

Figure = tuple[str, float | None, str, int]
"""Name of the label, value, unit ("s" is shown as a duration), 1 if more is better, -1 if less is, 0 if neither."""


def read(path: Path) -> dict[str, Any]:
    """A run's folder or its summary.json. Raises ValueError."""
    file = path / "summary.json" if path.is_dir() else path
    try:
        summary = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is no run: {error}. Give the folder that `kiezbox sim run` wrote") from error
    missing = [key for key in ("calls", "readings", "airtime", "frames", "referee", "nodes", "seed", "scenario")
               if not isinstance(summary, dict) or key not in summary]  # fmt: skip
    if missing:
        raise ValueError(f"{path} is no run: there is no {missing[0]} in it")
    return dict(summary)


def figures(summary: dict[str, Any]) -> list[Figure]:
    """What is compared, in the order of importance."""
    calls, readings, airtime = summary["calls"], summary["readings"], summary["airtime"]
    delay = calls["delay_to_gateway"]
    rows: list[Figure] = [
        ("c_accepted", calls["accepted"], "", 0),
        ("c_delivered", _percent(calls["delivery_ratio"]), "%", 1),
        ("c_lost", calls["lost"], "", -1),
        ("c_refused", calls["refused"], "", -1),
        ("c_p50", delay["p50_s"], "s", -1),
        ("c_p95", delay["p95_s"], "s", -1),
        ("c_p99", delay["p99_s"], "s", -1),
        ("c_receipts", calls["receipts_shown"], "", 1),
        ("c_readings", _percent(readings["delivery_ratio"]), "%", 1),
        ("c_airtime", _seconds(readings["airtime_ms_each"]), "s", -1),
        ("c_mean_air", airtime["mean_box_pct"], "%", -1),
        ("c_busiest", airtime["greatest_hour_pct"], "%", -1),
        ("c_frames", summary["frames"]["sent"], "", -1),
        ("c_broken", summary["referee"]["violations"], "", -1),
    ]
    if summary.get("energy"):
        rows.append(("c_dark", summary["energy"]["boxes_that_went_dark"], "", -1))
        rows.append(("c_energy", summary["energy"]["drawn_wh_mean"], "Wh", -1))
    return rows


def _percent(ratio: float | None) -> float | None:
    return None if ratio is None else round(100 * ratio, 2)


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def shown(words: Words, value: float | None, unit: str) -> str:
    """A value with its unit."""
    if value is None:
        return "–"
    if unit == "s":
        return words.duration(value)
    return f"{words.short(value)}{' ' + unit if unit else ''}"


def better(first: float | None, second: float | None, sense: int) -> str:
    """ "A", "B" or "" where they are equal or nothing can be said."""
    if first is None or second is None or not sense or first == second:
        return ""
    return "A" if (first > second) == (sense > 0) else "B"


def rows(first: dict[str, Any], second: dict[str, Any], language: str = "en") -> list[tuple[str, str, str, str]]:
    """(label, A, B, better) of figures that both runs have."""
    words = Words(language)
    others = {label: value for label, value, _, _ in figures(second)}
    return [
        (
            words(label),
            shown(words, value, unit),
            shown(words, others[label], unit),
            better(value, others[label], sense),
        )
        for label, value, unit, sense in figures(first)
        if label in others
    ]


def unlike(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Whether the two runs are of different scenarios, lengths or seeds, so that more than one thing differs."""
    return any(first[key] != second[key] for key in ("scenario", "simulated_s", "seed"))


def render(first: dict[str, Any], second: dict[str, Any], language: str = "en", sibling: str = "") -> str:
    """The page; `sibling` is the file name of the same page in the other language."""
    words = Words(language)
    runs = (("A", first), ("B", second))
    heads = "".join(
        f"<p><b>{name}</b> "
        + escape(words("compare_run", scenario=run["scenario"], boxes=run["nodes"]["boxes"], kind=run["boxes_kind"],
                       preset=run["preset"], hours=words.short(run["simulated_s"] / 3600), seed=run["seed"]))
        + "</p>"
        for name, run in runs
    )  # fmt: skip
    caution = f'<p class="bad">{escape(words("compare_differ"))}</p>' if unlike(first, second) else ""
    lines = "".join(
        f"<tr><th scope=row>{escape(label)}</th><td class={'win' if which == 'A' else 'no'}>{escape(one)}</td>"
        f"<td class={'win' if which == 'B' else 'no'}>{escape(other)}</td></tr>"
        for label, one, other, which in rows(first, second, language)
    )
    head = '<thead><tr><td></td><th scope="col">A</th><th scope="col">B</th></tr></thead>'
    charts = "".join(_calls(words, name, run, max(first["simulated_s"], second["simulated_s"])) for name, run in runs)
    spent = [air_by_use(run["airtime"]["by_kind_s"]) for run in (first, second)]
    air = [(words(use), *(f"{words.number(of.get(use, 0))} s" for of in spent)) for use in {**spent[0], **spent[1]}]
    body = (
        f"<header><h1>{escape(words('compare'))}</h1>{heads}{caution}</header>"
        f"<table class=compare>{head}<tbody>{lines}</tbody></table>"
        f'<p class="legend">{escape(words("compare_legend"))}</p>'
        + section("calls", words("calls_by_hour"), charts)
        + section("air", words("airtime_for"), table((words("airtime_for"), "A", "B"), air))
    )
    return page(words, words("compare"), body, sibling)


def _calls(words: Words, name: str, run: dict[str, Any], longest_s: float) -> str:
    start_hour = int(run["start"][11:13]) + int(run["start"][14:16]) / 60
    by_hour = run["calls"]["by_hour"]
    bars = [(hour, (delivered, accepted - delivered, asked - accepted)) for hour, asked, accepted, delivered in by_hour]
    drawn = drawing.stacked_bars(
        words, f"{name}: {words('calls_by_hour')}", bars, ("ok", "wait", "refused"), longest_s / 3600, start_hour
    )
    as_table = table(
        (words("hour"), words("asked"), words("accepted"), words("delivered")),
        [(words.clock(hour * 3600, start_hour * 3600), *map(str, counts)) for hour, *counts in by_hour],
    )
    marks = legend((("ok", words("delivered")), ("wait", words("not_yet")), ("refused", words("refused"))))
    return drawing_with_table(words, name, drawn, as_table, marks)
