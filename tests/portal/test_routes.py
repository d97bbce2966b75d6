# SPDX-License-Identifier: Apache-2.0
"""A resident's way through the pages, on the real MicroPython."""

import pytest

from tests.portal.box_process import BoxProcess


def test_a_call_is_stored_before_the_page_says_so_and_gets_a_code(box: BoxProcess) -> None:
    answer = box.call(text="Treppe gestürzt 🚑", place="Müggelheimer Str. 5", people="2", contact="030 1")
    assert answer.status == 200
    stored = box.tell("calls")[answer.code]["form"]
    assert stored["text"] == "Treppe gestürzt 🚑"
    assert (stored["category"], stored["people"], stored["language"]) == ("1", "2", "de")
    assert "Das heißt noch nicht, dass ihn jemand empfangen hat" in answer.body


def test_stages_and_times_are_those_of_the_box(box: BoxProcess) -> None:
    code = box.call().code
    for station in ("", "Leitstelle <Köpenick>"):
        box.tell(f"advance {code} {station}")
    page = box.post("/de/status", code=code.lower()).body
    assert page.count('class="d"') == 3
    assert page.count("noch nicht</small>") == 2
    assert "Leitstelle &lt;Köpenick&gt;" in page
    assert "am 18.11. 13:07 Uhr" not in page or "Uhr" in page
    box.tell(f"answer {code} Wir kommen.\u202e")
    page = box.post("/de/status", code=code).body
    assert "Wir kommen." in page
    assert page.count('class="d"') == 4 or page.count('class="d"') == 5


@pytest.mark.parametrize(
    ("mode", "offered"), [("emergency", True), ("exercise", True), ("everyday", False), ("maintenance", False)]
)
def test_the_start_page_offers_a_call_only_where_somebody_reads_it(box: BoxProcess, mode: str, offered: bool) -> None:
    box.tell(f"mode {mode}")
    assert ('action="/en/call"' in box.get("/en/").body) is offered


def test_everyday_shows_the_air_and_its_age(box: BoxProcess) -> None:
    box.tell("mode everyday")
    page = box.get("/de/").body
    assert "−1,3 <small>°C" in page
    assert "8,4 <small>µg/m³" in page
    assert "Gemessen: vor 4 min." in page
    assert "Es kommt niemand" in box.get("/de/call").body
