# SPDX-License-Identifier: Apache-2.0
"""Commands, answers and broadcasts of a gateway on their way to the boxes, each as a job with a state per box.

1. A job is repeated with growing pauses until every box it is for has answered, or its attempts or its time are used
   up.
2. A repetition carries the same counter, so that a box answers again and does not act again. After RENEW_AFTER
   attempts a job to one box takes a new counter, because a box that was restarted in between refuses counters it
   cannot judge.
3. A broadcast that boxes answer is sent to all a few times. Once most have answered, the others are asked one by one,
   because all that hear a repetition may answer it.
4. A box that holds some fragments of a command says so, and the next attempt carries only the others.
5. Finished jobs are kept for a while to be asked about, then forgotten, oldest first.
6. Answers without a text that tell one box the same stage of the same station share a message, and such messages keep
   a distance once there were a few: after days without the city, thousands come back within minutes.

Not here: one job and its states (downlink_job.py), receipts (gateway_endpoint.py), when a person wants a command.
Called by gateway_endpoint.py.
"""

from kiezbox.protocol import broadcast_inbox, envelope, events, gateway_wire, messages, priority
from kiezbox.protocol.downlink_job import (
    ATTEMPTS_MAX,
    CONFIRMED,
    EXPIRED,
    FIRST_PAUSE_MS,
    QUEUED,
    REFUSED,
    Job,
)
from kiezbox.protocol.fragment import COUNT_MAX, split
from kiezbox.protocol.messages import MessageError
from kiezbox.protocol.replay import GATEWAY_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from kiezbox.protocol.counter import ReservedCounter
    from kiezbox.protocol.gateway_box import GatewayBox
    from kiezbox.protocol.messages import Message
    from kiezbox.protocol.random_bits import RandomBits

COUNTER_LAST = (1 << GATEWAY_SHIFT) - 1
"""A gateway's last number; the bits above are which gateway it is, see replay.py."""

RENEW_AFTER = 4
JOBS_MAX = 512
BROADCAST_ATTEMPTS = 6

ASKED_AT_ONCE = 4

STAGES_AT_ONCE = 3
"""So many messages that only tell stages go at once; then one in STAGE_PAUSE_MS, repetitions too. Faster, in a mesh of
a hundred boxes, confirmations come too late, and what is repeated for that takes more air than what is told."""
STAGE_PAUSE_MS = 20_000
ALSO_MAX = 20
"""Further calls in one answer; messages.py takes no more."""

_CAST_PART_MAX = envelope.PAYLOAD_LENGTH_MAX - envelope.BROADCAST_HEADER_LENGTH
_CAST_FIRST_MAX = _CAST_PART_MAX - envelope.SIGNATURE_LENGTH


class Downlink:
    """All jobs of one gateway. counter: numbers for all that it sends down."""

    def __init__(
        self,
        random: "RandomBits",
        counter: "ReservedCounter",
        sign: "Callable[[bytes], bytes] | None",
        key_id: int,
        gateway_number: int = 0,
    ) -> None:
        self.jobs: dict[int, Job] = {}
        self.counter = counter
        self._random = random
        self._sign = sign
        self._key_id = key_id
        self._gateway_number = gateway_number
        self._last_job = 0
        self._stages_ms = -(1 << 29)
        """From when on a message may go that only tells stages (rule 6)."""

    def command(self, node_num: int, kind: str, message: "Message", now_ms: int) -> int:
        """A sealed message to one box; returns the job. Raises MessageError."""
        number = _downlink_kind(kind)
        if len(messages.encode(number, message)) > COUNT_MAX * envelope.DOWNLINK_PART_MAX:
            raise MessageError("message_too_long")
        job = self._new_job(number, message, node_num, now_ms)
        job.boxes[node_num] = QUEUED
        return job.number

    def broadcast(self, kind: str, message: "Message", boxes: "dict[int, GatewayBox]", now_ms: int) -> int:
        """A signed message to all boxes; returns the job. Raises MessageError; ValueError without a signing key."""
        if self._sign is None:
            raise ValueError("no signing key: this gateway cannot broadcast")
        number = _downlink_kind(kind)
        if number in envelope.FOR_ONE_BOX:
            raise MessageError("kind_not_for_scheme", kind)
        for name in messages.NEVER_BROADCAST:
            if number == envelope.CONFIGURATION and message.get(name) is not None:
                raise MessageError("only_for_one_box", name)
        if len(messages.encode(number, message)) > _CAST_FIRST_MAX + (COUNT_MAX - 1) * (
            _CAST_PART_MAX - broadcast_inbox.HASH_LENGTH
        ):
            raise MessageError("message_too_long")
        job = self._new_job(number, message, None, now_ms)
        job.attempts_max = BROADCAST_ATTEMPTS
        if number == envelope.TIME:
            # A beacon is only worth something while it is true.
            job.attempts_max = 1
        if number == envelope.MODE:
            job.attempts_max = ATTEMPTS_MAX
            scope = message.get("scope") or 0
            for node_num in boxes:
                if scope != 2 or message.get("box") == node_num:
                    job.boxes[node_num] = QUEUED
        return job.number

    def forget_box(self, node_num: int) -> None:
        """The box was revoked: nothing more is sent to it, and no job waits for it."""
        for job in self.jobs.values():
            job.boxes.pop(node_num, None)
            if job.node_num == node_num:
                job.give_up()

    def due_ms(self) -> "list[int]":
        """When the open jobs may go."""
        return [self._may_go_ms(job) for job in self.jobs.values() if job.open()]

    def _may_go_ms(self, job: Job) -> int:
        """When it is due, and if it only tells a stage, at its distance from the last such message (rule 6)."""
        return max(job.due_ms, self._stages_ms) if job.tells_stage() else job.due_ms

    def poll(self, boxes: "dict[int, GatewayBox]", now_ms: int, jobs_max: "int | None" = None) -> "list[Any]":
        """Send actions that are due: of so many jobs at most, those first that have been due for longest."""
        actions: list[Any] = []
        due = []
        for job in self.jobs.values():
            if job.due_ms <= now_ms and (not job.open() or (job.kind == envelope.TIME and job.late(now_ms))):
                job.give_up()
            elif self._may_go_ms(job) <= now_ms:
                due.append((job.due_ms, job.number))
        for _, number in sorted(due)[:jobs_max]:
            job = self.jobs[number]
            if self._may_go_ms(job) > now_ms:
                continue  # It has just gone in another one's message, or has to wait after one.
            together = self._together(job, now_ms)
            silent = job.silent()
            if silent:
                if not self._ask_each(job, boxes, silent):
                    continue
            elif (
                not job.payloads
                or (job.attempt % RENEW_AFTER == 0 and not job.answered_by_all())
                or any(other.counters != job.counters for other in together)
            ):
                if not self.counter.available():
                    continue
                self._encode_job(job, boxes, together)
            for index, payload in enumerate(job.payloads):
                if job.wanted >> index & 1:
                    actions.append(events.Send(payload, priority.COMMAND, job.number))
            jitter_ms = self._random.below(FIRST_PAUSE_MS // 2)
            for one in together:
                one.sent(now_ms, jitter_ms)
            if job.tells_stage():
                burst_ms = now_ms - (STAGES_AT_ONCE - 1) * STAGE_PAUSE_MS
                self._stages_ms = max(self._stages_ms, burst_ms) + STAGE_PAUSE_MS
        return actions

    def _together(self, job: Job, now_ms: int) -> "list[Job]":
        """This job first, then those that are due as well and can share its message (rule 6)."""
        together = [job]
        if job.tells_stage():
            for other in self.jobs.values():
                due = other is not job and other.due_ms <= now_ms
                if due and other.tells_stage() and other.shares_with(job) and other.open():
                    together.append(other)
        return together

    def _ask_each(self, job: Job, boxes: "dict[int, GatewayBox]", silent: "list[int]") -> bool:
        """The next payloads of a broadcast: the same message, sealed, for a few silent boxes in turn."""
        body = messages.encode(job.kind, job.message)
        payloads: list[bytes] = []
        for step in range(min(ASKED_AT_ONCE, len(silent))):
            if not self.counter.available():
                break
            node_num = silent[(job.attempt * ASKED_AT_ONCE + step) % len(silent)]
            job.counters.append(self._take_counter())
            payloads += self._sealed(boxes[node_num], job.kind, job.counters[-1], body)
        if payloads:
            job.payloads = payloads
            job.wanted = (1 << len(payloads)) - 1
        return bool(payloads)

    def _sealed(self, box: "GatewayBox", kind: int, counter: int, body: bytes) -> "list[bytes]":
        keys = box.keys[0]
        parts = split(envelope.seal(keys, box.node_num, kind, counter, body), envelope.DOWNLINK_PART_MAX)
        return [
            gateway_wire.encode_downlink(keys, box.node_num, kind, counter, index, len(parts), part)
            for index, part in enumerate(parts)
        ]

    def _new_job(self, kind: int, message: "Message", node_num: "int | None", now_ms: int) -> Job:
        self._last_job += 1
        # A copy: what was judged is what is sent, whatever the caller does with its own.
        job = Job(self._last_job, kind, dict(message), node_num, now_ms)
        self.jobs[job.number] = job
        for number in [number for number, job in self.jobs.items() if not job.open()]:
            if len(self.jobs) <= JOBS_MAX:
                break
            del self.jobs[number]
        return job

    def _take_counter(self) -> int:
        return self._gateway_number << GATEWAY_SHIFT | self.counter.take()

    def is_of_another(self, counter: int) -> bool:
        """Whether somebody else has used a number of this gateway's that it has not used yet itself."""
        return counter >> GATEWAY_SHIFT == self._gateway_number and counter & COUNTER_LAST >= self.counter.next_number()

    def _encode_job(self, job: Job, boxes: "dict[int, GatewayBox]", together: "list[Job]") -> None:
        """together: `job` and what shall share its message; what has no room is taken out."""
        counter = self._take_counter()
        body = _stages_body(together) if len(together) > 1 else messages.encode(job.kind, job.message)
        if job.node_num is None:
            payloads = self._encode_broadcast(job.kind, counter, body)
        else:
            payloads = self._sealed(boxes[job.node_num], job.kind, counter, body)
        for one in together:
            one.counters.append(counter)
            one.payloads = payloads
            one.wanted = (1 << len(payloads)) - 1

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

    def note_result(self, node_num: int, message: "Message", now_ms: int) -> None:
        """A box has said what it did with a command."""
        for job in self.jobs.values():
            if message.get("refers_to") in job.counters and node_num in job.boxes:
                result = message.get("result")
                if result == 4:
                    held = message.get("fragments") or 0
                    job.wanted = ((1 << len(job.payloads)) - 1) & ~held or job.wanted
                    job.due_ms = min(job.due_ms, now_ms)
                elif result in (0, 1):
                    job.boxes[node_num] = CONFIRMED
                    if message.get("detail"):
                        job.details[node_num] = message["detail"]
                else:
                    job.boxes[node_num] = EXPIRED if result == 3 else REFUSED
                    job.details[node_num] = message.get("detail") or str(result)


def _stages_body(together: "list[Job]") -> bytes:
    """One answer for as many calls of a box as one frame holds; jobs that it has no room for are taken out."""
    del together[1 + ALSO_MAX :]
    while True:
        first = together[0].message
        message: Message = {name: first[name] for name in ("refers_to", "stage", "station", "time_s") if name in first}
        message["also"] = [
            {"refers_to": job.message["refers_to"], "later_s": job.message["time_s"] - first["time_s"]}
            for job in together[1:]
        ]
        body = messages.encode(envelope.REPLY, message)
        if len(body) <= envelope.DOWNLINK_PART_MAX:
            return body
        together.pop()


def _downlink_kind(kind: str) -> int:
    number = envelope.kind_number(kind)
    if number <= envelope.RECEIPT:
        raise MessageError("unknown_kind", kind)
    return number
