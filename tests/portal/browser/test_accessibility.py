# SPDX-License-Identifier: Apache-2.0
"""Every page in every language and mode in real Chromium: no violation of WCAG 2.2 AA that axe finds, no horizontal
scrolling at 320 pixels (which is 1280 at 400 % zoom), usable in forced colours, in the dark and without style."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Browser, Page

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
            .filter(e => Math.min(e.getBoundingClientRect().width, e.getBoundingClientRect().height) < 24)
            .map(e => e.outerHTML)"""
        )
        assert small == [], "targets below 24 by 24 pixels (WCAG 2.5.8)"


def violations(page: Page) -> list[str]:
    result = page.evaluate("options => axe.run(document, options)", OPTIONS)
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
    page.locator("button.p").click()
    assert page.locator("[role=alert]").count() == 1
    check(page)
    page.locator("#text").fill("x")
    page.locator("button.p").click()
    check(page)
    for summary in page.locator("summary").all():
        summary.click()
    check(page)


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
