# SPDX-License-Identifier: Apache-2.0
"""Reports, comparisons, proposals and the live view in real Chromium, in both languages: no violation of WCAG 2.2 AA
that axe finds, in light and dark; no sideways scrolling on a phone; tables on paper; the live view renews itself."""

import pytest
from axe_playwright_python.base import AXE_FILE_PATH

from kiezbox_simulator.scenario import compare, place, place_report, report, watch
from kiezbox_simulator.scenario.summary import summarise

pytestmark = pytest.mark.browser
OPTIONS = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
           "resultTypes": ["violations"]}  # fmt: skip
AXE = AXE_FILE_PATH.read_text(encoding="utf-8")
AREA = {
    "outline": [[0, 0], [4000, 0], [4000, 3000], [0, 3000]], "box_height_m": 5,
    "gateway": {"name": "Rathaus", "x_m": 300, "y_m": 300, "height_m": 15},
}  # fmt: skip


@pytest.fixture
def tab(chromium):
    context = chromium.new_context(viewport={"width": 1000, "height": 900})
    requests = []
    page = context.new_page()
    page.on("request", lambda one: requests.append(one.url))
    page.requests = requests
    yield page
    context.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Every kind of page, by name."""
    from kiezbox_simulator.scenario import schema
    from kiezbox_simulator.scenario.simulation import Simulation

    found = {}
    summaries = []
    for kind in ("core", "stock"):
        scenario = schema.parse(
            {
                "title": "Kiez", "start": "2026-01-03T06:00:00+01:00", "duration_h": 3,
                "map": {"width_m": 9000, "height_m": 9000}, "boxes": {"kind": kind, "count": 9, "height_m": 5},
                "people": {"calls_per_box_day": 40, "until_h": 2.5}, "mode": [{"at_h": 0, "mode": "emergency"}],
                "energy": {"initial_charge": 0.1, "battery_wh": 20}, "strangers": {"count": 3},
                "fault": [{"at_h": 1, "kind": "box_death", "target": "2"}],
                "limits": {"delivery_grace_h": 0.1},
            }
        )  # fmt: skip
        simulation = Simulation(scenario, 1)
        simulation.run()
        summaries.append(summarise(simulation))
        for language in ("en", "de"):
            found[f"report {kind} {language}"] = report.render(simulation, summaries[-1], language, "other.html")
    proposal = place.propose(place.Area.model_validate(AREA), 8)
    for language in ("en", "de"):
        found[f"compare {language}"] = compare.render(*summaries, language, "other.html")
        found[f"place {language}"] = place_report.render(proposal, language, "other.html")
    return found


NAMES = ["report core en", "report core de", "report stock de", "compare en", "compare de", "place en", "place de"]


def violations(tab):
    tab.evaluate(AXE)
    result = tab.evaluate("options => axe.run(document, options)", OPTIONS)
    return [f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}" for one in result["violations"]]


@pytest.mark.parametrize(
    "scheme, name", [("light", name) for name in NAMES] + [("dark", "report core en"), ("dark", "place de")]
)
def test_a_page_is_accessible_and_loads_nothing(tab, pages, scheme, name):
    tab.emulate_media(color_scheme=scheme)
    tab.set_content(pages[name])
    for summary in tab.locator("summary").all():
        summary.click()
    assert violations(tab) == []
    for width in (320, 1280):
        tab.set_viewport_size({"width": width, "height": 700})
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert [url for url in tab.requests if not url.startswith(("about:", "data:"))] == []


def test_axe_looks(tab):
    tab.set_content('<html lang="de"><title>x</title><h1>x</h1><p style="color:#aaa;background:#fff">grau</p>')
    assert "color-contrast" in " ".join(violations(tab))


def test_on_paper_every_table_is_there(tab, pages):
    tab.set_content(pages["report core de"])
    closed = tab.locator("details table").first
    assert not closed.is_visible()
    tab.emulate_media(media="print")
    assert closed.is_visible()
    assert not tab.locator("summary").first.is_visible()


def test_the_live_view_renews_itself_and_keeps_what_the_reader_opened(tab, ran):
    simulation = ran()
    view = watch.LiveView()
    try:
        view.draw(simulation, running=True)
        tab.goto(view.url)
        tab.locator("summary").first.click()
        tab.evaluate("window.kept = true")
        view.draw(simulation, running=False)
        tab.get_by_text("finished").wait_for(timeout=10_000)
        assert tab.evaluate("window.kept")
        assert tab.locator("details").first.get_attribute("open") is not None
    finally:
        view.close()
