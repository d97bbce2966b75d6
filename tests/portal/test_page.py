# SPDX-License-Identifier: Apache-2.0
"""Each page in each language and mode, as it goes over the wire: well-formed, small, self-contained, honest."""

from html.parser import HTMLParser

import pytest

from kiezbox.portal.language import NAMES
from tests.portal.box_process import Answer, BoxProcess

LANGUAGES = [name for name, _ in NAMES]
MODES = ["emergency", "exercise", "everyday", "maintenance"]
FIRST_FLIGHT_BYTES = 14_000
VOID = {"meta", "input", "br", "link", "img", "hr"}
HOSTILE = "<script>alert(1)</script>\"'&amp;\u202e😀"


@pytest.fixture(scope="module")
def shared(rom):
    with BoxProcess(rom) as process:
        process.tell("pack")
        yield process
        assert "Traceback" not in process.errors(), process.errors()


class Structure(HTMLParser):
    """Fails on a tag that is not closed, an id that is there twice, anything from elsewhere."""

    def __init__(self, body: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.fors: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(body)
        self.close()
        assert self.open == []
        assert len(set(self.ids)) == len(self.ids)
        assert set(self.fors) <= set(self.ids)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in {"script", "img", "link", "iframe", "object", "embed", "video", "audio", "base"}
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            assert not name.startswith("on") and name not in ("style", "src", "target")
            if name == "id":
                self.ids.append(str(value))
            if name == "for":
                self.fors.append(str(value))
            if name in ("href", "action", "formaction"):
                assert str(value).startswith("/") and "?" not in str(value)
                self.links.append(str(value))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data + " "


def check(answer: Answer, name: str) -> Structure:
    assert answer.wire_bytes < FIRST_FLIGHT_BYTES
    structure = Structure(answer.body)
    tag = "de-simple" if name == "ls" else name
    assert f'<html lang="{tag}" dir="{"rtl" if name == "ar" else "ltr"}">' in answer.body
    assert answer.body.count("<h1>") == 1
    assert answer.body.count('aria-current="true"') == 1
    assert answer.body.count(' lang="') >= 10, "all languages in one tap"
    assert "112" in structure.text
    return structure


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", LANGUAGES)
def test_every_page(shared: BoxProcess, name: str, mode: str) -> None:
    shared.tell(f"mode {mode}")
    seen = set()
    waiting = [f"/{name}/"]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = shared.get(path)
        assert answer.status == 200
        structure = check(answer, name)
        waiting += [link for link in structure.links if link.startswith(f"/{name}/")]
        assert ('action="/' + name + '/call"' in answer.body) == (
            (mode in ("emergency", "exercise") and path in (f"/{name}/", f"/{name}/call"))
            or (mode == "everyday" and path == f"/{name}/call")
        )
        if mode == "exercise":
            assert answer.body.count(shared_text(name, "mode_exercise")) == 1
    assert len(seen) >= (4 if mode == "maintenance" else 5)


def shared_text(name: str, key: str) -> str:
    from kiezbox.portal.language import Texts

    texts = Texts(name)
    try:
        return texts(key)
    finally:
        texts.close()


@pytest.mark.parametrize("name", LANGUAGES)
def test_from_call_to_answer(shared: BoxProcess, name: str) -> None:
    shared.tell("mode emergency")
    answer = shared.call(name, text=f"{HOSTILE} {name}")
    check(answer, name)
    code = answer.code
    assert "script>alert" not in answer.body
    shared.tell(f"advance {code}")
    shared.tell(f"advance {code} <b>Leitstelle</b>")
    check(shared.post(f"/{name}/amend", code=code, text="mehr"), name)
    shared.tell(f"answer {code} {HOSTILE}")
    answer = shared.post(f"/{name}/status", code=f" {code[:4].lower()}-{code[4:]} ")
    structure = check(answer, name)
    assert HOSTILE in structure.text
    assert "<b>Leitstelle" not in answer.body
    assert shared_text(name, "exercise_stage") not in answer.body
    assert check(shared.post(f"/{name}/safe", code=code), name)
    assert shared.tell("calls")[code]["safe"] is True


@pytest.mark.parametrize("mode", ["everyday", "exercise"])
@pytest.mark.parametrize("name", LANGUAGES)
def test_an_exercise_says_so_at_every_stage(shared: BoxProcess, name: str, mode: str) -> None:
    shared.tell(f"mode {mode}")
    first = "practice_first" if mode == "everyday" else "exercise_first"
    assert shared_text(name, first) in shared.get(f"/{name}/call").body
    answer = shared.call(name, mode, text=f"{mode} {name}")
    for _ in range(4):
        assert shared_text(name, "exercise_stage") in answer.body
        assert "<h1>" + shared_text(name, "stored") not in answer.body
        shared.tell(f"advance {answer.code} Leitstelle")
        answer = shared.post(f"/{name}/status", code=answer.code)


def test_notices_say_who_when_and_until_when(shared: BoxProcess) -> None:
    page = shared.get("/de/help").body
    assert "Trinkwasser abkochen" in page
    assert "&lt;b&gt;&amp;&quot;x&quot;&lt;/b&gt;" in page
    assert "Quelle: <bdi>Bezirksamt Treptow-Köpenick</bdi>." in page
    assert "Gesendet am 18.11. 09:20 (vor 3 h). Gilt bis 19.11. 13:06." in page
    assert page.index("Trinkwasser") < page.index("Boil tap water"), "the language of the page first"
    assert "Feuerwache Köpenick" in page


def test_without_clock_or_sensors_nothing_is_made_up(rom) -> None:
    with BoxProcess(rom, "everyday") as box:
        box.tell("time 0")
        box.tell("no_air")
        page = box.get("/en/").body
        assert "There are no measurements at the moment." in page
        stored = box.call("en", "everyday").body
        assert "01.01." not in stored
        assert "<small>done</small>" in stored
