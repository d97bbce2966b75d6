# SPDX-License-Identifier: Apache-2.0
"""The calls for help of this box: stored before anybody says so, kept until somebody has them, shown only for their
code.

1. `submit` returns after the call is on flash. The counter it is sent under is part of the record, so that a restart
   sends
   the same message and not another one.
2. Stages only rise. Each is appended to the journal when it is heard.
3. In memory there is one short entry per call; texts stay on flash. The oldest finished entries leave memory first.
4. When the journal passes its limit, finished calls older than the retention go; unfinished ones never.

Not here: the air (protocol/box_node.py), the page (portal). Called by box.py.
"""

import hashlib
import json

from kiezbox.box import receipt_code
from kiezbox.box.journal import Journal
from kiezbox.box.limits import Limits
from kiezbox.box.refusal import Refused
from kiezbox.protocol.counter import CounterExhausted
from kiezbox.protocol.custody import CustodyFull

STORED = 1
GATEWAY = 2
TEXT_LENGTH_MAX = 500
WORD_LENGTH_MAX = 120
ENTRIES_MAX = 40
JOURNAL_BYTES_MAX = 200_000
RETENTION_S = 30 * 86_400

_CALL = 1
_STAGE = 2
_CANCEL = 3

NEW = 0
AMEND = 1
CANCEL = 2
SAFE = 3


class Entry:
    """One call in memory. counters: of the call and its amendments; stages: [stage, time_s, station] each."""

    def __init__(self, code: str, counter: int, exercise: bool) -> None:
        self.code = code
        self.counters = [counter]
        self.exercise = exercise
        self.stages: list[list] = []
        self.answer: str | None = None
        self.cancelled = False


class Calls:
    """`node` is the BoxNode, `ports` as in ports.py."""

    def __init__(self, ports, node, root: str) -> None:  # noqa: ANN001
        self._ports = ports
        self._node = node
        self._journal = Journal(root + "/calls.log")
        self._limits = Limits()
        self._entries: dict[str, Entry] = {}
        self._open: list[int] = []
        self.deferred = False

    def load(self) -> int:
        """After a start: read the journal, take unfinished calls into custody again. Returns how many those are."""
        for kind, payload in self._journal.records():
            record = json.loads(payload)
            if kind == _CALL:
                self._remember(record)
            else:
                self._apply(kind, record)
        self.resume()
        return len(self._open)

    def resume(self) -> None:
        """Take every call that no gateway has into custody again. Where there is no room, `deferred` stays set."""
        self.deferred = False
        for kind, payload in self._journal.records():
            record = json.loads(payload)
            if kind != _CALL or record["counter"] not in self._open or self._node.holds(record["counter"]):
                continue
            try:
                self._node.resume(
                    record["kind"], record["message"], record["counter"], STORED, self._ports.clock.now_ms()
                )
            except CustodyFull:
                self.deferred = True
                return

    def submit(self, form: dict, exercise: bool) -> str:
        """Store a call and put it on its way; returns its code. Raises Refused. Everything in the form is hostile
        text.
        """
        now_ms = self._ports.clock.now_ms()
        message = _message(form)
        client = str(form.get("client", ""))
        digest = hashlib.sha256(repr(sorted(message.items())).encode()).digest()[:8]
        code = self._limits.same(client, digest, now_ms)
        if code is not None:
            return code
        reason = self._limits.refusal(client, now_ms)
        if reason:
            raise Refused(reason)
        code = receipt_code.make(self._ports.entropy(5))
        message["code"] = code
        message["action"] = NEW
        self._store("exercise" if exercise else "emergency", message)
        self._limits.taken(client, digest, code, now_ms)
        return code

    def change(self, code: str, action: int, text: str = "") -> None:
        """Amend, cancel, or say that all is well. Raises Refused "unknown_code": only the box that took a call can
        change it.
        """
        entry = self._entries.get(code)
        if entry is None or (entry.cancelled and action != SAFE):
            raise Refused("unknown_code")
        message = {"action": action, "refers_to": entry.counters[0], "code": code}
        if action == AMEND:
            message["text"] = _checked(text, TEXT_LENGTH_MAX)
            if not message["text"]:
                raise Refused("empty")
        self._store("exercise" if entry.exercise else "emergency", message)
        if action in (CANCEL, SAFE):
            self._record(_CANCEL, {"counter": entry.counters[0]})
            # What no gateway has yet need not be sent any more; the message that says so is.
            for counter in entry.counters[:-1]:
                self._node.cancel(counter)
                if counter in self._open:
                    self._open.remove(counter)

    def stage_changed(self, counter: int, stage: int, time_s: int, station: str, text: str) -> None:
        """A proven receipt or reply."""
        if not time_s:
            time_s = self._ports.clock.wall()[0]
        self._record(_STAGE, {"counter": counter, "stage": stage, "time_s": time_s, "station": station, "text": text})

    def status(self, code: str) -> "dict | None":
        """What the page of this code shows, None if this box does not know it."""
        entry = self._entries.get(code)
        if entry is None:
            return None
        stages = [{"stage": one[0], "time_s": one[1], "station": one[2]} for one in entry.stages]
        return {
            "stages": stages,
            "answer": entry.answer,
            "exercise": entry.exercise,
            "cancelled": entry.cancelled,
        }

    def open_count(self) -> int:
        """Calls that no gateway has yet."""
        return len(self._open)

    def _store(self, kind: str, message: dict) -> None:
        message["time_s"], message["clock_quality"] = self._ports.clock.wall()
        try:
            counter = self._node.take_counter()
        except CounterExhausted:
            # A moment after the start: flash has not yet reserved numbers.
            raise Refused("full")
        record = {"counter": counter, "kind": kind, "message": message}
        try:
            self._journal.append(_CALL, json.dumps(record).encode())
        except OSError:
            raise Refused("full")
        self._remember(record)
        try:
            self._node.send(kind, message, self._ports.clock.now_ms(), counter)
        except CustodyFull:
            # It is safe on flash and goes out when there is room, see resume.
            self.deferred = True
        if self._journal.size_bytes() > JOURNAL_BYTES_MAX:
            self._compact()

    def _remember(self, record: dict) -> None:
        message = record["message"]
        counter = record["counter"]
        entry = self._entries.get(message["code"])
        if entry is None:
            self._make_room()
            entry = self._entries[message["code"]] = Entry(message["code"], counter, record["kind"] == "exercise")
            entry.stages.append([STORED, message["time_s"], ""])
        else:
            entry.counters.append(counter)
        self._open.append(counter)

    def _record(self, kind: int, record: dict) -> None:
        try:
            self._journal.append(kind, json.dumps(record).encode())
        except OSError:
            pass  # The stage is true all the same, and will be told again.
        self._apply(kind, record)

    def _apply(self, kind: int, record: dict) -> None:
        counter = record["counter"]
        for entry in self._entries.values():
            if counter not in entry.counters:
                continue
            if kind == _CANCEL:
                entry.cancelled = True
                return
            stage = record["stage"]
            if counter == entry.counters[0] and stage not in [one[0] for one in entry.stages]:
                entry.stages.append([stage, record["time_s"], record["station"]])
                entry.stages.sort()
            if record["text"]:
                entry.answer = record["text"]
            break
        if kind == _STAGE and record["stage"] >= GATEWAY and counter in self._open:
            self._open.remove(counter)

    def _make_room(self) -> None:
        if len(self._entries) < ENTRIES_MAX:
            return
        for code in self._entries:
            if not any(counter in self._open for counter in self._entries[code].counters):
                del self._entries[code]
                return

    def _compact(self) -> None:
        oldest_s = self._ports.clock.wall()[0] - RETENTION_S
        kept = list(self._open)
        for kind, payload in self._journal.records():
            record = json.loads(payload)
            if kind == _CALL and record["message"].get("time_s", 0) >= oldest_s:
                kept.append(record["counter"])
        self._journal.rewrite(lambda kind, payload: json.loads(payload)["counter"] in kept)


def _checked(value: str, length_max: int) -> str:
    value = str(value).replace("\0", "").strip()
    if len(value.encode()) > length_max:
        raise Refused("too_long")
    return value


def _message(form: dict) -> dict:
    """A message for the air from a form. Raises Refused."""
    message: dict[str, str | int] = {"text": _checked(form.get("text", ""), TEXT_LENGTH_MAX)}
    for name in ("place", "name", "contact"):
        value = _checked(form.get(name, ""), WORD_LENGTH_MAX)
        if value:
            message[name] = value
    for name, highest in (("category", 6), ("people", 9999)):
        value = str(form.get(name, "")).strip()
        if 0 < len(value) <= 4 and not value.strip("0123456789") and 0 < int(value) <= highest:
            message[name] = int(value)
    if not message["text"] and "category" not in message:
        raise Refused("empty")
    language = str(form.get("language", ""))
    if 1 < len(language) <= 8:
        message["language"] = language
    return message
