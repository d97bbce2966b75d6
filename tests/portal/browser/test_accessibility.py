# SPDX-License-Identifier: Apache-2.0
"""Every page in every language and mode in real Chromium: no violation of WCAG 2.2 AA that axe finds, no horizontal
scrolling at 320 pixels (which is 1280 at 400 % zoom), usable in forced colours, in the dark and without style."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Browser, Page, expect

from kiezbox.portal import language
from kiezbox.portal.language import NAMES
from tests.portal.box_process import BoxProcess

pytestmark = pytest.mark.browser
LANGUAGES = [name for name, _ in NAMES]
MODES = ["emergency", "exercise", "everyday", "maintenance"]
OPTIONS = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
AXE = AXE_FILE_PATH.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 360, "height": 740}, bypass_csp=True)
    context.add_init_script(AXE)
    yield context.new_page()
    context.close()


def check(page: Page) -> None:
    assert violations(page) == []
    for width in (320, 1280):
        page.set_viewport_size({"width": width, "height": 640})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        small = page.evaluate(
            """[...document.querySelectorAll('a,button,summary,input:not([type=hidden]),textarea')]
            .filter(e => e.getClientRects().length)
            .map(e => e.closest('.g label') || e)
            .filter(e => Math.min(e.getBoundingClientRect().width, e.getBoundingClientRect().height) < 43.9)
            .map(e => e.outerHTML)"""
        )
        assert small == [], "targets below 44 by 44 pixels (WCAG 2.5.5, more than the 24 of AA)"


def violations(page: Page, rules: dict[str, object] | None = None) -> list[str]:
    result = page.evaluate("options => axe.run(document, options)", OPTIONS | {"rules": rules or {}})
    return [f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}" for one in result["violations"]]


def test_axe_looks(page: Page) -> None:
    """Violations are found where there are some; without this the other tests could not fail."""
    page.set_content('<html lang="de"><title>x</title><h1>x</h1><input><p style="color:#aaa;background:#fff">grau</p>')
    found = " ".join(violations(page))
    assert "color-contrast" in found
    assert "label" in found


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", LANGUAGES)
def test_pages(shared: BoxProcess, page: Page, name: str, mode: str) -> None:
    shared.tell(f"mode {mode}")
    # The other pages do not change with the mode, but for the headline that every page has.
    further = {"emergency": ["status", "help", "about"], "everyday": ["call"]}.get(mode, [])
    for path in ("", *further):
        page.goto(f"http://127.0.0.1:{shared.port}/{name}/{path}")
        check(page)


@pytest.mark.parametrize("name", LANGUAGES)
def test_pages_after_sending(shared: BoxProcess, page: Page, name: str) -> None:
    shared.tell("mode emergency")
    page.goto(f"http://127.0.0.1:{shared.port}/{name}/")
    page.get_by_role("button").first.wait_for()
    # A click does not wait for the page that it leads to, and axe would look at half of it.
    with page.expect_navigation():
        page.locator("button.p").click()
    assert page.locator("[role=alert]").count() == 1
    check(page)
    page.locator("#text").fill(f"x {name}")
    with page.expect_navigation():
        page.locator("button.p").click()
    check(page)
    code = page.locator(".c strong").inner_text().replace("-", "")
    for station in ("", "Leitstelle Köpenick", ""):
        shared.tell(f"advance {code} {station}")
    shared.tell(f"answer {code} Bleiben Sie am Fenster. ابقوا عند النافذة")
    page.locator("main form button").last.click()
    expect(page.locator("li.d")).to_have_count(5)
    expect(page.locator(".a p")).to_have_attribute("dir", "auto")
    for summary in page.locator("summary").all():
        summary.click()
    check(page)


@pytest.mark.parametrize("name", LANGUAGES)
def test_an_exercise_says_so_from_the_form_to_the_answer(shared: BoxProcess, page: Page, name: str) -> None:
    shared.tell("mode exercise")
    page.goto(f"http://127.0.0.1:{shared.port}/{name}/")
    marked = _texts(name)
    expect(page.locator("header .m")).to_have_text(marked["mode_exercise"])
    expect(page.locator("button.p")).to_have_text(marked["exercise_send"])
    page.locator("#text").fill(f"Probe {name}")
    page.locator("button.p").click()
    code = page.locator(".c strong").inner_text().replace("-", "")
    for _ in range(4):
        expect(page.locator(".w strong")).to_have_text(marked["exercise_stage"])
        shared.tell(f"advance {code} Leitstelle")
        page.locator("main form button").last.click() if page.locator("li.d").count() == 1 else page.reload()
    assert violations(page) == []


def _texts(name: str) -> dict[str, str]:
    lines = (Path(language.__file__).parent / "texts" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split(" = ", 1) for line in lines)


@pytest.mark.parametrize("name", ["de", "ar"])
def test_without_style_everything_is_there_in_order(shared: BoxProcess, chromium: Browser, name: str) -> None:
    shared.tell("mode emergency")
    context = chromium.new_context(viewport={"width": 320, "height": 640}, bypass_csp=True)
    context.add_init_script(AXE)
    page = context.new_page()
    for path in ("", "help", "status", "about"):
        page.goto(f"http://127.0.0.1:{shared.port}/{name}/{path}")
        page.evaluate("document.querySelector('style').remove()")
        # How large targets are is the browser's own choice then, which WCAG 2.5.8 excepts.
        assert violations(page, {"target-size": {"enabled": False}}) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        assert page.locator("h1").is_visible()
    context.close()


def test_the_keyboard_alone_is_enough_and_goes_the_way_of_the_page(shared: BoxProcess, page: Page) -> None:
    shared.tell("mode emergency")
    page.goto(f"http://127.0.0.1:{shared.port}/de/")
    way = []
    for _ in range(15):
        page.keyboard.press("Tab")
        way.append(
            page.evaluate(
                "(e => e.id || e.name || e.getAttribute('lang') || e.tagName)(document.activeElement)"
            ).lower()
        )
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", way[-1]
    assert way[:9] == ["de", "de-simple", "en", "tr", "ar", "ru", "uk", "pl", "vi"]
    assert way[9:] == ["category", "text", "place", "people", "summary", "button"]


@pytest.mark.parametrize("mode", MODES)
def test_dark_and_forced_colours(shared: BoxProcess, chromium: Browser, mode: str) -> None:
    shared.tell(f"mode {mode}")
    for options in ({"color_scheme": "dark"}, {"forced_colors": "active"}):
        context = chromium.new_context(viewport={"width": 360, "height": 740}, bypass_csp=True, **options)
        context.add_init_script(AXE)
        page = context.new_page()
        for path in ("", "help", "status"):
            page.goto(f"http://127.0.0.1:{shared.port}/de/{path}")
            assert violations(page) == []
        context.close()
