# SPDX-License-Identifier: Apache-2.0
"""The calls for help of this box: stored before anybody says so, kept until somebody has them, shown only for their
code.

1. `submit` and `press` return after the call is on flash. The counter it is sent under is part of the record, so that
   a restart sends the same message and not another one.
2. Stages only rise. Each is appended to the journal when it is heard.
3. In memory there is one short entry for each of the newest calls; texts stay on flash, and an older call's entry is
   read from there when its code is asked for.
4. Finished calls are deleted when their time is over, and what the deletion leaves on the chip is overwritten
   (flash_room.py). Unfinished ones stay.
5. If there is no room, exercises give way first, then finished calls. The same text twice from one phone is one call;
   from two phones it is two, because a code shows the answer.

Not here: the air (protocol/box_node.py), the page (portal), what is in a form (call_form.py). Called by box.py.
"""

import json

from kiezbox.box import call_form, receipt_code
from kiezbox.box.call_entry import AMEND, CANCEL, GATEWAY, NEW, SAFE, STORED, Entry
from kiezbox.box.journal import Journal
from kiezbox.box.limits import Limits
from kiezbox.box.refusal import Refused
from kiezbox.protocol.counter import CounterExhausted
from kiezbox.protocol.custody import CustodyFull

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ENTRIES_MAX = 6
"""An entry takes 350 bytes; another one is read from flash when a phone asks."""

EXERCISES_OPEN_MAX = 60
AMENDMENTS_MAX = 20
JOURNAL_BYTES_MAX = 200_000
"""Above this, finished calls go before their time: a gateway has them, and the page asks it."""

DELETED_AT_ONCE = 32
RETENTION_S = 30 * 86_400

_CALL = 1
_STAGE = 2
_EXERCISE = 4
_PADDING = 9
"""The first record: longer than what LittleFS keeps inside its directory, so that a call never stands there."""

_PADDING_LENGTH = 1024


class Calls:
    """`ports` as in ports.py, `room` the FlashRoom of the same flash. `node` is the BoxNode, given before `load`."""

    def __init__(self, ports, root: str, room) -> None:  # noqa: ANN001
        self._ports = ports
        self.node: Any = None
        self._room = room
        self.journal = Journal(root + "/calls.log")
        if not self.journal.size_bytes():
            room.write(lambda: self.journal.append(_PADDING, bytes(_PADDING_LENGTH)))
        self._limits = Limits()
        self._entries: dict[str, Entry] = {}
        self._open: list[int] = []
        self._exercises: list[int] = []
        self.deferred = False
        self.retention_s = RETENTION_S
        self.bytes_max = JOURNAL_BYTES_MAX
        room.sheds.append(self._shed)

    def load(self) -> int:
        """After a start: read the journal, take unfinished calls into custody again. Returns how many those are."""
        for kind, payload in self.journal.records():
            if kind in (_CALL, _EXERCISE):
                self._remember(json.loads(payload))
            elif kind == _STAGE:
                self._apply(json.loads(payload))
        self.resume()
        return len(self._open) + len(self._exercises)

    def counter_max(self) -> int:
        """The highest counter that a call was stored under, 0 if there is none."""
        highest = 0
        for kind, payload in self.journal.records():
            if kind in (_CALL, _EXERCISE):
                highest = max(highest, json.loads(payload)["counter"])
        return highest

    def resume(self) -> None:
        """Take every call that no gateway has into custody again, exercises last. Where there is no room, `deferred`
        stays set.
        """
        self.deferred = False
        for wanted, unfinished in ((_CALL, self._open), (_EXERCISE, self._exercises)):
            if not len(unfinished):
                continue
            for kind, payload in self.journal.records():
                if kind != wanted:
                    continue
                record = json.loads(payload)
                if record["counter"] not in unfinished or self.node.holds(record["counter"]):
                    continue
                now_ms = self._ports.clock.now_ms()
                try:
                    self.node.resume(record["kind"], record["message"], record["counter"], STORED, now_ms)
                except (CustodyFull, MemoryError):
                    self.deferred = True
                    return

    def submit(self, form: dict, exercise: bool) -> str:
        """Store a call and put it on its way; returns its code. Raises Refused. Everything in the form is hostile
        text.
        """
        now_ms = self._ports.clock.now_ms()
        message = call_form.from_form(form)
        client = str(form.get("client", ""))
        digest = call_form.likeness(message)
        code = self._limits.same(client, digest, now_ms)
        if code is not None:
            return code
        reason = self._limits.refusal(client, now_ms)
        if reason:
            raise Refused(reason)
        if exercise and len(self._exercises) >= EXERCISES_OPEN_MAX:
            raise Refused("full")
        code = self._code()
        message["code"] = code
        message["action"] = NEW
        self._store("exercise" if exercise else "emergency", code, message)
        self._limits.taken(client, digest, code, now_ms)
        return code

    def press(self, exercise: bool) -> str:
        """The button was pressed: as `submit`, without a text and without limits. Returns the code. Raises Refused."""
        code = self._code()
        if exercise:
            message = {"text": "Knopf", "language": "de", "code": code, "action": NEW}
            self._store("exercise", code, message, True)
        else:
            self._store("button", code, {"action": NEW, "button": 1}, True)
        return code

    def pressed(self) -> "str | None":
        """The code of the newest press of the button that was not cancelled."""
        found = None
        for code in self._entries:
            if self._entries[code].button and not self._entries[code].cancelled:
                found = code
        return found

    def change(self, code: str, action: int, text: str = "") -> None:
        """Amend, cancel, or say that all is well. Raises Refused "unknown_code": only the box that took a call can
        change it.
        """
        entry = self._entry(code)
        if entry is None or (entry.cancelled and action != SAFE):
            raise Refused("unknown_code")
        if entry.safe:
            return  # It was said, and is on flash.
        message = {"action": action, "refers_to": entry.counters[0]}
        if entry.kind == "button":
            message["button"] = 1
        else:
            message["code"] = code  # type: ignore[assignment]
        if action == AMEND:
            message["text"] = call_form.checked(text, call_form.TEXT_LENGTH_MAX)  # type: ignore[assignment]
            if not message["text"]:
                raise Refused("empty")
            if len(entry.counters) > AMENDMENTS_MAX:
                raise Refused("rate_client")
        self._store(entry.kind, code, message)
        if action in (CANCEL, SAFE):
            # What no gateway has yet need not be sent any more; the message that says so is.
            for counter in entry.counters[:-1]:
                self.node.cancel(counter)
                self._settle(counter)

    def stage_changed(self, counter: int, stage: int, time_s: int, station: str, text: str) -> None:
        """A proven receipt or reply. One that says nothing new is not written."""
        if counter not in self._open and counter not in self._exercises and self._is_told(counter, stage, text):
            return
        if not time_s:
            time_s = self._ports.clock.wall()[0]
        record = {"counter": counter, "stage": stage, "time_s": time_s, "station": station, "text": text}
        payload = json.dumps(record).encode()
        try:
            self._room.write(lambda: self.journal.append(_STAGE, payload))
        except OSError:
            pass  # The stage is true all the same, and will be told again.
        self._apply(record)

    def status(self, code: str) -> "dict | None":
        """What the page of this code shows, None if this box does not know it. `age_s` beside the time of the first
        stage: it was stored without a clock, since this start.
        """
        entry = self._entry(code)
        if entry is None:
            return None
        stages: list[dict] = [{"stage": one[0], "time_s": one[1], "station": one[2]} for one in entry.stages]
        if entry.stored_ms is not None:
            stages[0]["age_s"] = (self._ports.clock.now_ms() - entry.stored_ms) // 1000
        return {
            "stages": stages,
            "answer": entry.answer,
            "exercise": entry.kind == "exercise",
            "cancelled": entry.cancelled,
        }

    def open_count(self) -> int:
        """Calls that no gateway has yet; exercises are none."""
        return len(self._open)

    def sweep(self) -> bool:
        """Delete finished calls whose time is over. True if there were any; their bytes are still on the chip then."""
        oldest_s = self._ports.clock.wall()[0] - self.retention_s
        deleted = False
        while oldest_s > 0 and self._delete((_CALL, _EXERCISE), oldest_s):
            deleted = True
        while self.journal.size_bytes() > self.bytes_max and self._delete((_CALL, _EXERCISE)):
            deleted = True
        return deleted

    def _delete(self, kinds: "tuple[int, ...]", oldest_s: int = 0xFFFFFFFF) -> bool:
        """Delete a few finished calls, the oldest first, if nothing happened to them since oldest_s: each with what was
        added to it and its stages. False if there are none. Raises OSError.
        """
        roots: dict[int, int] = {}
        for kind, payload in self.journal.records():
            if kind == _PADDING:
                continue
            record = json.loads(payload)
            counter = record["counter"]
            if kind == _STAGE:
                time_s = record["time_s"]
                root = roots.get(counter)
            else:
                time_s = record["message"]["time_s"]
                root = record["message"].get("refers_to") or counter
                if root == counter and kind in kinds and time_s < oldest_s and len(roots) < DELETED_AT_ONCE:
                    roots[counter] = counter
                elif root in roots:
                    roots[counter] = root
            unfinished = kind != _STAGE and (counter in self._open or counter in self._exercises)
            if root in roots and (unfinished or time_s >= oldest_s):
                for one in [one for one in roots if roots[one] == root]:
                    del roots[one]
        if not roots:
            return False
        self.journal.rewrite(lambda kind, payload: kind == _PADDING or json.loads(payload)["counter"] not in roots)
        for code in list(self._entries):
            if self._entries[code].counters[0] in roots:
                del self._entries[code]
        return True

    def _shed(self) -> bool:
        """The flash is full: give up exercises, finished or not, then finished calls. Whether there were any."""
        for counter in self._exercises:
            self.node.cancel(counter)
        self._exercises = []
        shed = False
        try:
            while self._delete((_EXERCISE,)):
                shed = True
            return shed or self._delete((_CALL,))
        except OSError:
            return False

    def _code(self) -> str:
        return receipt_code.make(self._ports.entropy(5))

    def _store(self, kind: str, code: str, message: dict, button: bool = False) -> None:
        message["time_s"], message["clock_quality"] = self._ports.clock.wall()
        try:
            counter = self.node.take_counter()
        except CounterExhausted:
            # A moment after the start: flash has not yet reserved numbers.
            raise Refused("full")
        record = {"counter": counter, "kind": kind, "code": code, "message": message}
        if button:
            record["button"] = 1
        payload = json.dumps(record).encode()
        number = _EXERCISE if kind == "exercise" else _CALL
        try:
            if number == _EXERCISE:
                # An exercise finds room or is refused; nothing is given up for it.
                self.journal.append(number, payload)
            else:
                self._room.write(lambda: self.journal.append(number, payload))
        except OSError:
            raise Refused("full")
        self._remember(record)
        if not message["time_s"] and not message.get("refers_to"):
            self._entries[code].stored_ms = self._ports.clock.now_ms()
        try:
            self.node.send(kind, message, self._ports.clock.now_ms(), counter, True)
            if self.node.parked():
                self.deferred = True  # An older call made room, and goes on when there is some, see resume.
        except (CustodyFull, MemoryError):
            # It is safe on flash and goes out when there is room, see resume.
            self.deferred = True

    def _remember(self, record: dict) -> None:
        (self._exercises if record["kind"] == "exercise" else self._open).append(record["counter"])
        self._enter(record)
        message = record["message"]
        if message.get("action") in (CANCEL, SAFE):
            self._settle(message["refers_to"])

    def _enter(self, record: dict) -> None:
        code = record["code"]
        message = record["message"]
        entry = self._entries.get(code)
        if entry is not None:
            entry.add(record)
        elif not message.get("refers_to"):
            if len(self._entries) >= ENTRIES_MAX:
                # A press of the button that can still be cancelled stays: nobody has a code for it.
                entries = list(self._entries)
                pressed = self.pressed()
                del self._entries[entries[1] if entries[0] == pressed else entries[0]]
            entry = self._entries[code] = Entry(record["counter"], record["kind"], bool(record.get("button")))
            entry.stages.append([STORED, message["time_s"], ""])
        # Else it was added to a call whose entry has left memory; it is read again when somebody asks.

    def _entry(self, code: str) -> "Entry | None":
        """From memory, else from flash."""
        entry = self._entries.get(code)
        if entry is not None or not code:
            return entry
        needle = code.encode()
        for kind, payload in self.journal.records():
            if kind == _STAGE:
                if entry is not None:
                    entry.rise(json.loads(payload))
            elif needle in payload and kind != _PADDING:
                record = json.loads(payload)
                if record["code"] == code:
                    self._enter(record)
                    entry = self._entries.get(code)
        return entry

    def _is_told(self, counter: int, stage: int, text: str) -> bool:
        """Whether flash holds this stage already. Repeated receipts are frequent; reading wears nothing."""
        for entry in self._entries.values():
            if counter in entry.counters:
                return text in ("", entry.answer) and entry.has(stage)
        for kind, payload in self.journal.records():
            if kind == _STAGE:
                record = json.loads(payload)
                if record["counter"] == counter and record["stage"] == stage and text in ("", record["text"]):
                    return True
        return False

    def _apply(self, record: dict) -> None:
        for entry in self._entries.values():
            if entry.rise(record):
                break
        if record["stage"] >= GATEWAY:
            self._settle(record["counter"])

    def _settle(self, counter: int) -> None:
        for unfinished in (self._open, self._exercises):
            if counter in unfinished:
                unfinished.remove(counter)
