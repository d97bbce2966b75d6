# SPDX-License-Identifier: Apache-2.0
"""The page: self-contained, complete, honest about losses, safe against names with markup; and the summary beside
it."""

import re
from html.parser import HTMLParser

import pytest

from kiezbox_simulator.scenario import report
from kiezbox_simulator.scenario.summary import delays, percentile, summarise


class Links(HTMLParser):
    """Collects everything a browser would load, and whether tags are balanced."""

    def __init__(self):
        super().__init__()
        self.loaded, self.linked, self.open = [], [], []

    def handle_starttag(self, tag, attrs):
        self.loaded += [value for name, value in attrs if name in ("src", "data", "action", "srcset")]
        self.linked += [value for name, value in attrs if name == "href"]
        if tag not in (
            "meta",
            "br",
            "input",
            "link",
            "img",
            "line",
            "rect",
            "circle",
            "polyline",
            "polygon",
            "p",
            "li",
            "progress",
        ):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.open:
            while self.open.pop() != tag:
                pass


@pytest.fixture
def run(ran):
    simulation = ran(energy={"initial_charge": 0.3, "battery_wh": 20})
    return simulation, summarise(simulation)


def test_the_page_loads_nothing_and_is_well_formed(run):
    for language, sibling in (("en", "report.de.html"), ("de", "report.html")):
        page = report.render(*run, language, sibling)
        links = Links()
        links.feed(page)
        assert (links.loaded, links.open, links.linked) == ([], [], [sibling])
        assert page.startswith(f'<!doctype html><html lang="{language}">')
        assert "<script" not in page
        assert not re.search(r"url\(|@import|https?://", page)


def test_every_drawing_has_its_table(run):
    page = report.render(*run)
    assert page.count("<svg") == page.count("The same as a table") == 6
    assert page.count("<figcaption>") == 6


def test_the_german_page_says_the_same_in_german(run):
    simulation, summary = run
    page = report.render(simulation, summary, "de")
    for heading in ("Hilferufe", "Wo die Boxen stehen", "Wie voll der Funkkanal ist", "Reicht die Energie",
                    "Worauf das beruht"):  # fmt: skip
        assert heading in page
    assert f"{summary['calls']['delivered']} von {summary['calls']['accepted']}" in page
    assert "Der Bezirk schaltet in den Notbetrieb" in page
    assert "Deutsch" in page
    for english in ("Calls for help", "delivered", "busiest", "hops"):
        assert english not in re.sub(r"<style>.*</style>|class=\S+", "", page)


def test_the_page_answers_the_planners_questions(run):
    simulation, summary = run
    page = report.render(simulation, summary)
    for heading in (
        "Calls for help",
        "Where the boxes stand",
        "How full the air is",
        "Does the energy last",
        "What this rests on",
    ):
        assert heading in page
    assert f"{summary['calls']['delivered']} of {summary['calls']['accepted']}" in page
    assert summary["trace_sha256"] in page
    for box in simulation.boxes:
        assert box in page


def test_losses_stand_at_the_top(ran):
    simulation = ran(gateways={"at": [{"name": "far", "x_m": 60_000, "y_m": 0}]}, limits={"delivery_grace_h": 0.2})
    page = report.render(simulation, summarise(simulation))
    assert "did not reach the district" in page
    assert page.index("did not reach the district") < page.index("Where the boxes stand")
    assert "No link towards a gateway carried frames from" in page
    assert page.count("not delivered in time") > 1


def test_names_from_a_scenario_cannot_break_the_page(ran):
    simulation = ran(
        title="<script>alert(1)</script>", boxes={"kind": "core", "at": [{"name": "<b>&x", "x_m": 1, "y_m": 2}]}
    )
    page = report.render(simulation, summarise(simulation))
    assert "<script>" not in page
    assert "<b>&x" not in page


def test_the_summary_adds_up(run):
    simulation, summary = run
    calls = summary["calls"]
    assert calls["asked"] == len(simulation.calls) == sum(row[1] for row in calls["by_hour"])
    assert calls["asked"] == calls["accepted"] + calls["refused"] + calls["at_the_page"]
    assert sum(summary["airtime"]["by_kind_s"].values()) == pytest.approx(summary["airtime"]["total_s"], abs=0.1)
    assert summary["energy"]["drawn_wh_mean"] > 1
    assert len(summary["boxes"]) == 5


def test_percentiles_by_hand():
    values = [float(n) for n in range(1, 101)]
    assert [percentile(values, share) for share in (0.5, 0.95, 0.99, 1.0)] == [50, 95, 99, 100]
    assert percentile([], 0.5) is None
    assert delays([3.0])["p99_s"] == 3.0
