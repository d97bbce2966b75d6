# SPDX-License-Identifier: Apache-2.0
"""A person's phone at a box: real HTTP bytes to the firmware's own server, in virtual time.

Opens the start page in its language, fills in the form it finds there, sends it, keeps the code; leaves the page open
for a while, which renews itself until somebody has the call; looks again later, changes its mind, sends again when
nothing comes within the person's patience. What it learns goes to the simulation:
accepted with a code, refused with what the page said, stages as shown. Parsing is by the few marks every page of the
portal has; a page without them counts as unreadable.
"""

import html
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from kiezbox_simulator.scenario.referee import Call
from kiezbox_simulator.virtual.vm_box import VmBox
from kiezbox_simulator.virtual.vm_connections import Connection
from kiezbox_simulator.world.chance import choice
from kiezbox_simulator.world.people import Person

if TYPE_CHECKING:
    from kiezbox_simulator.scenario.simulation import Simulation

ADDRESS = "192.168.4.1"
WIFI_US = 15_000
"""From the phone's application to the box's, one way, over a busy access point."""

TYPING_US = 45_000_000
LOOKER_PATIENCE_US = 20_000_000
WATCHING_US = 120_000_000
"""How long the page with the code stays open on the phone, if nothing new comes."""

_MODE = re.compile(r'<input type="hidden" name="mode" value="([a-z]+)">')
_CODE = re.compile(r"<strong>([0-9A-Z]{4})-([0-9A-Z]{4})</strong>")
_ALERT = re.compile(r'role="alert"[^>]*>([^<]*)<')
_DONE = '<li class="d">'
_REFRESH = re.compile(rb"\r\nRefresh: (\d+); url=(\S+)")


class Visitor:
    """What an exchange needs to know of a phone. `renewal`: what the last page asked for, to be loaded again after so
    many seconds, from this path."""

    def __init__(self, simulation: "Simulation", box: VmBox, key: str, patience_us: int) -> None:
        self.box = box
        self.client = f"192.168.4.{2 + choice(simulation.seed, 250, 'phone', key.split('-flood')[0])}"
        self.patience_us = patience_us
        self.renewal: tuple[int, str] | None = None
        self._schedule = simulation.schedule

    def later(self, after_us: int, what: Callable[[Any], None], argument: Any = None) -> None:
        """An event of this visit. The box learns that somebody may touch it then."""
        time_us = self._schedule.now_us + after_us
        self.box.expect(time_us)
        self._schedule.at(time_us, what, argument)

    def get(self, path: str, then: Callable[[int, str], None]) -> None:
        """Load a page."""
        Exchange(self, f"GET {path} HTTP/1.1\r\nHost: {ADDRESS}\r\n\r\n".encode(), then)


class Looker(Visitor):
    """Somebody who opens the page and reads; `then(whether it came)`."""

    def __init__(self, simulation: "Simulation", box: VmBox, key: str, then: Callable[[bool], None]) -> None:
        super().__init__(simulation, box, key, LOOKER_PATIENCE_US)
        self.get("/", lambda status, body: then(status == 200 and "</html>" in body))


class Phone(Visitor):
    """One visit of one person who asks for help."""

    def __init__(self, simulation: "Simulation", box: VmBox, person: Person, call: Call) -> None:
        super().__init__(simulation, box, person.key, person.patience_us)
        self._simulation = simulation
        self._person = person
        self._call = call
        language = person.form["language"]
        self._language = "ls" if language == "de-LS" else language
        self._attempts = 0
        self._watching_until_us = 0
        self._tries = 0

    def start(self) -> None:
        """Open the page."""
        self.get(f"/{self._language}/", self._page)

    # The visit

    def _page(self, status: int, body: str) -> None:
        found = _MODE.search(body)
        if found:
            # The form is there; the person types. A call in need is typed faster than a form in peace, but not by
            # this much.
            self.later(TYPING_US, self._submit, found.group(1))
        elif status == 200 and self._tries < 2:
            self._tries += 1
            self.get(f"/{self._language}/call", self._page)
        else:
            self._refused(status, body)

    def _submit(self, mode: str) -> None:
        form = {name: value for name, value in self._person.form.items() if name != "language"}
        self._attempts += 1
        self._post("call", form | {"mode": mode}, self._answered)

    def _answered(self, status: int, body: str) -> None:
        found = _CODE.search(body)
        if status == 200 and found:
            code = found.group(1) + found.group(2)
            if self._call.accepted_us is None:
                self._simulation.accept(self._call, code, self._attempts > 1)
                self._watching_until_us = self._schedule.now_us + WATCHING_US
                self._watch(status, body)
                for after_us in self._person.looks_us:
                    self.later(after_us, self._look)
                if self._person.changes_mind:
                    self.later(120_000_000, self._change_mind)
        elif status in (0, 500) and self._attempts <= self._person.repeats:
            # Nothing came: the person presses the button again.
            self.later(5_000_000, lambda _: self.start())
        else:
            self._refused(status, body)

    def _refused(self, status: int, body: str) -> None:
        if self._call.accepted_us is not None or self._call.refused:
            return
        found = _ALERT.search(body)
        if status == 0:
            if self._attempts < self._person.repeats:
                self._attempts += 1
                self.later(5_000_000, lambda _: self.start())
                return
            reason = "no answer from the page"
        else:
            reason = html.unescape(found.group(1)).strip() if found else f"page without a form (HTTP {status})"
        self._simulation.refuse(self._call, reason)

    def _watch(self, status: int, body: str) -> None:
        """The page with the code lies open, until the gateway has the call or the person puts the phone away."""
        self._stages(status, body)
        if self.renewal is not None and body.count(_DONE) < 2 and self._schedule.now_us < self._watching_until_us:
            seconds, path = self.renewal
            self.later(seconds * 1_000_000, lambda _: self.get(path, self._watch))

    def _look(self, _: None) -> None:
        self._post("status", {"code": self._call.code}, self._stages)

    def _stages(self, status: int, body: str) -> None:
        if status == 200:
            self._simulation.told_stage(self._call, body.count(_DONE))

    def _change_mind(self, _: None) -> None:
        what = self._person.changes_mind
        more = {"text": "+++ " + self._person.form["text"][:100]} if what == "amend" else {}
        self._post(what, {"code": self._call.code} | more, self._changed)

    def _changed(self, status: int, _: str) -> None:
        if status == 200 and self._person.changes_mind == "cancel":
            self._call.cancelled = True

    # HTTP

    def _post(self, page: str, form: dict[str, str], then: Callable[[int, str], None]) -> None:
        body = urlencode(form).encode()
        head = (
            f"POST /{self._language}/{page} HTTP/1.1\r\nHost: {ADDRESS}\r\nOrigin: http://{ADDRESS}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        Exchange(self, head.encode() + body, then)


class Exchange:
    """One request and its answer; `then(status, body)` once, with status 0 if nothing came in time."""

    def __init__(self, phone: Visitor, request: bytes, then: Callable[[int, str], None]) -> None:
        self._phone = phone
        self._received = bytearray()
        self._then: Callable[[int, str], None] | None = then
        self._connection: Connection | None = None
        phone.later(WIFI_US, self._open, request)
        phone.later(phone.patience_us, self._give_up)

    def _open(self, request: bytes) -> None:
        if self._then is None:
            return
        self._connection = self._phone.box.connect(self._phone.client, self._received.extend, self._closed)
        if self._connection is None:
            self._finish()
            return
        self._connection.send(request)

    def _closed(self) -> None:
        self._phone.later(WIFI_US, lambda _: self._finish())

    def _give_up(self, _: None) -> None:
        if self._then is not None:
            if self._connection is not None:
                self._connection.close()
            self._received.clear()
            self._finish()

    def _finish(self) -> None:
        then, self._then = self._then, None
        if then is None:
            return
        head, _, body = bytes(self._received).partition(b"\r\n\r\n")
        words = head.split(b" ", 2)
        status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
        renewal = _REFRESH.search(head)
        self._phone.renewal = (int(renewal.group(1)), renewal.group(2).decode()) if renewal else None
        then(status, body.decode(errors="replace"))
