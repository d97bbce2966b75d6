# SPDX-License-Identifier: Apache-2.0
"""The referee: stands outside the firmware, sees every frame and every answer, holds the run to rules that must
never break.

1. Duty      No station is on the air more than the legal share of any sliding hour.
2. Half duplex  No station receives while it sends, or sends two frames at once.
3. Nothing lost  A call that a box accepted reaches a gateway, or is still on its way within the grace, or its box is
                 gone for good.
4. Truth     No box says "gateway" of a call that no gateway has stored.
5. Order     No box starts a reading of its own while a call it accepted has not been on the air.
6. Secrecy   No words of a call are in a frame as it flies, nor under the channel's key that every member holds.
7. Origin    No gateway stores a new call that nobody typed in at that box, unless the box is in a thief's hands.
8. City      In a paced run: what the gateway's database holds of calls is with the city while there is a line to it.

A violation is a line of text with time and names; the run goes on. Rules 3 to 6 are of Kiezbox boxes, not of stock
nodes; attackers (`lawless`) keep none, and only physics holds them.
"""

from collections import deque
from dataclasses import dataclass, field

from kiezbox.protocol import envelope
from kiezbox.protocol.channel import Channel
from kiezbox.protocol.frame import HEADER_LENGTH, decode_header
from kiezbox.protocol.packet import decode_data
from kiezbox_simulator.virtual.station import RECEIVED, Station, Transmission

HOUR_US = 3_600_000_000
HANDED_OVER_US = 1_500_000
"""A frame that was already given to the radio when a call came may still go out: one frame and one wait."""

WORDS_LENGTH = 10
"""This many bytes in a row from a call's text, place, name or contact count as its words."""

VIOLATIONS_MAX = 1000


@dataclass
class Call:
    """One call for help, as the referee and the summary see it. Times in microseconds, None until it happened."""

    key: str
    box: str
    node_num: int
    genuine: bool
    language: str
    category: int
    words: tuple[bytes, ...]
    asked_us: int
    accepted_us: int | None = None
    refused: str = ""
    code: str = ""
    counter: int | None = None
    first_sent_us: int | None = None
    delivered_us: int | None = None
    receipt_us: int | None = None
    station_us: int | None = None
    cancelled: bool = False
    lost_reason: str = ""


@dataclass(frozen=True)
class Understood:
    """What a holder of the channel's key learns from a frame."""

    from_node: int
    packet_id: int
    hop_limit: int
    hop_start: int
    portnum: int
    payload: bytes
    kind: int


class Referee:
    """Attach `started` and `ended` to the ether. `calls` is shared with the simulation."""

    def __init__(self, channel: Channel, calls: list[Call], duty_pct: float, delivery_grace_us: int) -> None:
        self.channel = channel
        self.calls = calls
        self.limit_us = round(duty_pct / 100.0 * HOUR_US)
        self.delivery_grace_us = delivery_grace_us
        self.lawless: set[int] = set()
        """Indexes of stations that are no part of the network."""
        self.violations: list[str] = []
        self.violation_count = 0
        self.frames = 0
        self.greatest_hour_us: dict[int, int] = {}
        self._airtime: dict[int, _Hour] = {}
        self._last_end_us: dict[int, int] = {}
        self._last_start_us: dict[int, int] = {}
        self._waiting: dict[int, list[Call]] = {}
        self._sent_counters: dict[int, set[int]] = {}
        self._unclaimed_us: dict[int, list[int]] = {}
        self._recent: deque[Call] = deque()

    def accepted(self, call: Call, again: bool = False) -> None:
        """A box has promised to deliver this call. `again`: it may have sent it before, so rule 5 cannot be judged."""
        if not again and not self._claim(call):
            self._waiting.setdefault(call.node_num, []).append(call)
        self._recent.append(call)
        if len(self._recent) > 400:
            self._recent.popleft()

    def understand(self, frame: bytes) -> Understood | None:
        """Header and content of a frame of the watched channel, None for any other."""
        header = decode_header(frame)
        if header.channel_hash != self.channel.hash:
            return None
        plain = self.channel.crypt(header.from_node, header.packet_id, frame[HEADER_LENGTH:])
        try:
            data = decode_data(plain)
        except ValueError:
            return None
        kind = data.payload[1] if data.portnum == envelope.PORTNUM and len(data.payload) > 1 else 0
        return Understood(
            header.from_node, header.packet_id, header.hop_limit, header.hop_start, data.portnum, data.payload, kind
        )

    def started(self, transmission: Transmission, understood: Understood | None) -> None:
        """A frame begins: rules 1, 2, 5, 6."""
        sender, now_us = transmission.sender, transmission.start_us
        self.frames += 1
        if now_us < self._last_end_us.get(sender.index, -1):
            self._violate(now_us, sender.name, "half duplex: sends two frames at once")
        self._last_start_us[sender.index] = now_us
        self._last_end_us[sender.index] = transmission.end_us
        hour = self._airtime.setdefault(sender.index, _Hour())
        used_us = hour.add(now_us, transmission.end_us)
        self.greatest_hour_us[sender.index] = max(used_us, self.greatest_hour_us.get(sender.index, 0))
        if used_us > self.limit_us and sender.index not in self.lawless:
            self._violate(now_us, sender.name, f"duty: {used_us / HOUR_US:.2%} of the last hour")
        self._secrecy(transmission, understood)
        if (
            understood is not None
            and understood.from_node == sender.node_num
            and understood.portnum == envelope.PORTNUM
        ):
            self._order(sender, now_us, understood)

    def ended(self, transmission: Transmission) -> None:
        """A frame ends: rule 2 at each receiver."""
        for reception in transmission.receptions:
            index = reception.station.index
            sent = self._last_end_us.get(index, -1) > transmission.start_us
            if reception.fate == RECEIVED and sent and self._last_start_us[index] < transmission.end_us:
                self._violate(transmission.end_us, reception.station.name, "half duplex: received while it sent")

    def told_stage(self, call: Call, stage: int, now_us: int) -> None:
        """A box tells its resident a stage: rule 4."""
        if stage >= 2 and call.delivered_us is None:
            self._violate(now_us, call.box, f"truth: stage {stage} for call {call.key}, which no gateway has")

    def forged(self, node: str, counter: int, now_us: int) -> None:
        """A gateway has stored a call that nobody typed: rule 7."""
        self._violate(now_us, node, f"origin: nobody typed call {counter}, and a gateway stored it")

    def kept_from_the_city(self, gateway: str, message_id: str, now_us: int) -> None:
        """A gateway with a line to the city has not delivered a stored call: rule 8."""
        self._violate(now_us, gateway, f"city: call {message_id} is stored, and the city does not have it")

    def finish(self, now_us: int) -> None:
        """The run is over: rule 3."""
        for call in self.calls:
            if call.accepted_us is None or call.delivered_us is not None or call.cancelled or call.lost_reason:
                continue
            if now_us - call.accepted_us > self.delivery_grace_us:
                self._violate(
                    now_us, call.box, f"lost: call {call.key} accepted at {_clock(call.accepted_us)}, not delivered"
                )

    def _claim(self, call: Call) -> bool:
        """A box stores a call, sends it, and only then does the page reach its person: the frame may be out already."""
        unclaimed_us = self._unclaimed_us.get(call.node_num, [])
        for start_us in unclaimed_us:
            if start_us >= call.asked_us:
                unclaimed_us.remove(start_us)
                call.first_sent_us = start_us
                return True
        return False

    def _order(self, sender: Station, now_us: int, understood: Understood) -> None:
        waiting = self._waiting.get(sender.node_num, [])
        if understood.kind in (envelope.EMERGENCY, envelope.EXERCISE):
            # A counter that was on the air before is a repetition. Which call a new one is, nobody outside can see; the
            # oldest one that was waiting has its turn.
            counter = _counter(understood.payload)
            known = self._sent_counters.setdefault(sender.node_num, set())
            if counter in known:
                return
            known.add(counter)
            if waiting:
                waiting.pop(0).first_sent_us = now_us
            else:
                self._unclaimed_us.setdefault(sender.node_num, []).append(now_us)
        elif waiting and understood.kind in (envelope.READING, envelope.HEALTH):
            accepted_us = waiting[0].accepted_us
            if accepted_us is not None and now_us - accepted_us > HANDED_OVER_US:
                self._violate(now_us, sender.name, f"order: a reading before call {waiting[0].key}")

    def _secrecy(self, transmission: Transmission, understood: Understood | None) -> None:
        frame = transmission.frame
        plain = understood.payload if understood is not None else b""
        for call in self._recent:
            for words in call.words:
                if words in frame or words in plain:
                    self._violate(
                        transmission.start_us, transmission.sender.name, f"secrecy: words of call {call.key} in a frame"
                    )

    def _violate(self, now_us: int, node: str, text: str) -> None:
        self.violation_count += 1
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(f"{_clock(now_us)} {node}: {text}")


@dataclass
class _Hour:
    """Airtime of one station in the hour before its last frame's end."""

    frames: deque[tuple[int, int]] = field(default_factory=deque)
    total_us: int = 0

    def add(self, start_us: int, end_us: int) -> int:
        self.frames.append((start_us, end_us))
        self.total_us += end_us - start_us
        begin_us = end_us - HOUR_US
        while self.frames[0][1] <= begin_us:
            first, last = self.frames.popleft()
            self.total_us -= last - first
        first, _ = self.frames[0]
        return self.total_us - max(0, begin_us - first)


def _counter(payload: bytes) -> int:
    try:
        return int(envelope.Envelope(payload).counter)
    except envelope.EnvelopeError:
        return -1


def words_of(form: dict[str, str]) -> tuple[bytes, ...]:
    """Pieces of a call that would betray it, as bytes."""
    pieces = []
    for name in ("text", "place", "name", "contact"):
        data = form.get(name, "").encode()
        if len(data) >= WORDS_LENGTH:
            pieces.append(data[:WORDS_LENGTH])
            if name == "text" and len(data) >= 3 * WORDS_LENGTH:
                pieces.append(data[len(data) // 2 : len(data) // 2 + WORDS_LENGTH])
    return tuple(pieces)


def _clock(time_us: int) -> str:
    seconds, rest_us = divmod(time_us, 1_000_000)
    return f"{seconds // 3600:d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest_us // 1000:03d}"
