# SPDX-License-Identifier: Apache-2.0
"""The page: calls only for those who sign in, the most urgent first; answers; forms that only the page can send."""

import contextlib
import html.parser
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from kiezbox_gateway import tokens
from kiezbox_gateway.tokens import Role
from tests.gateway.deployment import emergency
from tests.gateway.running import Running, running_gateway
from tests.gateway.waiting import until

WORDS = "<b>Zwiebelfisch</b> & \u202eRTL"


class Structure(html.parser.HTMLParser):
    """Elements of a page, and whether all that was opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text.replace("<!doctype html>", ""))
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "br", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def texts(self, name: str) -> list[str | None]:
        return [attributes[name] for _, attributes in self.seen if name in attributes]


class Browser:
    """A person's browser: cookies, forms."""

    def __init__(self, running: Running, session: aiohttp.ClientSession) -> None:
        self.running = running
        self.session = session
        self.text = ""

    async def get(self, path: str, language: str = "en") -> int:
        url = f"http://127.0.0.1:{self.running.port}{path}"
        async with self.session.get(url, headers={"Accept-Language": language}) as answer:
            self.text = await answer.text()
            return answer.status

    async def post(self, path: str, fields: dict[str, str], **headers: str) -> int:
        url = f"http://127.0.0.1:{self.running.port}{path}"
        async with self.session.post(url, data=fields, headers={"Accept-Language": "en", **headers}) as answer:
            self.text = await answer.text()
            return answer.status

    async def sign_in(self, token: str | None = None) -> int:
        return await self.post("/sign-in", {"token": token or self.running.deployment.token})

    def form_secret(self) -> str:
        found = re.search(r'name="form" value="([^"]+)"', self.text)
        assert found is not None
        return found[1]


@contextlib.asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Browser]:
    async with running_gateway(folder) as running:
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            yield Browser(running, session)


async def filled(running: Running) -> None:
    first, second = running.boxes
    for box, kind, message in (
        (first, "exercise", emergency("Probe", "EXER2345")),
        (first, "emergency", emergency(WORDS, "WEBC2345")),
        (second, "emergency", emergency("Marabu", "WEBC2346")),
    ):
        running.deliver(box, box.send(kind, message)[1])
    await running.stored(3)
    running.radio.deliver(0xABCDEF01, 1, b"Pelikan")
    await running.stored(4)


async def test_without_a_token_nobody_reads_calls(tmp_path: Path) -> None:
    async with opened(tmp_path) as browser:
        await filled(browser.running)
        browser.running.gateway.link.status.last_error = "<script>alert(1)</script>"
        browser.running.gateway.link.status.state = "connecting"
        assert await browser.get("/") == 200
        assert "&lt;script&gt;" in browser.text
        structure = Structure(browser.text)
        assert ("html", {"lang": "en"}) in structure.seen
        tags = [tag for tag, _ in structure.seen]
        assert tags.count("h1") == tags.count("main") == tags.count("title") == 1
        assert not {"script", "img", "iframe"} & set(tags)
        assert all(attributes.get("scope") in ("col", "row") for tag, attributes in structure.seen if tag == "th")
        assert "http-equiv" not in browser.text
        for page in ("/", "/calls/WEBC2345", "/calls/NOSUCH22"):
            await browser.get(page)
            for secret in ("Zwiebelfisch", "Pelikan", "Testweg", "A. Beispiel"):
                assert secret not in browser.text, page
        assert await browser.sign_in("x" * 43) == 401
        assert "not valid" in browser.text


async def test_calls_come_first_and_in_the_order_of_need(tmp_path: Path) -> None:
    async with opened(tmp_path) as browser:
        await filled(browser.running)
        box = browser.running.boxes[1]
        for name, action in (("taken", 2), ("more", 1)):
            amendment = {"text": name, "action": action, "refers_to": 1, "code": "WEBC2346", "time_s": 1_770_000_100}
            if name == "more":
                box, amendment["refers_to"], amendment["code"] = browser.running.boxes[0], 2, "WEBC2345"
            browser.running.deliver(box, box.send("emergency", amendment)[1])
        await browser.running.stored(6)
        assert await browser.sign_in() == 200
        Structure(browser.text)
        order = [browser.text.index(each) for each in ("&lt;b&gt;Zwiebelfisch&lt;/b&gt;", "Pelikan", "Marabu", "Probe")]
        assert order == sorted(order)
        assert browser.text.index("Open calls: 4") < browser.text.index("What needs attention")
        assert browser.text.count("UNVERIFIED") == 1
        assert browser.text.count("EXERCISE") == 1
        assert browser.text.count("taken back by the resident") == 1
        assert "+ more" in browser.text
        await browser.get("/", "de")
        assert "Offene Hilferufe: 4" in browser.text
        assert 'lang="de"' in browser.text


async def test_an_answer_reaches_the_box_with_station_and_text(tmp_path: Path) -> None:
    async with opened(tmp_path) as browser:
        await filled(browser.running)
        await browser.sign_in()
        await browser.get("/calls/WEBC2345")
        Structure(browser.text)
        fields = {"form": browser.form_secret(), "station": "Wache Süd"}
        assert await browser.post("/calls/WEBC2345", {**fields, "do": "read"}) == 200
        assert "Read by a person at Wache Süd" in browser.text
        assert await browser.post("/calls/WEBC2345", {**fields, "do": "answer", "text": "Wir kommen <gleich>"}) == 200
        assert "Done." in browser.text
        assert "Wir kommen &lt;gleich&gt;" in browser.text
        box = browser.running.boxes[0]
        await until(lambda: any(getattr(event, "stage", 0) == 5 for event in box.events))
        (event,) = [each for each in box.events if getattr(each, "stage", 0) == 5]
        assert (event.station, event.text) == ("Wache Süd", "Wir kommen <gleich>")
        await browser.get("/")
        assert "Answered in the last day: 1" in browser.text
        assert browser.text.count('<th scope="row">Answer</th><td>Box 0</td>') == 2


async def test_bad_answers_are_kept_in_the_form_and_change_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as browser:
        await filled(browser.running)
        await browser.sign_in()
        secret = browser.form_secret()
        for fields, status in (
            ({"do": "answer", "text": " "}, 422),
            ({"do": "answer", "text": "x" * 401}, 422),
            ({"do": "answer", "text": "x", "station": "y" * 61}, 422),
            ({"do": "party", "text": "x"}, 422),
            ({}, 422),
            ({"do": "answer", "text": "".join(chr(0x4E00 + index * 37) for index in range(400))}, 422),
        ):
            assert await browser.post("/calls/WEBC2345", {"form": secret, **fields}) == status, fields
            assert 'role="alert"' in browser.text
        assert await browser.post("/calls/NOSUCH22", {"form": secret, "do": "read"}) == 404
        assert await browser.running.gateway.store.rows("SELECT count(*) FROM stage") == [(0,)]


async def test_forms_of_others_are_refused(tmp_path: Path) -> None:
    async with opened(tmp_path) as browser:
        await filled(browser.running)
        await browser.sign_in()
        secret = browser.form_secret()
        good = {"form": secret, "do": "read"}
        for fields, headers in (
            ({"do": "read"}, {}),
            ({"form": "x", "do": "read"}, {}),
            ({"form": secret + "x", "do": "read"}, {}),
            (good, {"Origin": "http://evil.example"}),
            (good, {"Origin": "null"}),
            (good, {"Sec-Fetch-Site": "cross-site"}),
        ):
            assert await browser.post("/calls/WEBC2345", fields, **headers) == 403, (fields, headers)
        assert await browser.post("/calls/WEBC2345", good, **{"Content-Type": "text/plain"}) == 415
        assert await browser.running.gateway.store.rows("SELECT count(*) FROM stage") == [(0,)]
        # The session's cookie opens no door of the API, and a script cannot read it.
        assert await browser.get("/api/v1/calls") == 401
        (cookie,) = list(browser.session.cookie_jar)
        assert cookie["httponly"]
        assert cookie["samesite"] == "Strict"


async def test_roles_and_the_end_of_a_session(tmp_path: Path) -> None:
    async with opened(tmp_path) as browser:
        await filled(browser.running)
        file = browser.running.gateway.configuration.web.tokens_file
        observer, reader = (tokens.add(file, name, Role[name.upper()]) for name in ("observer", "reader"))
        await browser.sign_in(observer)
        assert "This token may not see calls." in browser.text
        await browser.get("/calls/WEBC2345")
        assert "Zwiebelfisch" not in browser.text
        await browser.sign_in(reader)
        assert "Zwiebelfisch" in browser.text
        await browser.get("/calls/WEBC2345")
        assert "Send the answer" not in browser.text
        assert await browser.post("/calls/WEBC2345", {"form": browser.form_secret(), "do": "read"}) == 403
        tokens.revoke(file, "reader")
        await browser.get("/")
        assert "Zwiebelfisch" not in browser.text
        await browser.sign_in()
        secret = browser.form_secret()
        cookies = {cookie.key: cookie.value for cookie in browser.session.cookie_jar}
        await browser.post("/sign-out", {"form": secret})
        assert "Zwiebelfisch" not in browser.text
        browser.session.cookie_jar.update_cookies(
            cookies, aiohttp.client.URL(f"http://127.0.0.1:{browser.running.port}")
        )
        await browser.get("/")
        assert "Zwiebelfisch" not in browser.text


async def test_script_is_served_and_small(tmp_path: Path) -> None:
    async with opened(tmp_path) as browser:
        assert await browser.get("/page.js") == 200
        assert len(browser.text) < 3_000
        assert not re.search(r"innerHTML|eval|document\.write", browser.text)


@pytest.mark.parametrize("raw", [b"%ff=%fe", b"a" * 70_000, b"&".join(b"a=1" for _ in range(100)), b"\xff\x00"])
async def test_forms_that_cannot_be_read(tmp_path: Path, raw: bytes) -> None:
    async with opened(tmp_path) as browser:
        url = f"http://127.0.0.1:{browser.running.port}/sign-in"
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        async with browser.session.post(url, data=raw, headers=headers) as answer:
            assert answer.status in (400, 413)
            assert json.loads(await answer.text())["error"]
