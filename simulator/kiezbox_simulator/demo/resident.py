# SPDX-License-Identifier: Apache-2.0
"""A resident with a phone: opens a box's page over real HTTP, fills in the form, reads how far the call got.

What a person sees is read from the HTML alone: the list of stages and which of them are ticked, the code, the heading.
The page is asked for in German, as most people there would.
"""

import asyncio
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlencode

TIMEOUT_S = 15.0
STAGE_STORED = 1
STAGE_GATEWAY = 2
STAGE_ANSWERED = 5


class PageError(Exception):
    """The page did not come, or is not what a resident expects; one sentence."""


@dataclass
class Page:
    """What can be read on one page. `stages`: (text, ticked) from the list; `fields`: of the first form that takes
    text."""

    status: int
    mode: str = ""
    heading: str = ""
    notice: str = ""
    code: str = ""
    stages: list[tuple[str, bool]] = field(default_factory=list)
    form_action: str = ""
    hidden: dict[str, str] = field(default_factory=dict)

    @property
    def stage(self) -> int:
        """The highest stage that is ticked, 0 if there is none."""
        return max((number for number, (_, ticked) in enumerate(self.stages, 1) if ticked), default=0)

    def text_of(self, stage: int) -> str:
        """What the page calls a stage."""
        return self.stages[stage - 1][0]


class Phone:
    """One resident at one box."""

    def __init__(self, port: int, language: str = "de") -> None:
        self._port = port
        self._language = language

    async def open(self) -> Page:
        """The page that opens when a phone joins the box's Wi-Fi. Raises PageError."""
        return await self._request("GET", f"/{self._language}/")

    async def call_for_help(self, page: Page, answers: dict[str, str]) -> Page:
        """Send the form that `page` showed. Raises PageError if there is no form."""
        if not page.form_action.endswith("/call"):
            raise PageError("the page has no form to call for help")
        return await self._request("POST", page.form_action, {**page.hidden, **answers})

    async def look_up(self, code: str) -> Page:
        """How far the call with this code is. Raises PageError."""
        return await self._request("POST", f"/{self._language}/status", {"code": code})

    async def _request(self, method: str, path: str, form: dict[str, str] | None = None) -> Page:
        def exchange() -> tuple[int, str]:
            connection = HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_S)
            try:
                headers = {"Accept-Language": self._language}
                body = None
                if form is not None:
                    body = urlencode(form)
                    headers["Content-Type"] = "application/x-www-form-urlencoded"
                    headers["Origin"] = f"http://127.0.0.1:{self._port}"
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                return answer.status, answer.read().decode()
            finally:
                connection.close()

        try:
            status, text = await asyncio.to_thread(exchange)
        except (OSError, HTTPException) as error:
            raise PageError(f"the box's page on port {self._port} does not answer: {error}") from None
        return read(status, text)


def read(status: int, text: str) -> Page:
    """What a resident can read on a page."""
    reader = _Reader(status)
    reader.feed(text)
    reader.close()
    return reader.page


class _Reader(HTMLParser):
    def __init__(self, status: int) -> None:
        super().__init__()
        self.page = Page(status)
        self._into: list[str] | None = None
        self._end = ""
        self._in_stages = False
        self._in_small = False
        self._form = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        page = self.page
        if tag == "body":
            page.mode = given.get("class", "")
        elif tag == "h1" or (tag == "p" and given.get("role") in ("status", "alert")):
            self._into, self._end = [], tag
        elif tag == "ol":
            self._in_stages = True
        elif tag == "li" and self._in_stages:
            page.stages.append(("", given.get("class") == "d"))
        elif tag == "small":
            self._in_small = True
        elif tag == "form":
            self._form = given.get("action", "")
            if self._form.endswith("/call"):
                page.form_action = self._form
        elif tag == "input" and given.get("type") == "hidden":
            if given.get("name") == "code":
                page.code = given.get("value", "")
            elif self._form.endswith("/call"):
                page.hidden[given.get("name", "")] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if self._into is not None and tag == self._end:
            text = " ".join("".join(self._into).split())
            if tag == "h1":
                self.page.heading = text
            else:
                self.page.notice = text
            self._into = None
        elif tag == "ol":
            self._in_stages = False
        elif tag == "small":
            self._in_small = False

    def handle_data(self, data: str) -> None:
        if self._into is not None:
            self._into.append(data)
        elif self._in_stages and not self._in_small and self.page.stages and data.strip(" ✓○\n"):
            text, ticked = self.page.stages[-1]
            self.page.stages[-1] = (f"{text} {data.strip()}".strip(), ticked)
