# SPDX-License-Identifier: Apache-2.0
"""`report.html`: one run as a page that a district planner reads, in English or German. Self-contained: inline SVG
and CSS, nothing is loaded, no script.

It answers in this order: did every call for help arrive and how fast; where do boxes stand and over whom do they
talk; how full is the air; does the energy last; what went wrong and why; under which assumptions. Figures come from
summary.py, drawings from drawing.py and map_drawing.py, sentences from report_texts.py.
"""

from html import escape
from typing import TYPE_CHECKING, Any

from kiezbox_simulator.scenario import drawing, map_drawing
from kiezbox_simulator.scenario.page import drawing_with_table, figure, items, legend, page, section, table
from kiezbox_simulator.scenario.summary import fate, percentile
from kiezbox_simulator.scenario.words import Words
from kiezbox_simulator.world.people import HOUR_US

if TYPE_CHECKING:
    from kiezbox_simulator.scenario.simulation import Simulation

AIR_KINDS = (
    ("256/3/", "use_calls"), ("256/4/", "use_exercise"), ("256/16/", "use_receipts"), ("256/17/", "use_answers"),
    ("256/18/", "use_mode"), ("256/19/", "use_bulletins"), ("256/21/", "use_time"), ("256/7/", "use_results"),
    ("256/1/", "use_readings"), ("256/2/", "use_health"), ("256/", "use_kiezbox"), ("4/", "use_names"),
    ("67/", "use_telemetry"), ("1/", "use_texts"), ("", "use_other"),
)  # fmt: skip
"""Prefixes of the summary's kinds of airtime, most exact first, and the name of the text for each."""

BARS_MAX = 12
"""Bars of single boxes drawn; all boxes stand in the table."""

LOST_SHOWN = 60
EVENTS_SHOWN = 150


def air_by_use(by_kind_s: dict[str, float]) -> dict[str, float]:
    """Airtime in seconds by the name of what it was for, largest first."""
    found: dict[str, float] = {}
    for kind, spent_s in by_kind_s.items():
        name = next(name for prefix, name in AIR_KINDS if kind.startswith(prefix))
        found[name] = found.get(name, 0.0) + spent_s
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def render(simulation: "Simulation", summary: dict[str, Any], language: str = "en", sibling: str = "") -> str:
    """The whole page; `sibling` is the file name of the same page in the other language."""
    words = Words(language)
    report = Report(simulation, summary, words)
    return page(words, report.title, report.body(), sibling)


class Report:
    """The parts of one page, in the order in which they are read."""

    def __init__(self, simulation: "Simulation", summary: dict[str, Any], words: Words) -> None:
        self.simulation = simulation
        self.summary = summary
        self.words = words
        start = simulation.scenario.start
        self.hours = simulation.scenario.duration_h
        self.start_hour = start.hour + start.minute / 60.0
        self.hops = self._hops()

    @property
    def title(self) -> str:
        """The scenario's, in the page's language if it has one there."""
        scenario = self.simulation.scenario
        return scenario.title_de or scenario.title if self.words.language == "de" else scenario.title

    def body(self) -> str:
        """Everything below the page's title."""
        return "".join(
            (self.head(), self.answer(), self.calls(), self.map(), self.air(), self.energy(), self.events(),
             self.assumptions())
        )  # fmt: skip

    def head(self) -> str:
        """Title, and what was simulated."""
        scenario, summary, words = self.simulation.scenario, self.summary, self.words
        facts = words(
            "facts",
            hours=words.short(round(summary["simulated_s"] / 3600, 2)),
            start=summary["start"][:16].replace("T", " "),
            boxes=summary["nodes"]["boxes"],
            gateways=summary["nodes"]["gateways"],
            seed=summary["seed"],
        )
        lead = scenario.description_de or scenario.description if words.language == "de" else scenario.description
        lines = [facts, words("kind_" + summary["boxes_kind"])]
        if summary["paced"]:
            paced = summary["paced"]
            lines.append(words("paced", speed=words.short(paced["speed"])))
            half = words.duration(paced["delay_to_city"]["p50_s"])
            counts = {"stored": paced["calls_stored"], "city": paced["calls_in_the_city"]}
            lines.append(words("paced_calls", half=half, **counts))
        return (
            f"<header><h1>{escape(self.title)}</h1><p class=lead>{escape(lead)}</p>"
            f'<p class="facts">{"<br>".join(map(escape, lines))}</p></header>'
        )

    def answer(self) -> str:
        """One sentence and the few figures that matter."""
        words, summary = self.words, self.summary
        calls, violations, airtime = summary["calls"], summary["referee"]["violations"], summary["airtime"]
        delay = calls["delay_to_gateway"]
        if not calls["asked"]:
            said = [words("verdict_none")]
        elif calls["lost"]:
            said = [words("verdict_lost", lost=calls["lost"], accepted=calls["accepted"])]
        elif calls["under_way"]:
            said = [words("verdict_under_way", count=calls["under_way"])]
        else:
            said = [words("verdict_all")]
        if calls["refused"]:
            name = "verdict_refused_one" if calls["refused"] == 1 else "verdict_refused"
            said.append(words(name, count=calls["refused"]))
        if violations:
            said.append(words("verdict_broken", count=violations))
        good = "bad" if calls["lost"] or violations else "good"
        over = airtime["greatest_hour_pct"] > self.simulation.scenario.limits.duty_pct
        figures = [
            figure(words("of", part=calls["delivered"], all=calls["accepted"]), words("figure_delivered"),
                   "bad" if calls["lost"] else "good"),
            figure(words.duration(delay["p50_s"]), words("figure_half")),
            figure(words.duration(delay["p99_s"]), words("figure_p99")),
            figure(words.percent(airtime["greatest_hour_pct"], 2), words("figure_duty"), "bad" if over else "good"),
        ]  # fmt: skip
        if summary["energy"]:
            dark = summary["energy"]["boxes_that_went_dark"]
            figures.append(figure(str(dark), words("figure_dark"), "bad" if dark else "good"))
        elif summary["readings"]["delivery_ratio"] is not None:
            figures.append(figure(words.percent(100 * summary["readings"]["delivery_ratio"]), words("figure_readings")))
        return f'<p class="verdict {good}">{escape(" ".join(said))}</p><div class="figures">{"".join(figures)}</div>'

    def calls(self) -> str:
        """Delivery and delay by hour; what was refused or lost, and why."""
        words, calls = self.words, self.summary["calls"]
        if not calls["asked"]:
            return ""
        rows = [
            (hour, (delivered, accepted - delivered, asked - accepted))
            for hour, asked, accepted, delivered in calls["by_hour"]
        ]
        bars = drawing.stacked_bars(
            words, words("calls_by_hour"), rows, ("ok", "wait", "refused"), self.hours, self.start_hour
        )
        by_hour = table(
            (words("hour"), words("asked"), words("accepted"), words("delivered")),
            [(self._clock(hour * 3600), str(asked), str(accepted), str(delivered))
             for hour, asked, accepted, delivered in calls["by_hour"]],
        )  # fmt: skip
        marks = legend((("ok", words("delivered")), ("wait", words("not_yet")), ("refused", words("refused"))))
        parts = [
            drawing_with_table(words, words("calls_by_hour"), bars, by_hour, marks),
            self._delays(),
            table(
                ("", words("median"), words("p95"), words("p99"), words("longest")),
                [(words("until_gateway"), *map(words.duration, calls["delay_to_gateway"].values())),
                 (words("until_seen"), *map(words.duration, calls["delay_of_receipt"].values()))],
            ),
            f"<h3>{escape(words('why'))}</h3>", self._losses(),
        ]  # fmt: skip
        languages = ", ".join(f"{words.tongue(code)} {count}" for code, count in calls["languages"].items())
        text = words("people", asked=calls["asked"], cancelled=calls["cancelled"], languages=languages)
        return section("calls", words("calls"), "".join(parts) + f"<p>{escape(text)}</p>")

    def _delays(self) -> str:
        words = self.words
        by_hour: dict[int, list[float]] = {}
        for call in self.simulation.calls:
            if call.accepted_us is not None and call.delivered_us is not None:
                by_hour.setdefault(call.accepted_us // HOUR_US, []).append((call.delivered_us - call.accepted_us) / 1e6)
        rows = [(hour, percentile(v, 0.5) or 0.0, percentile(v, 0.95) or 0.0) for hour, v in sorted(by_hour.items())]
        if not rows:
            return ""
        series = [(cls, [(row[0] + 0.5, row[column]) for row in rows]) for cls, column in (("line", 1), ("line2", 2))]
        drawn = drawing.duration_lines(words, words("delay_by_hour"), series, self.hours, self.start_hour)
        as_table = table(
            (words("hour"), words("median"), words("p95")),
            [(self._clock(hour * 3600), words.duration(half), words.duration(most)) for hour, half, most in rows],
        )
        marks = legend((("ok", words("median")), ("wait", words("p95")), ("none", words("log_scale"))))
        return drawing_with_table(words, words("delay_by_hour"), drawn, as_table, marks)

    def _losses(self) -> str:
        words, simulation = self.words, self.simulation
        reasons = self.summary["calls"]["reasons"]
        if not reasons:
            return f"<p>{escape(words('why_none'))}</p>"
        counted = table(
            (words("reason"), words("times")), [(words.phrase(reason), str(n)) for reason, n in reasons.items()]
        )
        end_us, grace_us = simulation.schedule.now_us, simulation.referee.delivery_grace_us
        lost = [call for call in simulation.calls if fate(call, end_us, grace_us) == "lost"]
        if not lost:
            return counted
        rows = [
            (self._clock((call.accepted_us or 0) / 1e6), call.box,
             words.phrase(call.lost_reason or "not delivered in time"))
            for call in lost[:LOST_SHOWN]
        ]  # fmt: skip
        return counted + table((words("when"), words("box"), words("reason")), rows, words("lost_calls"))

    def map(self) -> str:
        """Where everything stands, and one table of all boxes, which is also the alternative to the drawings below."""
        words, simulation = self.words, self.simulation
        sites = self._sites()
        rows = {row["name"]: row for row in self.summary["boxes"]}
        lost_at = {call.box for call in simulation.calls if call.lost_reason}
        trouble = [index for index, (site, _) in sites.items()
                   if site.key in lost_at or rows.get(site.key, {}).get("dark_h")]  # fmt: skip
        notes = {
            station.index: f"{words('hops')}: {self.hops.get(station.index, '–')}, {words('frames')}: {station.sent}"
            for station in simulation.ether.stations
        }
        own = self._own_links(sites)
        drawn = map_drawing.draw(words("map"), sites, own, self.hops, notes, trouble)
        boxes = [index for index, (_, kind) in sites.items() if kind not in ("gateway", "stranger", "attacker")]
        counts = []
        for hop in sorted({self.hops[index] for index in boxes if index in self.hops}):
            count = sum(self.hops.get(index) == hop for index in boxes)
            counts.append(words("hops_count_one" if hop == 1 else "hops_count", count=count, hops=hop))
        unreached = [sites[index][0].key for index in boxes if index not in self.hops]
        marks = [("gateway", words("legend_gateway")), ("hop1", words("legend_box"))]
        marks += [("nohop", words("legend_unreached"))] if unreached else []
        marks += [("ring", words("legend_trouble"))] if trouble else []
        others = any(kind in ("stranger", "attacker") for _, kind in sites.values())
        marks += [("stranger", words("legend_other"))] if others else []
        warning = ""
        if unreached:
            warning = f'<p class="bad">{escape(words("unreached", names=", ".join(unreached)))}</p>'
        text = f"<p>{escape('; '.join(counts))}{'.' if counts else ''} {escape(words('map_legend'))}</p>"
        body = drawing_with_table(words, words("all_boxes"), drawn, self._box_table(sites), legend(marks))
        return section("map", words("map"), body + text + warning)

    def _box_table(self, sites: dict[int, tuple[Any, str]]) -> str:
        words = self.words
        places = {site.key: (index, site) for index, (site, _) in sites.items()}
        energy = bool(self.summary["energy"])
        head = [words("box"), words("position"), words("hops"), words("accepted"), words("delivered"), words("frames"),
                words("busiest_hour")]  # fmt: skip
        head += [words("charge_end"), words("dark_hours")] if energy else []
        rows = []
        for row in self.summary["boxes"]:
            index, site = places[row["name"]]
            cells = [row["name"], f"{site.x_m:.0f} / {site.y_m:.0f}", str(self.hops.get(index, "–")),
                     str(row["calls_accepted"]), str(row["calls_delivered"]), words.number(row["frames_sent"]),
                     words.percent(row["greatest_hour_pct"], 2)]  # fmt: skip
            cells += [words.percent(row["charge_pct"], 0), words.short(row["dark_h"])] if energy else []
            rows.append(cells)
        return table(head, rows)

    def air(self) -> str:
        """Duty cycle of the busiest boxes, what airtime went into, what became of frames."""
        words, summary = self.words, self.summary
        limit_pct = self.simulation.scenario.limits.duty_pct
        boxes = sorted(summary["boxes"], key=lambda row: -row["greatest_hour_pct"])[:BARS_MAX]
        rows = [(row["name"], row["greatest_hour_pct"], words.percent(row["greatest_hour_pct"], 2),
                 "ok" if row["greatest_hour_pct"] <= limit_pct else "refused") for row in boxes]  # fmt: skip
        caption = words("busiest_boxes", count=len(boxes), all=len(summary["boxes"]))
        most = max(limit_pct * 1.1, rows[0][1] * 1.05 if rows else 0.0)
        chart = drawing_with_table(
            words, caption, drawing.row_bars(caption, rows, most, limit_pct),
            table((words("box"), words("busiest_hour")), [(row[0], row[2]) for row in rows]),
        )  # fmt: skip
        total_s = summary["airtime"]["total_s"] or 1.0
        uses = table(
            (words("airtime_for"), words("seconds"), words("share")),
            [(words(name), words.number(spent_s), words.percent(100 * spent_s / total_s))
             for name, spent_s in air_by_use(summary["airtime"]["by_kind_s"]).items()],
        )  # fmt: skip
        receptions = summary["frames"]["receptions"]
        possible = sum(receptions.values()) or 1
        fates = table(
            (words("fate"), words("times"), words("share")),
            [(words("fate_" + name), words.number(count), words.percent(100 * count / possible))
             for name, count in receptions.items() if count],
        )  # fmt: skip
        readings, read = summary["readings"], ""
        if readings["made"]:
            ratio = readings["delivery_ratio"]
            each_ms = readings["airtime_ms_each"]
            text = words(
                "readings", made=words.number(readings["made"]), delivered=words.number(readings["delivered"]),
                ratio=words.percent(None if ratio is None else 100 * ratio), waiting=words.number(readings["waiting"]),
                each=words.duration(None if each_ms is None else each_ms / 1000),
            )  # fmt: skip
            read = f"<p>{escape(text)}</p>"
        rule = f"<p>{escape(words('air_rule'))}</p>"
        return section("air", words("air"), f'{rule}{chart}<div class="columns">{uses}{fates}</div>{read}')

    def energy(self) -> str:
        """Charge over time, the emptiest boxes, what was shed."""
        power, energy, words = self.simulation.power, self.summary["energy"], self.words
        if power is None or not energy:
            return ""
        columns: dict[float, list[float]] = {}
        for box in power.boxes.values():
            for time_us, permille in box.history:
                columns.setdefault(round(time_us / HOUR_US, 3), []).append(permille / 10.0)
        every = max(1, len(columns) // 300)
        points = [(hour, min(v), sum(v) / len(v), max(v)) for hour, v in sorted(columns.items())[::every]]
        rows = [(self._clock(hour * 3600), *(words.percent(value, 0) for value in values))
                for hour, *values in points[:: max(1, len(points) // 40)]]  # fmt: skip
        chart = drawing_with_table(
            words, words("charge"),
            drawing.band(words, words("charge"), points, self.hours, self.start_hour, 100.0, " %"),
            table((words("when"), words("least"), words("mean"), words("most")), rows),
            f'<p class="legend">{escape(words("charge_legend"))}</p>',
        )  # fmt: skip
        emptiest = sorted(self.summary["boxes"], key=lambda row: row["charge_pct"])[:BARS_MAX]
        bars = []
        for row in emptiest:
            dark = ", " + words("dark", hours=words.short(row["dark_h"])) if row["dark_h"] else ""
            label = words.percent(row["charge_pct"], 0) + dark
            bars.append((row["name"], row["charge_pct"], label, "refused" if dark else "ok"))
        caption = words("emptiest", count=len(bars), all=len(self.summary["boxes"]))
        ends = drawing_with_table(
            words, caption, drawing.row_bars(caption, bars, 100.0),
            table((words("box"), words("charge_end")), [(bar[0], bar[2]) for bar in bars]),
        )  # fmt: skip
        switched = sorted((t, row["name"], text) for row in self.summary["boxes"] for t, text in row["switched"])
        shed = ""
        if switched:
            lines = [f"{self._clock(t)} {name}: {words.phrase(text)}" for t, name, text in switched[:EVENTS_SHOWN]]
            summary = escape(words("switched", count=len(switched)))
            shed = f"<details><summary>{summary}</summary>{items(lines, ordered=True)}</details>"
        drawn, harvested = words.number(energy["drawn_wh_mean"], 1), words.number(energy["harvested_wh_mean"], 1)
        text = f"<p>{escape(words('energy_mean', drawn=drawn, harvested=harvested))}</p>"
        return section("energy", words("energy"), text + chart + ends + shed)

    def events(self) -> str:
        """What the referee saw, and what the scenario did."""
        words, summary = self.words, self.summary
        violations = summary["referee"]["first"]
        if violations:
            said = words("referee_bad", count=summary["referee"]["violations"])
            body = f'<p class="bad">{escape(said)}</p>{items(list(map(words.phrase, violations)))}'
        else:
            body = f"<p>{escape(words('referee_good'))}</p>"
        lines = [
            f"{self._clock(event['time_s'])} {words.phrase(event['text'])}"
            for event in summary["events_noted"][:EVENTS_SHOWN]
        ]
        if lines:
            body += f"<h3>{escape(words('happened'))}</h3>{items(lines, 'events', ordered=True)}"
        return section("events", words("wrong"), body)

    def assumptions(self) -> str:
        """What the result rests on."""
        words, summary, scenario = self.words, self.summary, self.simulation.scenario
        radio, air = scenario.radio, scenario.air
        values = {
            "radio": words(
                "a_radio_value", preset=radio.preset, power=words.short(radio.power_dbm), hops=radio.hop_limit,
                dbi=words.short(scenario.boxes.antenna_dbi),
            ),
            "air": words(
                "a_air_value", model=air.model.replace("_", " "), fading=words.short(air.fading_db),
                noise=words.short(air.city_noise_db),
            ),
            "frames": words("a_frames_value"),
            "time": words("a_time_value"),
            "model": words("a_model_value"),
            "same": words(
                "a_same_value", count=words.number(summary["trace_events"]), sha256=summary["trace_sha256"]
            ),
        }  # fmt: skip
        rows = "".join(f"<dt>{escape(words('a_' + key))}</dt><dd>{escape(text)}</dd>" for key, text in values.items())
        return section("assumptions", words("assumptions"), f"<dl>{rows}</dl>")

    # What several parts need

    def _sites(self) -> dict[int, tuple[Any, str]]:
        kinds = {inhabitant.site.key: inhabitant.kind for inhabitant in self.simulation.inhabitants}
        return {s.index: (s.site, kinds.get(s.name, "attacker")) for s in self.simulation.ether.stations}

    def _own_links(self, sites: dict[int, tuple[Any, str]]) -> dict[tuple[int, int], int]:
        return {link: count for link, count in self.simulation.air_log.link_uses.items()
                if all(sites[end][1] not in ("stranger", "attacker") for end in link)}  # fmt: skip

    def _hops(self) -> dict[int, int]:
        sites = self._sites()
        least = max(3, self.simulation.referee.frames // 5000)
        gateways = [index for index, (_, kind) in sites.items() if kind == "gateway"]
        return map_drawing.hops_to(gateways, map_drawing.used_links(self._own_links(sites), least))

    def _clock(self, time_s: float) -> str:
        return self.words.clock(time_s, self.start_hour * 3600)
