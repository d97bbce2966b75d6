# SPDX-License-Identifier: Apache-2.0
"""One box's end of the Kiezbox protocol: its messages out, the gateway's receipts and commands in.

1. A message goes out under a counter that flash has reserved. An emergency, an exercise and a button press stay in
   custody until a receipt of stage 2 or more, or until they are cancelled; all others are sent a few times.
2. A receipt counts only with this box's own tag; it can be heard twice or late.
3. A command to this box, or a signed broadcast, is proven first, then checked for freshness, then decoded. Whatever
   fails is counted by reason and changes nothing.
4. A fresh command is remembered before it is acted upon: Persist comes with or before the event.
5. A command heard again is answered again and not acted upon again.
6. New keys come in a configuration for this box alone. A new root key is used once flash holds it.

Not here: the mesh (box_node.py joins both), flash, what a mode does. Signed broadcasts: broadcast_inbox.py.
"""

from kiezbox.protocol import envelope, events, messages, priority, receipt
from kiezbox.protocol.box_keys import ROOT_KEY_LENGTH, BoxKeys
from kiezbox.protocol.broadcast_inbox import BroadcastInbox
from kiezbox.protocol.command_results import APPLIED, INCOMPLETE, RECEIVED, REFUSED, CommandResults
from kiezbox.protocol.constant import const
from kiezbox.protocol.counter import CounterExhausted, ReservedCounter
from kiezbox.protocol.custody import Custody, CustodyFull, Outgoing
from kiezbox.protocol.envelope import Envelope, EnvelopeError
from kiezbox.protocol.fragment import Assembler, split
from kiezbox.protocol.messages import MessageError
from kiezbox.protocol.mode_orders import ModeOrders
from kiezbox.protocol.random_bits import RandomBits
from kiezbox.protocol.replay import NEW, SEEN, GatewayWindows
from kiezbox.protocol.wall_clock import WallClock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kiezbox.protocol.messages import Message

RESULT_SPREAD_MS = 30_000
"""Boxes answer a broadcast command within this time, each at its own moment, unless their owner knows better."""

_SILENCE_MS = const(600_000)
"""A gateway that was not heard for so long may have been away."""

_CALLS_SPREAD_MS = const(60_000)
"""Once it is heard again, a box repeats its open calls within this time: so many boxes hear it at once."""

_RESULT_AGAIN_MS = const(300_000)
"""A broadcast that is heard again is answered again after this time."""

_INCOMPLETE_PAUSE_MS = const(8_000)
"""Wait this long for the other fragments of a command before asking for them."""

_WINDOW = const(64)

_CUSTODY = (envelope.EMERGENCY, envelope.EXERCISE, envelope.BUTTON)
_PRIORITIES = {
    envelope.EMERGENCY: priority.OWN_EMERGENCY,
    envelope.BUTTON: priority.OWN_EMERGENCY,
    envelope.EXERCISE: priority.COMMAND,
    envelope.COMMAND_RESULT: priority.COMMAND,
    envelope.QUERY: priority.STRANGER,
}
_QUERY_ATTEMPTS = const(3)
_KEY_ID_MAX = const(255)


class BoxEndpoint:
    """See the rules above. `counters` counts by reason what was refused or dropped."""

    def __init__(
        self,
        node_num: int,
        root_key: bytes,
        district_public_keys: "dict[int, bytes]",
        entropy: bytes,
        saved: "dict[str, Any]",
        district: "str | None" = None,
    ) -> None:
        """`saved`: what was persisted before, by name. district: this box's; None leaves district scopes to the owner.

        Raises ValueError if a key has the wrong length.
        """
        self.node_num = node_num
        self.counters: dict[str, int] = {}
        newer_key = saved.get("root_key")
        self._keys = [BoxKeys(bytes.fromhex(newer_key) if newer_key else root_key)]
        self._random = RandomBits(entropy, b"box endpoint")
        self._counter = ReservedCounter(saved.get("counter_reserved") or 0)
        self.custody = Custody(self._random)
        self._down = GatewayWindows(_WINDOW, "down_counter", saved)
        self._assembler = Assembler(2, messages.BODY_LENGTH_MAX + 256, 600_000)
        self.inbox = BroadcastInbox(district_public_keys, saved)
        self._persist: list[events.Persist] = []
        self._results = CommandResults()
        self.result_spread_ms = RESULT_SPREAD_MS
        """Within this time answers to a broadcast are spread; the more boxes share the air, the longer."""
        self._gateway_heard_ms: int | None = None
        self.orders = ModeOrders(node_num, district, saved.get("mode_epoch") or 0)
        self._clock = WallClock()

    # Up

    def take_counter(self) -> int:
        """A counter to store a message under before it is sent. Raises CounterExhausted until flash reserved a
        block."""
        return self._counter.take()

    def send(
        self, kind: str, message: "Message", now_ms: int, counter: "int | None" = None, is_new: bool = False
    ) -> int:
        """Put a message on its way; returns its counter. An old counter sends the same message again.

        is_new: a call that was never sent; another one may be parked for it, see custody.py. Raises MessageError,
        CounterExhausted, CustodyFull; then nothing changed.
        """
        number = envelope.kind_number(kind)
        if not 0 < number < envelope.RECEIPT:
            raise MessageError("unknown_kind", kind)
        body = messages.encode(number, message)
        if counter is None:
            counter = self._counter.take()
        attempts_max = 0 if number in _CUSTODY else _QUERY_ATTEMPTS if number == envelope.QUERY else 1
        rank = _PRIORITIES.get(number, priority.READING)
        if number not in envelope.IN_THE_CLEAR:
            body = envelope.seal(self._keys[0], self.node_num, number, counter, body)
        parts = split(body, envelope.UPLINK_PART_MAX)
        self.custody.hold(Outgoing(number, counter, rank, parts, attempts_max), now_ms, is_new)
        return counter

    def cancel(self, counter: int) -> bool:
        """Stop repeating a message. True if it was being repeated."""
        return self.custody.settle(counter) is not None

    def conclude(self, counter: int, result: int, detail: str, now_ms: int) -> None:
        """Tell the gateway what became of its command `counter`: 1 applied, 2 refused (detail: the key at fault)."""
        if not self._results.conclude(counter, result, detail, now_ms):
            self._count("result_forgotten")

    def set_clock(self, time_s: int, quality: int, now_ms: int) -> None:
        """What the box's clock says now and how good that is (0 none, 1 fair, 2 good); beacons are judged against
        it."""
        self._clock.set(time_s, quality, now_ms)

    # Down

    def receive(self, payload: bytes, now_ms: int) -> "list[Any]":
        """Events that a payload from the private port caused; none for one that is not for this box or not proven."""
        try:
            received = Envelope(payload)
            if received.scheme == envelope.RECEIPTS:
                return self._receive_receipts(received, now_ms)
            if received.scheme == envelope.DOWNLINK and received.box == self.node_num:
                return self._receive_command(received, now_ms)
            if received.scheme == envelope.BROADCAST:
                return self._receive_broadcast(received, now_ms)
        except (EnvelopeError, MessageError) as error:
            self._count(error.reason)
        return []

    def _receive_receipts(self, received: Envelope, now_ms: int) -> "list[Any]":
        found: list[Any] = []
        entries = receipt.own_items(self._keys, self.node_num, received.body)
        for items in [receipt.decode_items(entry) for entry in entries]:
            self._note_gateway(now_ms)
            for item in items:
                if item[0] == "stage":
                    if item[2] >= receipt.GATEWAY:
                        self.custody.settle(item[1])
                    found.append(events.StageChanged(item[1], item[2], 0, "", ""))
                elif item[0] == "fragments":
                    self.custody.repair(item[1], item[2], now_ms)
                else:
                    held = item[2]
                    found.append(events.ReadingsAcknowledged(held.upto, events.Gaps(held), held))
        return found

    def _note_gateway(self, now_ms: int) -> None:
        """Something proven and new came from a gateway: after a long silence the calls follow it (custody.py)."""
        before_ms = self._gateway_heard_ms
        self._gateway_heard_ms = now_ms
        if before_ms is not None and now_ms - before_ms >= _SILENCE_MS:
            self.custody.bring_forward(now_ms, _CALLS_SPREAD_MS)

    def _receive_command(self, received: Envelope, now_ms: int) -> "list[Any]":
        for keys in self._keys:
            if envelope.authentic(keys, self.node_num, received):
                break
        else:
            raise EnvelopeError("false_tag")
        counter = received.counter
        freshness = self._down.judge(counter)
        if freshness == NEW:
            self._note_gateway(now_ms)
        else:
            self._count("command_repeated" if freshness == SEEN else "command_too_old")
            self._results.repeat(counter, now_ms + self._random.below(RESULT_SPREAD_MS))
            return []
        try:
            body = self._assembler.add(counter, received.index, received.count, received.body, now_ms)
        except ValueError:
            raise EnvelopeError("fragment_mismatch")
        if body is None:
            held = self._assembler.held(counter)
            self._results.note(counter, now_ms + _INCOMPLETE_PAUSE_MS, received.kind, INCOMPLETE, "", held)
            return []
        body = envelope.seal(keys, self.node_num, received.kind, counter, body)
        message = messages.decode(received.kind, body)
        self._persist.append(events.Persist(*self._down.mark(counter)))
        if keys is not self._keys[0]:
            # Only one key is in use for sending; a command under the other one is still proven.
            self._count("command_under_other_key")
        elif len(self._keys) > 1:
            del self._keys[1:]
        if received.kind == envelope.CONFIGURATION:
            return self._configure(message, counter, now_ms)
        return self._act(received.kind, message, counter, now_ms, 1)

    def _receive_broadcast(self, received: Envelope, now_ms: int) -> "list[Any]":
        inbox = self.inbox
        body = inbox.receive(received, now_ms)
        if inbox.repeated:
            self._count("broadcast_repeated")
            due_ms = now_ms + self._random.below(self.result_spread_ms)
            self._results.repeat(received.counter, due_ms, now_ms - _RESULT_AGAIN_MS)
        if body is None:
            return []
        message = messages.decode(received.kind, body)
        self._persist.append(inbox.accept(received))
        self._note_gateway(now_ms)
        return self._act(received.kind, message, received.counter, now_ms, self.result_spread_ms)

    def _act(self, kind: int, message: "Message", counter: int, now_ms: int, spread_ms: int) -> "list[Any]":
        due_ms = now_ms + self._random.below(spread_ms)
        if kind == envelope.MODE:
            orders = self.orders
            before = orders.epoch
            result = orders.judge(message, self._clock, now_ms)
            if result is not None:
                self._results.note(counter, due_ms, kind, result, "mode" if result == REFUSED else "")
            if orders.epoch == before:
                return []
            self._persist.append(events.Persist("mode_epoch", orders.epoch))
            return [events.ModeCommanded(message)]
        if kind == envelope.TIME:
            if not self._clock.is_worse_than(message, now_ms):
                raise MessageError("time_not_better")
            return [events.TimeReceived(message)]
        if kind == envelope.BULLETIN:
            return [events.BulletinReceived(message)]
        if kind == envelope.MANIFEST:
            return [events.ManifestReceived(message)]
        if kind == envelope.CONFIGURATION:
            for name in messages.NEVER_BROADCAST:
                if name in message:
                    raise MessageError("only_for_one_box")
        self._results.note(counter, due_ms, kind, RECEIVED)
        if kind == envelope.CONFIGURATION:
            return [events.ConfigurationReceived(message, counter)]
        get = message.get
        refers_to = get("refers_to") or 0
        if not refers_to:
            for query in list(self.custody.messages):
                if query.kind == envelope.QUERY:
                    self.custody.settle(query.counter)
            return [events.ReplyReceived(message)]
        stage = get("stage") or 0
        found = []
        for call in [message] + (get("also") or []):
            refers_to = call.get("refers_to") or 0
            if stage >= receipt.GATEWAY:
                self.custody.settle(refers_to)
            time_s = (get("time_s") or 0) + (call.get("later_s") or 0)
            found.append(events.StageChanged(refers_to, stage, time_s, get("station") or "", get("text") or ""))
        return found

    def _configure(self, message: "Message", counter: int, now_ms: int) -> "list[Any]":
        """Keys are this endpoint's own; everything else is the owner's."""
        pop = message.pop
        root_key = pop("root_key", None)
        key_id = pop("key_id", None)
        public_key = pop("public_key", None)
        revoked = pop("revoked_key_id", None)
        named = bool(key_id) and key_id <= _KEY_ID_MAX
        for name, key, complete in (("root_key", root_key, True), ("public_key", public_key, named)):
            if key is not None and (len(key) != ROOT_KEY_LENGTH or not complete):
                self._results.note(counter, now_ms, envelope.CONFIGURATION, REFUSED, name)
                return []
        if root_key and not self._keys[0].is_of(root_key):
            self._persist.append(events.Persist("root_key", root_key.hex()))
        if public_key:
            self._persist.append(self.inbox.trust(key_id, public_key))
        if revoked:
            self._persist.append(self.inbox.distrust(revoked))
        self._results.note(counter, now_ms, envelope.CONFIGURATION, RECEIVED if message else APPLIED)
        return [events.ConfigurationReceived(message, counter)] if message else []

    def _send_results(self, now_ms: int) -> None:
        for result in self._results.take_due(now_ms):
            result["mode_epoch"] = self.orders.epoch
            if self.orders.mode:
                result["mode"] = self.orders.mode
            if self._clock.quality:
                result["time_s"] = self._clock.now_s(now_ms)
            try:
                self.send("command_result", result, now_ms)
            except (CounterExhausted, CustodyFull):
                self._count("result_not_sent")

    # Driving

    def poll(self, now_ms: int, rank_max: int = priority.READING) -> "list[Any]":
        """Persist and Send actions that are due. rank_max: the least important rank that the air can take now."""
        actions: list[Any] = self._persist
        self._persist = []
        if self._gateway_heard_ms is None:
            self._gateway_heard_ms = now_ms
        wanted = self._counter.wanted()
        if wanted:
            actions.append(events.Persist("counter_reserved", wanted))
        self._send_results(now_ms)
        message = self.custody.due(now_ms, rank_max)
        if message:
            for index in range(len(message.parts)):
                if message.wanted >> index & 1:
                    payload = envelope.encode_uplink(
                        self._keys[0],
                        self.node_num,
                        message.kind,
                        message.counter,
                        index,
                        len(message.parts),
                        message.parts[index],
                    )
                    actions.append(events.Send(payload, message.priority, message.counter))
        return actions

    def next_wakeup_ms(self, now_ms: int, rank_max: int = priority.READING) -> "int | None":
        """When `poll` has something to do; None if only a received payload can bring work."""
        if self._persist:
            return now_ms
        due_ms = self.custody.next_due_ms(rank_max)
        result_ms = self._results.next_due_ms()
        return result_ms if due_ms is None or (result_ms is not None and result_ms < due_ms) else due_ms

    def persisted(self, name: str, value: object) -> None:
        """Flash holds `value` under `name`."""
        if name == "counter_reserved" and isinstance(value, int):
            self._counter.persisted(value)
        elif name == "root_key":
            self._rotate(BoxKeys(bytes.fromhex(str(value))))

    def not_persisted(self, name: str, value: object) -> None:
        """Flash refused `value`: the next `poll` asks again."""
        if name == "counter_reserved":
            self._counter.ask_again()
        elif name not in [one.name for one in self._persist]:
            self._persist.append(events.Persist(name, value))

    def _rotate(self, keys: BoxKeys) -> None:
        """Send under a new root key from now on; commands under the old one count until the first under the new."""
        for message in self.custody.messages:
            if message.kind not in envelope.IN_THE_CLEAR:
                body = b"".join(message.parts)
                for seal_keys in (self._keys[0], keys):
                    body = envelope.seal(seal_keys, self.node_num, message.kind, message.counter, body)
                message.parts = split(body, envelope.UPLINK_PART_MAX)
        self._keys = [keys, self._keys[0]]

    def _count(self, reason: str) -> None:
        self.counters[reason] = self.counters.get(reason, 0) + 1
