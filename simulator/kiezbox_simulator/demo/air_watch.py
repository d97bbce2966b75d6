# SPDX-License-Identifier: Apache-2.0
"""What the boxes really sent, taken from the air: the demo's own count, independent of boxes and gateway.

A message is counted when its own box sends it for the first time, by id. It is opened with the channel's key only, as
everybody on the channel can; what a resident wrote stays sealed. Also: over how many hops a packet travelled, for the
narration.
"""

import asyncio
import time
from dataclasses import dataclass, field

from kiezbox.protocol import envelope, messages
from kiezbox.protocol.channel import Channel
from kiezbox.protocol.frame import HEADER_LENGTH, FrameError, Header, decode_header
from kiezbox.protocol.packet import NODEINFO_APP, TEXT_MESSAGE_APP, Data, decode_data
from kiezbox_simulator.ether.connection import EtherError, watch
from kiezbox_simulator.ether.server import Watched

KINDS_TO_CITY = {
    "reading": "reading",
    "health": "health",
    "emergency": "call",
    "exercise": "exercise",
    "button": "button",
}


@dataclass
class Sent:
    """A message on the air: id and kind as the city will know them, who sent it and when first.

    `sealed`: only the gateway can read it. `sequence`: of a reading, 0 else. `received`: a copy of it has reached the
    gateway's radio.
    """

    id: str
    kind: str
    node_num: int
    at_ms: int
    sealed: bool
    sequence: int = 0
    received: bool = False


@dataclass
class AirWatch:
    """Counts from `start` to `stop`.

    `frames`, `airtime_ms` and `lost` (receptions, by reason) are of everybody; `relayed` says who passed on which
    message; `receiver` is the name of the gateway's radio. `names`: whose introduction was heard where, and when it was
    first on the air.
    """

    channel: Channel
    receiver: str
    sent: dict[str, Sent] = field(default_factory=dict)
    frames: int = 0
    airtime_ms: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    relayed: dict[str, list[str]] = field(default_factory=dict)
    names: dict[int, tuple[int, set[str]]] = field(default_factory=dict)
    _task: asyncio.Task[None] | None = None
    _last_ms: int = 0
    _last_s: float = field(default_factory=time.monotonic)

    def start(self, port: int) -> None:
        """Watch the ether at this port."""
        self._task = asyncio.ensure_future(self._run(port))

    async def stop(self) -> None:
        """Watch no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, port: int) -> None:
        try:
            async for watched in watch(port):
                self.take(watched)
        except EtherError:
            return

    def take(self, watched: Watched) -> None:
        """One frame."""
        self.frames += 1
        self._last_ms, self._last_s = watched.start_ms + watched.time_on_air_ms, time.monotonic()
        self.airtime_ms += watched.time_on_air_ms
        for reason in watched.lost.values():
            self.lost[reason] = self.lost.get(reason, 0) + 1
        frame = bytes.fromhex(watched.frame)
        try:
            header = decode_header(frame)
            data = decode_data(self.channel.crypt(header.from_node, header.packet_id, frame[HEADER_LENGTH:]))
        except FrameError:
            return
        if data.portnum == NODEINFO_APP:
            self.names.setdefault(header.from_node, (watched.start_ms, set()))[1].update(watched.heard)
        found = _message(header, data, watched.start_ms)
        if found is None:
            return
        first = self.sent.setdefault(found.id, found)
        first.received |= self.receiver in watched.heard
        if header.hop_start != header.hop_limit:
            path = self.relayed.setdefault(found.id, [])
            if watched.sender not in path:
                path.append(watched.sender)

    @property
    def now_ms(self) -> int:
        """The clock of `Sent.at_ms`, as good as the last frame."""
        return self._last_ms + int((time.monotonic() - self._last_s) * 1000)


def _message(header: Header, data: Data, at_ms: int) -> Sent | None:
    if data.portnum == TEXT_MESSAGE_APP:
        return Sent(f"{header.from_node:08x}-p{header.packet_id:08x}", "call", header.from_node, at_ms, False)
    if data.portnum != envelope.PORTNUM:
        return None
    try:
        opened = envelope.Envelope(data.payload)
    except envelope.EnvelopeError:
        return None
    kind = KINDS_TO_CITY.get(envelope.KIND_NAMES[opened.kind])
    if kind is None or opened.scheme not in (envelope.UPLINK, envelope.UPLINK_SEALED):
        return None
    sealed = opened.scheme == envelope.UPLINK_SEALED
    sequence = 0
    if opened.kind == envelope.READING and opened.count == 1:
        try:
            sequence = int(messages.decode(opened.kind, opened.body).get("sequence", 0))
        except messages.MessageError:
            return None
    return Sent(f"{header.from_node:08x}-{opened.counter:08x}", kind, header.from_node, at_ms, sealed, sequence)
