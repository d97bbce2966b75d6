# SPDX-License-Identifier: Apache-2.0
"""What a request asks of the box, and what a person reads when it says no; on the real MicroPython."""

import html
import re
import time
import urllib.parse
from pathlib import Path

import pytest

from kiezbox.box import receipt_code
from tests.portal.box_process import BoxProcess, parse


def test_a_call_is_stored_before_the_page_says_so_and_gets_a_code(box: BoxProcess) -> None:
    answer = box.call(text="Treppe gestürzt 🚑", place="Müggelheimer Str. 5", people="٢", contact="030 1", name="Ä")
    assert answer.status == 200
    form = box.tell("calls")[answer.code]["form"]
    assert form["text"] == "Treppe gestürzt 🚑"
    assert (form["category"], form["people"], form["language"], form["name"]) == ("1", "2", "de", "Ä")
    assert form["client"]
    assert "Das heißt noch nicht, dass ihn jemand empfangen hat" in answer.body
    assert "Treppe" not in answer.body, "a code, not the text: somebody may look over the shoulder"


def test_the_same_call_twice_has_one_code(box: BoxProcess) -> None:
    assert box.call(text="einmal").code == box.call(text="einmal").code
    assert len(box.tell("calls")) == 1


def test_stages_and_times_are_those_of_the_box(box: BoxProcess) -> None:
    code = box.call().code
    for station in ("", "Leitstelle <Köpenick>"):
        box.tell(f"advance {code} {station}")
    page = box.post("/de/status", code=code.lower()).body
    assert page.count('class="d"') == 3
    assert page.count("noch nicht</small>") == 2
    assert "Leitstelle &lt;Köpenick&gt;" in page
    assert "am 18.11. 12:06 Uhr" in page
    assert "am 18.11. 12:09 Uhr" in page
    box.tell(f"answer {code} Wir kommen.")
    page = box.post("/de/status", code=code).body
    assert "Wir kommen." in page
    assert page.count('class="d"') == 5, "who answers has read"


def test_another_box_answers_by_radio(box: BoxProcess) -> None:
    foreign = receipt_code.make(b"other")
    page = box.post("/de/status", code=foreign).body
    assert "fragt jetzt über Funk nach" in page
    assert f"{foreign[:4]}-{foreign[4:]}" in page
    box.post("/de/status", code=foreign)
    assert box.tell("asked") == [foreign], "asked once, however often it is reloaded"
    box.tell(f"know {foreign}")
    page = box.post("/de/status", code=foreign).body
    assert page.count('class="d"') == 4
    assert "erledigt" in page
    assert page.count("<bdi>S</bdi>") == 1, "who has read it is who has it"


def test_asking_by_radio_is_bounded(box: BoxProcess) -> None:
    codes = [receipt_code.make(bytes((number, 1, 2, 3, 4))) for number in range(12)]
    pages = [box.post("/en/status", code=code).body for code in codes]
    assert len(box.tell("asked")) == 8
    assert "Many people are asking" in pages[-1]


def test_who_tries_many_codes_waits_for_each(box: BoxProcess) -> None:
    for number in range(8):
        box.post("/en/status", code=receipt_code.make(bytes((number, 1, 2, 3, 4))))
    started_s = time.monotonic()
    box.post("/en/status", code=receipt_code.make(b"\x09guess"))
    assert time.monotonic() - started_s >= 1.0
    code = box.call("en").code
    started_s = time.monotonic()
    assert box.post("/en/status", code=code).status == 200
    assert time.monotonic() - started_s < 1.0, "a code that this box knows is shown at once"


def test_what_is_wrong_leads_to_its_field(box: BoxProcess) -> None:
    page = box.call(people="viele").body
    assert '<a href="#people">Wie viele Personen?</a></p>' in page
    assert "<a href=" not in box.call(mode="everyday").body.split('role="alert"')[1].split("</p>")[0]


def test_without_a_clock_a_stage_says_how_long_ago_it_was(box: BoxProcess) -> None:
    code = box.call().code
    box.tell(f"aged {code} 300")
    assert "<small>vor 5 min</small>" in box.post("/de/status", code=code).body


@pytest.mark.parametrize("typed", ["", "ABC", "0" * 7 + "1", "🚑" * 8, "<b>", "x" * 3000, "\u202e12345678"])
def test_a_code_that_cannot_be_one(box: BoxProcess, typed: str) -> None:
    answer = box.post("/de/status", code=typed)
    assert answer.status == 422
    assert "Dieser Code stimmt nicht" in answer.body
    assert html.escape(typed[:20], quote=False) in answer.body
    assert box.tell("asked") == []


def test_amend_cancel_safe(box: BoxProcess) -> None:
    code = box.call().code
    assert "Ihre Ergänzung ist" in box.post("/de/amend", code=code, text="zweiter Stock").body
    assert box.post("/de/amend", code=code, text="x" * 501).status == 422
    assert box.post("/de/amend", code=code, text="").status == 422
    page = box.post("/de/cancel", code=code).body
    assert "Dieser Hilferuf ist beendet." in page
    assert "/de/amend" not in page
    call = box.tell("calls")[code]
    assert (call["amended"], call["cancelled"]) == (["zweiter Stock"], True)
    other = box.call(text="anderer").code
    assert "Ich bin in Sicherheit" in box.post("/de/safe", code=other).body


def test_only_the_box_that_took_a_call_changes_it(box: BoxProcess) -> None:
    answer = box.post("/de/cancel", code=receipt_code.make(b"other"))
    assert "Nur die Box, an der Sie den Hilferuf abgegeben haben" in answer.body


FIELDS = {
    "category": "2",
    "text": 'Es brennt "<sehr>" 🔥',
    "place": "Hof & Keller",
    "people": "3",
    "name": "N",
    "contact": "C",
}


@pytest.mark.parametrize(
    ("changed", "field", "sentence"),
    [
        ({"text": "ä" * 251}, "text", "zu lang"),
        ({"place": "x" * 121}, "place", "zu lang"),
        ({"contact": "x" * 121}, "contact", "zu lang"),
        ({"people": "viele"}, "people", "nur eine Zahl"),
        ({"people": "12345"}, "people", "nur eine Zahl"),
        ({"people": "-1"}, "people", "nur eine Zahl"),
        ({"text": "", "category": ""}, "text", "wählen Sie aus"),
        ({"text": " \t\r\n ", "category": "9"}, "text", "wählen Sie aus"),
        ({"text": "a\0b\x1b[2J"}, "text", "nicht lesbar"),
        ({"mode": "everyday"}, "", "noch nicht gesendet"),
        ({"mode": ""}, "", "noch nicht gesendet"),
    ],
)
def test_a_slip_has_one_clear_sentence_and_nothing_typed_is_lost(
    box: BoxProcess, changed: dict[str, str], field: str, sentence: str
) -> None:
    form = FIELDS | {"mode": "emergency"} | changed
    answer = box.post("/de/call", **form)
    assert answer.status == 422
    assert answer.body.count('role="alert"') == 1
    assert sentence in answer.body
    assert answer.body.count('aria-invalid="true"') == (1 if field else 0)
    assert box.tell("calls") == {}
    for name in ("text", "place", "people", "name", "contact"):
        kept = form[name].replace("\0", "").replace("\x1b", "").strip()
        assert html.escape(kept).replace("&#x27;", "'") in answer.body
    if form["category"] == "2":
        assert 'value="2" checked' in answer.body
    assert "<title>Bitte prüfen:" in answer.body


@pytest.mark.parametrize("reason", ["rate_client", "rate_box", "full", "too_long", "empty", "mode", "memory"])
def test_a_refusal_of_the_box_is_told_and_nothing_typed_is_lost(box: BoxProcess, reason: str) -> None:
    box.tell(f"refuse {reason}")
    answer = box.call(text="bleibt stehen")
    assert answer.status == 422
    assert answer.body.count('role="alert"') == 1
    assert "bleibt stehen" in answer.body


def test_text_that_is_no_text(box: BoxProcess) -> None:
    body = b"mode=emergency&category=1&text=%FF%FEHilfe%ZZ&place=\xc3\x28"
    head = f"POST /de/call HTTP/1.1\r\nHost: 127.0.0.1:{box.port}\r\nContent-Length: {len(body)}\r\n\r\n"
    answer = parse(box.raw(head.encode() + body))
    assert answer.status == 422
    assert "nicht lesbar" in answer.body
    assert "Hilfe" in answer.body.split("<textarea")[1]


@pytest.mark.parametrize("text", ["🚑" * 120, "ق" * 240, "\u202eevil\u202c", "a\r\nb", "ế" * 160, "%00 + & = ;"])
def test_whatever_people_write_arrives_as_it_was(box: BoxProcess, text: str) -> None:
    answer = box.call("ar", text=text)
    assert answer.status == 200
    assert box.tell("calls")[answer.code]["form"]["text"] == text.replace("\r", "")


def test_a_stale_form_is_never_a_real_call_in_a_mode_where_nobody_reads_it(box: BoxProcess) -> None:
    for mode in ("everyday", "exercise", "maintenance"):
        box.tell(f"mode {mode}")
        assert box.call(mode="emergency").status == 422
    box.tell("mode emergency")
    assert box.call(mode="exercise").status == 422
    assert box.tell("calls") == {}


def test_maintenance_takes_no_call_and_says_where_to_go(box: BoxProcess) -> None:
    box.tell("mode maintenance")
    answer = box.call(mode="maintenance")
    assert answer.status == 422
    assert "Zurzeit kann diese Box keinen Hilferuf annehmen" in answer.body
    assert "Feuerwache" in answer.body
    assert box.tell("calls") == {}


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


def test_the_phones_language_is_the_first_and_any_other_one_tap_away(box: BoxProcess) -> None:
    page = box.get("/", language="uk-UA,uk;q=0.9").body
    assert '<html lang="uk"' in page
    for path in ("/de/", "/ls/", "/en/", "/tr/", "/ar/", "/ru/", "/pl/", "/vi/"):
        assert f'href="{path}"' in page
    code = box.call("uk").code
    stored = box.post("/uk/status", code=code).body
    assert 'formaction="/vi/status"' in stored
    assert urllib.parse.quote(code) not in "".join(part.split('"')[0] for part in stored.split('action="')[1:])


def test_a_call_renews_its_page_until_it_is_answered_and_that_can_be_stopped(box: BoxProcess) -> None:
    answer = box.call(text="einmal")
    code = answer.code
    seconds, address = answer.headers["refresh"].split("; url=")
    assert seconds == "20"
    assert code not in address.upper()
    assert re.fullmatch(r"/de/v/[0-9a-f]{32}", address)
    assert "<textarea" not in answer.body, "nothing that a person could be writing when it renews itself"
    box.tell(f"advance {code}")
    renewed = box.get(address)
    assert renewed.body.count('class="d"') == 2
    assert renewed.headers["refresh"].startswith("20; url=/de/v/")
    still = box.get(address + "/still")
    assert f'href="{address}/still"' in renewed.body
    assert "refresh" not in still.headers
    assert 'name="text"' in still.body
    assert "refresh" not in box.post("/de/status", code=code).headers
    box.tell(f"answer {code} Wir kommen.")
    assert "refresh" not in box.get(address).headers


def test_an_address_of_a_call_opens_it_for_half_an_hour_and_at_this_box_only(rom: Path, box: BoxProcess) -> None:
    address = box.call().headers["refresh"].split("url=")[1]
    box.tell("later 1740")
    assert box.get(address).status == 200
    box.tell("later 120")
    gone = box.get(address)
    assert gone.status == 410
    assert "geben Sie Ihren Code noch einmal ein" in gone.body
    assert 'action="/de/status"' in gone.body
    with BoxProcess(rom) as other:
        assert other.get(other.call().headers["refresh"].split("url=")[1]).status == 200
        assert other.get(address).status == 410


@pytest.mark.parametrize("address", ["", "0" * 32, "x" * 32, "0" * 31, "0" * 64, "ÿ", "../../../boot.py"])
def test_an_address_that_nobody_gave_out_opens_nothing(box: BoxProcess, address: str) -> None:
    box.call()
    answer = box.get(f"/de/v/{urllib.parse.quote(address)}")
    assert answer.status == 410
    assert "refresh" not in answer.headers
    assert box.tell("asked") == []


def test_a_real_call_is_not_added_to_where_nobody_reads_it(box: BoxProcess) -> None:
    code = box.call(text="echt").code
    for mode in ("everyday", "exercise", "maintenance"):
        box.tell(f"mode {mode}")
        page = box.post("/de/status", code=code).body
        assert "Der Notfallbetrieb ist beendet" in page
        assert 'action="/de/amend"' not in page
        assert 'action="/de/safe"' in page
        refused = box.post("/de/amend", code=code, text="mehr")
        assert refused.status == 422
        assert "liest jetzt niemand mehr" in refused.body
    assert box.tell("calls")[code]["amended"] == []


def test_an_exercise_is_added_to_in_every_mode(box: BoxProcess) -> None:
    box.tell("mode exercise")
    code = box.call(mode="exercise", text="geübt").code
    for mode in ("everyday", "exercise", "emergency"):
        box.tell(f"mode {mode}")
        assert box.post("/de/amend", code=code, text=mode).status == 200
    assert len(box.tell("calls")[code]["amended"]) == 3


def test_an_addition_that_is_refused_stays_in_its_field(box: BoxProcess) -> None:
    code = box.call().code
    for text, sentence in (("ä" * 251, "zu lang"), ("zwei\0", "nicht lesbar")):
        page = box.post("/de/amend", code=code, text=text).body
        assert sentence in page
        assert text.replace("\0", "") + "</textarea>" in page
        assert "<details open>" in page


def test_a_call_of_another_box_is_shown_and_not_changed(box: BoxProcess) -> None:
    foreign = receipt_code.make(b"other")
    asked = box.post("/de/status", code=foreign)
    assert asked.headers["refresh"].startswith("20; ")
    box.tell(f"know {foreign}")
    page = box.get(asked.headers["refresh"].split("url=")[1] + "/still").body
    assert page.count('class="d"') == 4
    assert 'action="/de/amend"' not in page
    assert "nur an der Box, an der Sie den Hilferuf gesendet haben" in page


def test_a_form_longer_than_any_page_has_is_too_long_and_kept(box: BoxProcess) -> None:
    answer = box.call(text="ü" * 900)
    assert answer.status == 422
    assert "zu lang" in answer.body
    assert "ü" * 700 in answer.body
    assert box.tell("calls") == {}
