# SPDX-License-Identifier: Apache-2.0
"""The gateway's end of the Kiezbox protocol: proves and opens what boxes send, answers with receipts, carries commands
down.

1. A message counts only if the box is known, not revoked, and its tag fits; everything else is Rejected with a reason.
2. Handing a message out is no receipt. A receipt is made by `acknowledge`, which the owner calls after its store
   committed.
3. A message heard again is handed out again with duplicate_hint; the owner's store decides by the message's number.
   If its receipt was given before, it is given again.
4. Receipts for calls go out at once and take everything with them that is owed; readings wait to be acknowledged
   together.
5. Downlink counters come from a reserved block: before the first Persist was confirmed nothing is sent down except
   receipts.

Not here: SQLite, the radio, MQTT (kiezbox_gateway). Runs on CPython; its tests run on both interpreters.
"""

from collections import namedtuple

from kiezbox.protocol import broadcast_inbox, downlink, envelope, events, gateway_wire, messages, priority
from kiezbox.protocol.box_keys import BoxKeys
from kiezbox.protocol.counter import ReservedCounter
from kiezbox.protocol.downlink import Job
from kiezbox.protocol.envelope import Envelope, EnvelopeError
from kiezbox.protocol.fragment import Assembler, split
from kiezbox.protocol.gateway_box import GatewayBox
from kiezbox.protocol.messages import MessageError
from kiezbox.protocol.random_bits import RandomBits
from kiezbox.protocol.replay import SEEN, TOO_OLD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from kiezbox.protocol.messages import Message

Received = namedtuple("Received", ("node_num", "counter", "kind", "message", "duplicate_hint"))  # noqa: PYI024
"""A whole proven message. kind: its name, e.g. "emergency". duplicate_hint: it was handed out before by this object."""

Progress = namedtuple("Progress", ("node_num", "counter", "kind", "held", "count"))  # noqa: PYI024
"""A proven fragment of a message that is not whole yet; held: bit field of the fragments that are here."""

Rejected = namedtuple("Rejected", ("reason",))  # noqa: PYI024

READINGS_PAUSE_MS = 300_000
"""Readings are acknowledged this long after the first that is owed, or along with any earlier receipt."""

FRAGMENTS_PAUSE_MS = 6_000
"""How long after the last fragment of a call the missing ones are asked for; several frames' time in a flood."""

BROADCAST_ATTEMPTS = 6
_CALLS = (envelope.EMERGENCY, envelope.EXERCISE, envelope.BUTTON)
_ANSWERED = (envelope.MODE,)
_DOWN_PART_MAX = envelope.DOWNLINK_PART_MAX
_CAST_PART_MAX = envelope.PAYLOAD_LENGTH_MAX - envelope.BROADCAST_HEADER_LENGTH
_CAST_FIRST_MAX = _CAST_PART_MAX - envelope.SIGNATURE_LENGTH


class GatewayEndpoint:
    """See the rules above. `counters` counts rejections by reason."""

    def __init__(
        self,
        entropy: bytes,
        sign: "Callable[[bytes], bytes] | None" = None,
        key_id: int = 1,
        saved: "dict[str, Any] | None" = None,
    ) -> None:
        """sign: makes the 64-byte Ed25519 signature of a message; without it nothing can be broadcast.

        saved: what was persisted before, by name.
        """
        self.counters: dict[str, int] = {}
        self.jobs: dict[int, Job] = {}
        self._boxes: dict[int, GatewayBox] = {}
        self._revoked: set[int] = set()
        self._sign = sign
        self._key_id = key_id
        self._random = RandomBits(entropy, b"gateway endpoint")
        self._counter = ReservedCounter((saved or {}).get("down_counter_reserved") or 0)
        self._assembler = Assembler(64, 64 * 1024, 1_800_000)
        self._fragments_due: dict[tuple[int, int], int] = {}
        self._last_job = 0

    # Boxes

    def add_box(
        self,
        node_num: int,
        root_key: bytes,
        highest_counter: int = 0,
        readings: "Iterable[int]" = (),
        readings_complete_below: int = 0,
    ) -> None:
        """Know a box. highest_counter: the highest ever stored from it. readings: sequence numbers of stored readings,
        and all below readings_complete_below are stored. Raises ValueError for a key that has not 32 bytes."""
        box = GatewayBox(node_num, root_key, highest_counter)
        box.hold_readings(readings, readings_complete_below)
        self._boxes[node_num] = box
        self._revoked.discard(node_num)

    def revoke_box(self, node_num: int) -> None:
        """Refuse all that this box sends from now on, and send it nothing; other boxes are not touched."""
        self._boxes.pop(node_num, None)
        self._revoked.add(node_num)
        for job in self.jobs.values():
            job.boxes.pop(node_num, None)
            if job.node_num == node_num:
                job.give_up()

    def rotate_box(self, node_num: int, new_root_key: bytes, now_ms: int) -> int:
        """Give a box a new root key, over the air, sealed under the old one. Returns the job.

        Both keys are accepted until the box has used the new one. Raises KeyError for an unknown box, ValueError.
        """
        box = self._boxes[node_num]
        job = self.command(node_num, "configuration", {"root_key": new_root_key}, now_ms)
        box.keys[1:] = [BoxKeys(new_root_key)]
        return job

    # Up

    def receive(self, from_node: int, payload: bytes, now_ms: int) -> "Received | Progress | Rejected":
        """Judge a payload of the private port that came from node `from_node`."""
        try:
            return self._receive(from_node, Envelope(payload), now_ms)
        except (EnvelopeError, MessageError) as error:
            self.counters[error.reason] = self.counters.get(error.reason, 0) + 1
            return Rejected(error.reason)

    def _receive(self, from_node: int, received: Envelope, now_ms: int) -> "Received | Progress":
        if received.scheme not in (envelope.UPLINK, envelope.UPLINK_SEALED):
            raise EnvelopeError("not_an_uplink")
        box = self._boxes.get(from_node)
        if box is None:
            raise EnvelopeError("revoked_box" if from_node in self._revoked else "unknown_box")
        key = box.proven_by(received)
        if key is None:
            raise EnvelopeError("false_tag")
        counter = received.counter
        freshness = box.window.judge(counter)
        if freshness == TOO_OLD:
            raise EnvelopeError("counter_too_old")
        whole = (from_node, counter, received.kind, key)
        if freshness == SEEN and received.count > 1 and counter in box.stages:
            # All fragments were here before; one of them is enough to see that the receipt was not heard.
            self._owe_stage(box, counter, box.stages[counter])
            return Progress(
                from_node, counter, envelope.KIND_NAMES[received.kind], (1 << received.count) - 1, received.count
            )
        try:
            body = self._assembler.add(whole, received.index, received.count, received.body, now_ms)
        except ValueError:
            raise EnvelopeError("fragment_mismatch")
        if body is None:
            held = self._assembler.held(whole)
            box.owed_fragments.pop(counter, None)
            self._fragments_due[(from_node, counter)] = now_ms + FRAGMENTS_PAUSE_MS
            return Progress(from_node, counter, envelope.KIND_NAMES[received.kind], held, received.count)
        if received.kind not in envelope.IN_THE_CLEAR:
            body = envelope.seal(box.keys[key], from_node, received.kind, counter, body)
        message = messages.decode(received.kind, body)
        self._fragments_due.pop((from_node, counter), None)
        box.owed_fragments.pop(counter, None)
        box.remember(counter, received.kind, message.get("sequence") or 0)
        if key:
            del box.keys[:key]
        if counter in box.stages:
            self._owe_stage(box, counter, box.stages[counter])
        if received.kind == envelope.COMMAND_RESULT:
            self._note_result(from_node, message, now_ms)
        return Received(from_node, counter, envelope.KIND_NAMES[received.kind], message, freshness == SEEN)

    # Receipts

    def acknowledge(self, node_num: int, counter: int, stage: int, now_ms: int) -> bool:
        """The message is stored for good (stage 2), or has reached a later stage: the box shall know.

        True if a receipt will go out; health, queries and command results get none.
        """
        box = self._boxes.get(node_num)
        if box is None:
            return False
        kind, sequence = box.kinds.get(counter, (0, 0))
        if kind == envelope.READING:
            if not sequence:
                return False
            box.hold_readings((sequence,))
            if box.owed_readings_since_ms is None:
                box.owed_readings_since_ms = now_ms
            return True
        if kind and kind not in _CALLS:
            return False
        box.stages[counter] = max(stage, box.stages.get(counter, 0))
        if len(box.stages) > 256:
            del box.stages[min(box.stages)]
        self._owe_stage(box, counter, stage)
        return True

    def _owe_stage(self, box: GatewayBox, counter: int, stage: int) -> None:
        box.owed_stages[counter] = max(stage, box.owed_stages.get(counter, 0))

    def _take_receipts(self, now_ms: int) -> "list[bytes]":
        for (node_num, counter), due_ms in list(self._fragments_due.items()):
            if due_ms <= now_ms:
                del self._fragments_due[(node_num, counter)]
                self._ask_for_fragments(node_num, counter)
        urgent = False
        for box in self._boxes.values():
            since_ms = box.owed_readings_since_ms
            if (
                box.owed_stages
                or box.owed_fragments
                or (since_ms is not None and now_ms - since_ms >= READINGS_PAUSE_MS)
            ):
                urgent = True
        if not urgent:
            return []
        payloads = []
        entries = b""
        room = envelope.PAYLOAD_LENGTH_MAX - 2
        # Calls first, so that they share the first frame.
        for box in sorted(self._boxes.values(), key=lambda box: not (box.owed_stages or box.owed_fragments)):
            while box.owes():
                items = box.take_items(room - len(entries) - gateway_wire.ENTRY_OVERHEAD)
                if items:
                    entries += gateway_wire.encode_entry(box.keys[0], box.node_num, items)
                elif entries:
                    payloads.append(gateway_wire.encode_payload(entries))
                    entries = b""
                else:
                    break
        if entries:
            payloads.append(gateway_wire.encode_payload(entries))
        return payloads

    def _ask_for_fragments(self, node_num: int, counter: int) -> None:
        box = self._boxes.get(node_num)
        if box is None:
            return
        for whole in self._assembler.waiting():
            if whole[:2] == (node_num, counter):  # type: ignore[index]
                box.owed_fragments[counter] = self._assembler.held(whole)

    # Down

    def reply(self, node_num: int, message: "Message", now_ms: int) -> int:
        """Send an answer or the detail of a stage to one box; returns the job. Raises KeyError, MessageError."""
        return self.command(node_num, "reply", message, now_ms)

    def command(self, node_num: int, kind: str, message: "Message", now_ms: int) -> int:
        """Send a sealed message ("reply", "configuration", "mode" ...) to one box; returns the job."""
        if node_num not in self._boxes:
            raise KeyError(node_num)
        number = _downlink_kind(kind)
        messages.encode(number, message)
        job = self._new_job(number, message, node_num, now_ms)
        job.boxes[node_num] = downlink.QUEUED
        return job.number

    def broadcast(self, kind: str, message: "Message", now_ms: int) -> int:
        """Send a signed message ("mode", "bulletin", "time", "manifest", "configuration") to all boxes; returns the
        job.

        Raises MessageError; ValueError without a signing key.
        """
        if self._sign is None:
            raise ValueError("no signing key: this gateway cannot broadcast")
        number = _downlink_kind(kind)
        if len(messages.encode(number, message)) > _CAST_FIRST_MAX + 7 * (_CAST_PART_MAX - broadcast_inbox.HASH_LENGTH):
            raise MessageError("message_too_long")
        job = self._new_job(number, message, None, now_ms)
        job.attempts_max = BROADCAST_ATTEMPTS
        if number == envelope.TIME:
            # A beacon is only worth something while it is true.
            job.attempts_max = 1
        if number in _ANSWERED:
            job.attempts_max = downlink.ATTEMPTS_MAX
            scope = message.get("scope") or 0
            for node_num in self._boxes:
                if scope != 2 or message.get("box") == node_num:
                    job.boxes[node_num] = downlink.QUEUED
        return job.number

    def job_states(self, number: int) -> "dict[int, str]":
        """State by box of a job; empty for a broadcast that no box answers. Raises KeyError for one that is
        forgotten."""
        return dict(self.jobs[number].boxes)

    def cancel_job(self, number: int) -> None:
        """Send it no more."""
        self.jobs[number].give_up()

    def _new_job(self, kind: int, message: "Message", node_num: "int | None", now_ms: int) -> Job:
        self._last_job += 1
        job = Job(self._last_job, kind, message, node_num, now_ms)
        self.jobs[job.number] = job
        for number in [number for number, job in self.jobs.items() if not job.open()]:
            if len(self.jobs) <= downlink.JOBS_MAX:
                break
            del self.jobs[number]
        return job

    def _encode_job(self, job: Job) -> None:
        counter = self._counter.take()
        job.counters.append(counter)
        body = messages.encode(job.kind, job.message)
        if job.node_num is None:
            job.payloads = self._encode_broadcast(job.kind, counter, body)
        else:
            keys = self._boxes[job.node_num].keys[0]
            sealed = envelope.seal(keys, job.node_num, job.kind, counter, body)
            parts = split(sealed, _DOWN_PART_MAX)
            job.payloads = [
                gateway_wire.encode_downlink(keys, job.node_num, job.kind, counter, index, len(parts), part)
                for index, part in enumerate(parts)
            ]
        job.wanted = (1 << len(job.payloads)) - 1

    def _encode_broadcast(self, kind: int, counter: int, body: bytes) -> "list[bytes]":
        if self._sign is None:
            raise ValueError("no signing key: this gateway cannot broadcast")
        count = 1
        while len(body) > _CAST_FIRST_MAX + (count - 1) * (_CAST_PART_MAX - broadcast_inbox.HASH_LENGTH):
            count += 1
        first = max(0, len(body) - (count - 1) * _CAST_PART_MAX)
        others = []
        hashes = b""
        for index, part in enumerate(split(body[first:], _CAST_PART_MAX) if count > 1 else []):
            payload = gateway_wire.broadcast_header(kind, self._key_id, counter, index + 1, count) + part
            others.append(payload)
            hashes += broadcast_inbox.fragment_hash(payload)
        opening = gateway_wire.encode_broadcast(self._sign, kind, self._key_id, counter, count, hashes + body[:first])
        return [opening] + others

    def _note_result(self, node_num: int, message: "Message", now_ms: int) -> None:
        for job in self.jobs.values():
            if message.get("refers_to") in job.counters and node_num in job.boxes:
                result = message.get("result")
                if result == 4:
                    held = message.get("fragments") or 0
                    job.wanted = ((1 << len(job.payloads)) - 1) & ~held or job.wanted
                    job.due_ms = min(job.due_ms, now_ms)
                elif result in (0, 1):
                    job.boxes[node_num] = downlink.CONFIRMED
                else:
                    job.boxes[node_num] = downlink.EXPIRED if result == 3 else downlink.REFUSED
                    job.details[node_num] = message.get("detail") or str(result)

    # Driving

    def poll(self, now_ms: int) -> "list[Any]":
        """Send and Persist actions that are due, in the order they should go out."""
        actions: list[Any] = []
        wanted = self._counter.wanted()
        if wanted:
            actions.append(events.Persist("down_counter_reserved", wanted))
        self._assembler.expire(now_ms)
        for payload in self._take_receipts(now_ms):
            actions.append(events.Send(payload, priority.RECEIPT, 0))
        for job in list(self.jobs.values()):
            if job.due_ms <= now_ms and job.open():
                if not job.payloads or (job.node_num is not None and job.attempt % downlink.RENEW_AFTER == 0):
                    if not self._counter.available():
                        continue
                    self._encode_job(job)
                for index, payload in enumerate(job.payloads):
                    if job.wanted >> index & 1:
                        actions.append(events.Send(payload, priority.COMMAND, job.number))
                job.sent(now_ms, self._random.below(downlink.FIRST_PAUSE_MS // 2))
                if not job.open():
                    job.due_ms = now_ms + downlink.FIRST_PAUSE_MS
            elif job.due_ms <= now_ms:
                job.give_up()
        return actions

    def next_wakeup_ms(self, now_ms: int) -> "int | None":
        """When `poll` has something to do; None if only a received payload or a call can bring work."""
        due = list(self._fragments_due.values())
        for box in self._boxes.values():
            if box.owed_stages or box.owed_fragments:
                return now_ms
            if box.owed_readings_since_ms is not None:
                due.append(box.owed_readings_since_ms + READINGS_PAUSE_MS)
        for job in self.jobs.values():
            if job.open():
                due.append(job.due_ms)
        if not due:
            return None
        return max(now_ms, min(due))

    def persisted(self, name: str, value: object) -> None:
        """The value is on disk."""
        if name == "down_counter_reserved" and isinstance(value, int):
            self._counter.persisted(value)


def _downlink_kind(kind: str) -> int:
    number = envelope.kind_number(kind)
    if number <= envelope.RECEIPT:
        raise MessageError("unknown_kind", kind)
    return number
