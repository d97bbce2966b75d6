# SPDX-License-Identifier: Apache-2.0
"""The gateway's page in real Chromium, in German and English: no violation of WCAG 2.2 AA that axe finds, no horizontal
scrolling at 320 pixels, no word on the console, and a call that is answered with the keyboard alone."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Browser, Page

from kiezbox_gateway.clock import unix_ms
from kiezbox_gateway.store.store import Store
from tests.gateway.city_broker import free_port
from tests.gateway.deployment import FIRST_NODE, Deployment
from tests.gateway.store.sample import call

pytestmark = pytest.mark.browser
OPTIONS = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}


def in_a_thread(work: Coroutine[Any, Any, None]) -> None:
    """The browser driver keeps this thread's event loop for itself."""
    thread = threading.Thread(target=asyncio.run, args=(work,))
    thread.start()
    thread.join()


async def fill(folder: Path) -> None:
    store = await Store.open(folder)
    for counter, text, kind, verified in (
        (1, "Zwiebelfisch " * 12, "call", True),
        (2, "Pelikan", "call", False),
        (3, "Probe", "exercise", True),
    ):
        body = call(counter, text, code=f"BROW234{counter}")
        await store.take(
            replace(body, kind=kind, verified=verified, node_num=FIRST_NODE, received_ms=unix_ms() - 60_000)
        )
    await store.close()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """(address, token) of a gateway without radio and city that has calls."""
    folder = tmp_path_factory.mktemp("gateway")
    nobody = free_port()
    deployment = Deployment(folder, radio=f"tcp://127.0.0.1:{nobody}", city=f"mqtt://127.0.0.1:{nobody}")
    in_a_thread(fill(deployment.configuration.gateway.data_dir))
    command = [str(Path(sys.executable).with_name("kiezbox")), "gateway", "run", "--config", str(deployment.path)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    address = process.stdout.readline().removeprefix("READY ").strip().rstrip("/")
    yield address, deployment.token
    process.terminate()
    assert process.wait(15) == 0
    process.stdout.close()
    assert "Zwiebelfisch" not in (folder / "log").read_text()


@pytest.fixture(params=["de-DE", "en-GB"])
def page(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1100, "height": 800}, bypass_csp=True, locale=request.param)
    context.add_init_script(AXE_FILE_PATH.read_text(encoding="utf-8"))
    page = context.new_page()
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    # The browser's own word for the view that is meant to be missing.
    assert [each for each in said if "404 (Not Found)" not in each] == []


def check(page: Page) -> None:
    result = page.evaluate("options => axe.run(document, options)", OPTIONS)
    assert [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in result["violations"]] == []
    for width in (320, 1100):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert (
        page.evaluate(
            """[...document.querySelectorAll('a,button,summary,input:not([type=hidden]),textarea')]
        .filter(e => e.getClientRects().length)
        .filter(e => Math.min(e.getBoundingClientRect().width, e.getBoundingClientRect().height) < 24)
        .map(e => e.outerHTML)"""
        )
        == []
    )


def test_every_view(page: Page, gateway: tuple[str, str]) -> None:
    address, token = gateway
    page.goto(address + "/")
    check(page)
    page.fill("#token", token)
    page.keyboard.press("Enter")
    page.wait_for_selector("li.card")
    assert "Zwiebelfisch" in page.inner_text("li.card >> nth=0")
    check(page)
    page.click("text=Pelikan >> xpath=ancestor::li >> css=a")
    check(page)
    page.goto(address + "/calls/NOSUCH22")
    assert page.locator("[role=alert]").count() == 1


def test_answer_with_the_keyboard(page: Page, gateway: tuple[str, str]) -> None:
    address, token = gateway
    page.goto(address + "/")
    page.fill("#token", token)
    page.keyboard.press("Enter")
    page.wait_for_selector("li.card")
    page.goto(address + "/calls/BROW2341")
    page.focus("#text")
    page.keyboard.type("Wir kommen")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=status]")
    assert "Wir kommen" in page.inner_text("ol")


def test_the_list_renews_itself_and_says_so(page: Page, gateway: tuple[str, str]) -> None:
    address, token = gateway
    page.add_init_script(
        "window.setTimeout = (real => (work, pause) => real(work, pause >= 10000 ? 50 : pause))(setTimeout)"
    )
    page.goto(address + "/")
    page.fill("#token", token)
    page.keyboard.press("Enter")
    page.wait_for_selector("li.card")
    # As if the newest call had not been there before.
    page.evaluate("document.getElementById('live').dataset.newest = '0'")
    page.wait_for_function("document.getElementById('news').textContent.length > 0")
    assert page.title().startswith("(")
