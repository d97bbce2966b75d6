# SPDX-License-Identifier: Apache-2.0
"""A person calls for help in real Chromium with scripts off: from the form to the answer, also at another box."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.portal.box_process import BoxProcess

pytestmark = pytest.mark.browser


@pytest.fixture
def page(chromium: Browser):
    context = chromium.new_context(viewport={"width": 360, "height": 740}, java_script_enabled=False, locale="tr-TR")
    page = context.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    yield page
    assert {re.sub(r":\d+/.*", "", url) for url in requests} <= {"http://127.0.0.1"}, "nothing from elsewhere"
    context.close()


def test_from_form_to_answer_and_at_another_box(rom, box: BoxProcess, page: Page) -> None:
    page.goto(f"http://127.0.0.1:{box.port}/")
    expect(page.locator("html")).to_have_attribute("lang", "tr")
    page.get_by_role("link", name="Deutsch").click()
    page.get_by_label("Feuer").check()
    page.get_by_label("In einem Satz").fill("Rauch im Treppenhaus 🔥")
    page.get_by_label("Wie viele Personen?").fill("viele")
    page.get_by_role("button", name="Hilferuf senden").click()
    expect(page.get_by_role("alert")).to_contain_text("nur eine Zahl")
    expect(page.get_by_label("In einem Satz")).to_have_value("Rauch im Treppenhaus 🔥")
    expect(page.get_by_label("Feuer")).to_be_checked()
    page.get_by_label("Wie viele Personen?").fill("3")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Ihr Hilferuf ist gespeichert")
    code = page.locator(".c strong").inner_text().replace("-", "")
    assert list(box.tell("calls")) == [code]
    assert code not in page.url
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator(".c strong")).to_have_text(f"{code[:4]}-{code[4:]}")
    for station in ("", "Leitstelle Köpenick", ""):
        box.tell(f"advance {code} {station}")
    box.tell(f"answer {code} Die Feuerwehr kommt. Bleiben Sie am Fenster.")
    page.get_by_role("button", name="Check again").click()
    expect(page.locator("li.d")).to_have_count(5)
    expect(page.locator(".a")).to_contain_text("Bleiben Sie am Fenster")
    page.get_by_text("I am safe now").click()
    page.get_by_role("button", name="Yes, I am safe").click()
    expect(page.get_by_role("status")).to_contain_text("Good.")

    with BoxProcess(rom) as other:
        page.goto(f"http://127.0.0.1:{other.port}/en/status")
        page.get_by_label("Code").fill(f"{code[:4].lower()} {code[4:]}")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text("asking by radio")
        assert other.tell("asked") == [code]
        other.tell(f"know {code}")
        page.get_by_role("button", name="Check again").click()
        expect(page.locator("li.d")).to_have_count(4)


@pytest.mark.parametrize("name", ["de", "ls", "en", "tr", "ar", "ru", "uk", "pl", "vi"])
def test_the_call_is_the_first_thing_on_the_page(box: BoxProcess, page: Page, name: str) -> None:
    page.goto(f"http://127.0.0.1:{box.port}/{name}/")
    heading = page.locator("h1").bounding_box()
    category = page.locator(".g label").nth(5).bounding_box()
    assert heading and heading["y"] < 220
    assert category and category["y"] + category["height"] < 740, "what has happened can be said without scrolling"
