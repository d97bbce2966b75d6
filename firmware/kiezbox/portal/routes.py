# SPDX-License-Identifier: Apache-2.0
"""Which page answers which request, and what a request asks of the box.

1. An address is /LANGUAGE/PAGE and says nothing about a person: texts and codes travel in forms.
   Only the page of a call that renews itself has an address of its own, for half an hour: view.py says why.
2. A request for another host is the probe of an operating system or a page that the name server led here: it is sent
   to the start page, so that the phone opens it. A form is taken only from this box's own page.
3. A form carries the mode it was shown in. If the box has changed its mode since, nothing is sent and the person
   decides anew; so a real call never becomes an exercise unseen, and never the reverse.

Not here: HTTP (request.py, server.py), HTML (page.py). Called by server.py.
"""

import asyncio
import gc
import os

from kiezbox.box.receipt_code import clean
from kiezbox.box.refusal import Refused
from kiezbox.portal import page
from kiezbox.portal.language import known
from kiezbox.portal.view import Views

ASK_PAUSE_MS = 120_000
"""A code is asked for over the air once in this time, and at most ASKED_MAX codes are."""

ASKED_MAX = 8

GUESS_PAUSE_MS = 1_000
"""What a further code that is not known here takes then."""

RENEW_S = 20
"""As the texts `refreshing` say."""

_TRIES = 12
_TRY_PAUSE_MS = 250
"""How often and how long a call waits for memory."""

BYTES_MAX = {"text": 500, "place": 120, "name": 120, "contact": 120}


class Routes:
    """`box` as in box.py; `address` is the HOST or HOST:PORT that stands in the browser."""

    def __init__(self, box, address: str, entropy=os.urandom) -> None:  # noqa: ANN001
        """`entropy(length)` gives random bytes."""
        self.address = address
        self._views = Views(entropy(16))
        self._box = box
        self._asked = {}

    def location(self, request) -> "str | None":  # noqa: ANN001
        """Where to send a request that is not for this box or for no language; None to answer it."""
        foreign = request.host.lower() != self.address and request.method != "POST" and request.host
        return "http://" + self.address + "/" if foreign else None

    async def answer(self, request, client: str, t) -> "tuple":  # noqa: ANN001
        """(HTTP status, generator of the page's pieces, address that is to follow after RENEW_S or "") with the texts
        `t`. Raises OSError.
        """
        name = request.path[len(t.name) + 2 :] if request.path.startswith("/" + t.name + "/") else request.path[1:]
        if request.method == "POST":
            own = (
                request.host.lower() == self.address
                and request.origin in ("", "http://" + request.host)
                and request.fetch_site in ("", "same-origin", "none")
            )
            if not own:
                return self._sentence(t, 403, "elsewhere")
            if name == "call":
                return await self._submit(request, client, t)
            if name in ("status", "amend", "cancel", "safe"):
                return await self._follow(name, request.form, request.unreadable, t)
            return self._sentence(t, 404, "not_found")
        box = self._box
        if name == "" or (name == "call" and box.mode != "everyday"):
            return self._home(t, 200, {}, "", ())
        if name == "call":
            return 200, page.document(t, box, "call", page.call(t, box, {}, ())), ""
        if name == "status":
            return 200, page.document(t, box, "status", page.look_up(t, box, "")), ""
        if name == "help":
            return 200, page.document(t, box, "help", page.help_near(t, box)), ""
        if name == "about":
            return 200, page.document(t, box, "about", page.about(t, box)), ""
        if name in ("amend", "cancel", "safe"):
            return 200, page.document(t, box, "status", page.look_up(t, box, "")), ""
        if name.startswith("v/"):
            code = self._views.code(name[2:34], box.now_ms())
            if code is None:
                return 410, page.document(t, box, "status", page.look_up(t, box, ""), "", "view_expired"), ""
            return await self._show(t, code, "", "", not name.endswith("/still"))
        return self._sentence(t, 404, "not_found")

    def problem(self, status: int, t) -> "tuple":  # noqa: ANN001
        """The page for a request that could not be read."""
        return self._sentence(t, status, "too_large" if status == 413 else "bad_request")

    def _sentence(self, t, status, key):  # noqa: ANN001, ANN202
        return status, page.document(t, self._box, "wrong", page.sentence(t, key)), ""

    def _home(self, t, status, form, error, fields):  # noqa: ANN001, ANN202
        box = self._box
        if box.mode in ("emergency", "exercise"):
            key = "home_call" if box.mode == "emergency" else "home_exercise"
            field = fields[0] if fields else ""
            return status, page.document(t, box, key, page.call(t, box, form, fields), "", error, field), ""
        key = "home" if box.mode == "everyday" else "home_closed"
        return status, page.document(t, box, key, page.home(t, box), "", error), ""

    async def _submit(self, request, client, t):  # noqa: ANN001, ANN202
        box = self._box
        form = {name: request.form.get(name, "") for name in page.FIELDS + ("category",)}
        error, fields = _checked(request, form)
        shown_in = request.form.get("mode", "")
        tries = _TRIES
        if box.mode == "maintenance":
            error = "mode"
        elif shown_in != box.mode:
            error = "mode_changed"
        if not error:
            wanted = dict(form, language="de" if t.name == "ls" else t.name, client=client)
            code = None
            while not code and not error:
                try:
                    code = await box.submit(wanted)
                except Refused as refused:
                    error = refused.reason
                except MemoryError:
                    # Many at once. What others leave behind is enough when they have their pages; if not, nobody is
                    # told that it is stored.
                    tries -= 1
                    if not tries:
                        error = "full"
                    gc.collect()
                    await asyncio.sleep_ms(_TRY_PAUSE_MS)
        if error:
            if box.mode == "everyday":
                field = fields[0] if fields else ""
                return 422, page.document(t, box, "call", page.call(t, box, form, fields), "", error, field), ""
            return self._home(t, 422, form, error, fields)
        return await self._show(t, code, "", "said_stored", True)

    async def _follow(self, name, form, unreadable, t):  # noqa: ANN001, ANN202
        box = self._box
        typed = form.get("code", "")
        code = clean(typed)
        if code is None:
            return 422, page.document(t, box, "status", page.look_up(t, box, typed[:20]), "", "bad_code"), ""
        error = said = text = ""
        if name != "status":
            try:
                if name == "amend":
                    text = form.get("text", "")
                    known_status = box.status(code)
                    if known_status and not known_status["exercise"] and box.mode != "emergency":
                        raise Refused("over")
                    if unreadable:
                        raise Refused("unreadable")
                    if len(text.encode()) > BYTES_MAX["text"]:
                        raise Refused("too_long")
                    await box.amend(code, text)
                elif name == "cancel":
                    await box.cancel(code)
                else:
                    await box.safe(code)
                said = {"amend": "said_amended", "cancel": "said_cancelled", "safe": "said_safe"}[name]
                text = ""
            except Refused as refused:
                error = refused.reason
        return await self._show(t, code, error, said, False, text)

    async def _show(self, t, code, error, said, renewing, typed=""):  # noqa: ANN001, ANN202
        """The page of a call; it renews itself if `renewing` and there is something to wait for."""
        box = self._box
        status = box.status(code)
        views = self._views
        if status is None:
            key = "status_asked" if await self._ask(code) else "status_busy"
            renewing = renewing or not error
            pieces = page.document(t, box, "status", page.unknown(t, box, code, key, views, renewing), code, error)
        else:
            renewing = renewing and not status["cancelled"] and status["answer"] is None
            title = ("stored_exercise" if status["exercise"] else "stored") if said == "said_stored" else "state"
            body = page.stages(t, box, code, status, said, views, renewing, typed)
            pieces = page.document(t, box, title, body, code, error)
        view = "/" + t.name + "/v/" + views.address(code, box.now_ms()) if renewing else ""
        return 422 if error else 200, pieces, view

    async def _ask(self, code: str) -> bool:
        """False if too many are asked for: the air is for calls first."""
        now_ms = self._box.now_ms()
        for one in list(self._asked):
            if now_ms - self._asked[one] >= ASK_PAUSE_MS:
                del self._asked[one]
        if code in self._asked:
            return True
        if len(self._asked) >= ASKED_MAX:
            # Few people look for calls that this box does not know; who tries many codes waits for each.
            await asyncio.sleep_ms(GUESS_PAUSE_MS)
            return False
        self._asked[code] = now_ms
        await self._box.ask(code)
        return True


def language_of(path: str) -> str:
    """The language that an address names, or an empty string."""
    name = path[1:].split("/")[0]
    return name if known(name) else ""


def _checked(request, form) -> "tuple[str, tuple]":  # noqa: ANN001
    """A key of what is wrong and the fields that are; people become a plain number."""
    if request.unreadable:
        return "unreadable", ("text",)
    if request.overlong:
        return "too_long", ("text",)
    for name in BYTES_MAX:
        if len(form[name].encode()) > BYTES_MAX[name]:
            return "too_long", (name,)
    people = ""
    for character in form["people"]:
        number = ord(character)
        if 0x660 <= number <= 0x669 or 0x6F0 <= number <= 0x6F9:
            character = chr(0x30 + (number & 15))
        if not "0" <= character <= "9" or len(people) >= 4:
            return "people_wrong", ("people",)
        people += character
    form["people"] = people
    if form["category"] not in ("1", "2", "3", "4", "5", "6"):
        form["category"] = ""
    if not form["text"] and not form["category"]:
        return "empty", ("text",)
    return "", ()
