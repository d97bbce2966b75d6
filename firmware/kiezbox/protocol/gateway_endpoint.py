# SPDX-License-Identifier: Apache-2.0
"""The gateway's end of the Kiezbox protocol: proves and opens what boxes send, answers with receipts, carries commands
down.

1. A message counts only if the box is known, not revoked, and its tag fits; everything else is Rejected with a reason.
2. Handing a message out is no receipt. A receipt is made by `acknowledge`, which the owner calls after its store
   committed.
3. A message heard again is handed out again with duplicate_hint; the owner's store decides by the message's number.
   If its receipt was given before, it is given again. A stored reading keeps its number even if it comes under another.
   A call is handed out however old its counter: a box keeps it until somebody has it, and may have sent thousands of
   readings meanwhile.
4. Receipts for calls go out at once and take everything with them that is owed; readings wait to be acknowledged
   together.
5. Of several gateways that heard the same, one need say so: where another one's receipts were heard lately, those for
   calls wait a moment, and what another one has told is owed no longer. A call that comes again is always answered.
6. Downlink counters come from a reserved block: before the first Persist was confirmed nothing is sent down except
   receipts. Each gateway of a district has a number, which makes its counters its own. That another one uses them is
   noticed when it is heard.
7. A call whose body cannot be decoded is handed out with what can be read of it and all its bytes: it is proven, and
   nobody else will come to help. Other messages of that sort are refused.

Not here: SQLite, the radio, MQTT (kiezbox_gateway). Runs on CPython; its tests run on both interpreters.
"""

from collections import namedtuple

from kiezbox.protocol import envelope, events, gateway_wire, messages, priority, receipt
from kiezbox.protocol.counter import ReservedCounter
from kiezbox.protocol.downlink import COUNTER_LAST, Downlink
from kiezbox.protocol.downlink_job import Job
from kiezbox.protocol.envelope import Envelope, EnvelopeError
from kiezbox.protocol.fragment import Assembler
from kiezbox.protocol.gateway_box import GatewayBox
from kiezbox.protocol.messages import MessageError
from kiezbox.protocol.random_bits import RandomBits
from kiezbox.protocol.replay import GATEWAYS_MAX, SEEN, TOO_OLD

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

OTHERS_SPREAD_MS = 5_000
"""Where there are other gateways, receipts for calls go out within this time, each gateway's at its own moment."""

OTHERS_MS = 6 * 3_600_000
"""Another gateway counts as being there for so long after its last receipts."""

_CALLS = (envelope.EMERGENCY, envelope.EXERCISE, envelope.BUTTON)


class GatewayEndpoint:
    """See the rules above. `counters` counts rejections by reason."""

    def __init__(
        self,
        entropy: bytes,
        sign: "Callable[[bytes], bytes] | None" = None,
        key_id: int = 1,
        saved: "dict[str, Any] | None" = None,
        number: int = 0,
    ) -> None:
        """sign: makes the 64-byte Ed25519 signature of a message; without it nothing can be broadcast.

        saved: what was persisted before, by name. number: 0 to 7, of each gateway of a district another one: they share
        the boxes' keys, and a counter used twice would give away what both messages say. Raises ValueError.
        """
        if not 0 <= number < GATEWAYS_MAX:
            raise ValueError("a gateway's number is 0 to 7")
        self.counters: dict[str, int] = {}
        self._boxes: dict[int, GatewayBox] = {}
        self._revoked: set[int] = set()
        counter = ReservedCounter((saved or {}).get("down_counter_reserved") or 0, last=COUNTER_LAST)
        self._random = RandomBits(entropy, b"gateway receipts")
        self._others_until_ms = 0
        self._stages_due_ms: int | None = None
        self._downlink = Downlink(RandomBits(entropy, b"gateway endpoint"), counter, sign, key_id, number)
        self._assembler = Assembler(64, 64 * 1024, 1_800_000)
        self._fragments_due: dict[tuple[int, int], int] = {}

    @property
    def jobs(self) -> "dict[int, Job]":
        """Commands and broadcasts by number, see downlink_job.py."""
        return self._downlink.jobs

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
        self._downlink.forget_box(node_num)

    def rotate_box(self, node_num: int, new_root_key: bytes, now_ms: int) -> int:
        """Give a box a new root key, over the air, sealed under the old one. Returns the job.

        Both keys are accepted until the box has used the new one. Raises KeyError for an unknown box, ValueError.
        """
        self._boxes[node_num].expect_key(new_root_key)
        return self.command(node_num, "configuration", {"root_key": new_root_key}, now_ms)

    def is_changing_key(self, node_num: int) -> bool:
        """Whether a box has been offered a new root key that it has not used yet. Raises KeyError."""
        return len(self._boxes[node_num].keys) > 1

    # Up

    def receive(self, from_node: int, payload: bytes, now_ms: int) -> "Received | Progress | Rejected":
        """Judge a payload of the private port that came from node `from_node`."""
        try:
            return self._receive(from_node, Envelope(payload), now_ms)
        except (EnvelopeError, MessageError) as error:
            self.counters[error.reason] = self.counters.get(error.reason, 0) + 1
            return Rejected(error.reason)

    def _receive(self, from_node: int, received: Envelope, now_ms: int) -> "Received | Progress":
        if received.scheme == envelope.RECEIPTS:
            self._overhear(received.body, now_ms)
        if received.scheme == envelope.DOWNLINK:
            self._overhear_command(received)
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
        if freshness == TOO_OLD and received.kind not in _CALLS:
            raise EnvelopeError("counter_too_old")
        whole = (from_node, counter, received.kind, key)
        if freshness == SEEN and received.count > 1 and counter in box.stages:
            # All fragments were here before; one of them is enough to see that the receipt was not heard.
            self._owe_again(box, counter, now_ms)
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
        message = self._decode(received.kind, body)
        self._fragments_due.pop((from_node, counter), None)
        box.owed_fragments.pop(counter, None)
        sequence = message.get("sequence") or 0
        if received.kind == envelope.READING and box.holds_reading(sequence):
            first = box.counter_of_reading(sequence)
            if first != counter:
                return self._held_reading(box, counter, first, message, now_ms)
        known = freshness == SEEN or counter in box.kinds
        box.remember(counter, received.kind, sequence)
        if key:
            del box.keys[:key]
        if counter in box.stages:
            self._owe_again(box, counter, now_ms)
        if received.kind == envelope.COMMAND_RESULT:
            self._downlink.note_result(from_node, message, now_ms)
        return Received(from_node, counter, envelope.KIND_NAMES[received.kind], message, known)

    def _decode(self, kind: int, body: bytes) -> "Message":
        try:
            return messages.decode(kind, body)
        except MessageError as error:
            if kind not in _CALLS:
                raise
            self.counters[error.reason] = self.counters.get(error.reason, 0) + 1
            from kiezbox.protocol import readable  # Loaded with the first such call; there may never be one.

            return readable.part_of(kind, body)

    def _held_reading(self, box: GatewayBox, counter: int, first: int, message: "Message", now_ms: int) -> "Received":
        """A reading that is stored came again under another counter: it keeps its first one, and is stored once."""
        box.window.mark(counter)
        if box.owed_readings_since_ms is None:
            box.owed_readings_since_ms = now_ms
        if not first:
            raise EnvelopeError("reading_held")
        return Received(box.node_num, first, "reading", message, True)

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
        self._owe_stage(box, counter, stage, now_ms)
        return True

    def _owe_stage(self, box: GatewayBox, counter: int, stage: int, now_ms: int) -> None:
        box.owed_stages[counter] = max(stage, box.owed_stages.get(counter, 0))
        if self._stages_due_ms is None:
            there = now_ms < self._others_until_ms
            self._stages_due_ms = now_ms + (self._random.below(OTHERS_SPREAD_MS) if there else 0)

    def _owe_again(self, box: GatewayBox, counter: int, now_ms: int) -> None:
        """The box has not heard its receipt, whoever gave one."""
        box.insisted.add(counter)
        self._owe_stage(box, counter, box.stages[counter], now_ms)

    def _overhear(self, body: bytes, now_ms: int) -> None:
        """Another gateway's receipts (rule 5)."""
        for box in self._boxes.values():
            for items in receipt.own_items(box.keys, box.node_num, body):
                self._others_until_ms = now_ms + OTHERS_MS
                for item in receipt.decode_items(items):
                    box.told_by_another(item)
        if not any(box.owed_stages for box in self._boxes.values()):
            self._stages_due_ms = None

    def _overhear_command(self, received: Envelope) -> None:
        """Another gateway's command (rule 6)."""
        box = self._boxes.get(received.box)
        if (
            box is not None
            and self._downlink.is_of_another(received.counter)
            and any(envelope.authentic(keys, box.node_num, received) for keys in box.keys)
        ):
            self.counters["gateway_number_taken"] = self.counters.get("gateway_number_taken", 0) + 1

    def _take_receipts(self, now_ms: int) -> "list[bytes]":
        for (node_num, counter), due_ms in list(self._fragments_due.items()):
            if due_ms <= now_ms:
                del self._fragments_due[(node_num, counter)]
                self._ask_for_fragments(node_num, counter)
        urgent = False
        for box in self._boxes.values():
            since_ms = box.owed_readings_since_ms
            if (
                (box.owed_stages and now_ms >= (self._stages_due_ms or 0))
                or box.owed_fragments
                or (since_ms is not None and now_ms - since_ms >= READINGS_PAUSE_MS)
            ):
                urgent = True
        if not urgent:
            return []
        self._stages_due_ms = None
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
        """Send a sealed message ("reply", "configuration", "mode" ...) to one box; returns the job.

        Raises KeyError for an unknown box, MessageError.
        """
        return self._downlink.command(self._boxes[node_num].node_num, kind, message, now_ms)

    def broadcast(self, kind: str, message: "Message", now_ms: int) -> int:
        """Send a signed message ("mode", "bulletin", "time", "manifest", "configuration") to all boxes; returns the
        job.

        Raises MessageError; ValueError without a signing key.
        """
        return self._downlink.broadcast(kind, message, self._boxes, now_ms)

    def cancel_job(self, number: int) -> None:
        """Send it no more."""
        self.jobs[number].give_up()

    # Driving

    def poll(self, now_ms: int, jobs_max: "int | None" = None) -> "list[Any]":
        """Send and Persist actions that are due, in the order they should go out.

        jobs_max: of so many jobs at most, so that what cannot go out yet uses up no attempt; receipts are not counted.
        """
        actions: list[Any] = []
        wanted = self._downlink.counter.wanted()
        if wanted:
            actions.append(events.Persist("down_counter_reserved", wanted))
        self._assembler.expire(now_ms)
        for payload in self._take_receipts(now_ms):
            actions.append(events.Send(payload, priority.RECEIPT, 0))
        actions += self._downlink.poll(self._boxes, now_ms, jobs_max)
        return actions

    def next_wakeup_ms(self, now_ms: int) -> "int | None":
        """When `poll` has something to do; None if only a received payload or a call can bring work."""
        due = list(self._fragments_due.values())
        for box in self._boxes.values():
            if box.owed_fragments:
                return now_ms
            if box.owed_stages:
                due.append(self._stages_due_ms or now_ms)
            if box.owed_readings_since_ms is not None:
                due.append(box.owed_readings_since_ms + READINGS_PAUSE_MS)
        due += self._downlink.due_ms()
        if not due:
            return None
        return max(now_ms, min(due))

    def persisted(self, name: str, value: object) -> None:
        """The value is on disk."""
        if name == "down_counter_reserved" and isinstance(value, int):
            self._downlink.counter.persisted(value)
