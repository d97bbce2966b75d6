# SPDX-License-Identifier: Apache-2.0
"""Supervisor of the radio link: opens a stream, pumps a session, and on any doubt closes both and starts anew.

Nothing is carried from one connection to the next but the queue of packets to send, so a half-received frame or a stale
state cannot survive. Decisions are in `radio.session`; this file does the I/O and the waiting between attempts.
"""

import asyncio
import random
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog
from google.protobuf.message import DecodeError
from meshtastic.protobuf import mesh_pb2, portnums_pb2, telemetry_pb2

from kiezbox_gateway.clock import monotonic_ms
from kiezbox_gateway.radio import events
from kiezbox_gateway.radio.budget import AirBudget
from kiezbox_gateway.radio.send_queue import Outgoing, SendQueue
from kiezbox_gateway.radio.session import RadioSession, SetupAttempts
from kiezbox_gateway.radio.setup import Reported, Wanted
from kiezbox_gateway.radio.stream import LinkError, Stream, open_stream

RETRY_MIN_S = 0.25
RETRY_MAX_S = 5.0
# A radio serves one client. Being put out this often in a minute means that another program wants it too.
STOLEN_COUNT = 4
STOLEN_WINDOW_S = 60.0

log = structlog.get_logger(part="radio")


@dataclass
class LinkStatus:
    """What the status page and the metrics show."""

    state: str = "connecting"
    since_ms: int = field(default_factory=monotonic_ms)
    connections: int = 0
    last_error: str | None = None
    contended: bool = False
    node_num: int | None = None
    differences: tuple[str, ...] = ()
    firmware_version: str | None = None
    counters: dict[str, int] = field(default_factory=dict)

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter."""
        self.counters[name] = self.counters.get(name, 0) + amount


class RadioLink:
    """Runs until cancelled. `on_event` is awaited for each event in order: a slow taker slows the reading down."""

    def __init__(
        self,
        address: str,
        wanted: Wanted,
        on_event: Callable[[events.Event], Awaitable[None]],
        *,
        may_write: bool = True,
        opener: Callable[[str], Awaitable[Stream]] = open_stream,
    ) -> None:
        self.queue = SendQueue()
        self.status = LinkStatus()
        self.budget = AirBudget(wanted.region, wanted.preset)
        self._address = address
        self._wanted = wanted
        self._on_event = on_event
        self._may_write = may_write
        self._opener = opener
        self._wake = asyncio.Event()
        self._session: RadioSession | None = None
        self._dropped: list[float] = []
        self._attempts = SetupAttempts()

    def send(self, packet: Outgoing) -> Outgoing | None:
        """Queue a packet for the mesh. Returns the packet dropped for it when the queue was full."""
        dropped = self.queue.put(packet)
        self._wake.set()
        return dropped

    @staticmethod
    def new_packet_id() -> int:
        """Unpredictable and never 0; it is part of the channel cipher's counter."""
        return secrets.randbelow(0xFFFFFFFF) + 1

    @property
    def channel_index(self) -> int | None:
        """Index of the Kiezbox channel at the radio, None before it is known."""
        return self._session.channel_index if self._session is not None else None

    @property
    def can_send(self) -> bool:
        """Whether a radio with the right channel is there."""
        return self.status.state == "ready" and self.channel_index is not None

    @property
    def reported(self) -> Reported | None:
        """What the radio said about itself, None without a connection."""
        return self._session.reported if self._session is not None else None

    async def run(self) -> None:
        """Keep the link up."""
        retry_s = RETRY_MIN_S
        while True:
            was_ready = False
            try:
                was_ready = await self._serve_once()
            except LinkError as error:
                was_ready = self.status.state == "ready"
                if self.status.last_error != str(error) or was_ready:
                    # A radio that is away for days must not fill the log.
                    log.warning("link_failed", reason=str(error))
                self.status.last_error = str(error)
            self.status.count("reconnects")
            self._set_state("connecting")
            retry_s = RETRY_MIN_S if was_ready else min(retry_s * 2, RETRY_MAX_S)
            if self.status.contended:
                # Fighting at full speed would keep both clients from working.
                retry_s = max(retry_s, 1.0)
            await asyncio.sleep(retry_s * random.uniform(0.7, 1.3))  # noqa: S311

    async def _serve_once(self) -> bool:
        stream = await self._opener(self._address)
        session = RadioSession(
            self.queue,
            self._wanted,
            secrets.randbelow(0x7FFF0000) + 70_000,
            monotonic_ms(),
            may_write=self._may_write,
            attempts=self._attempts,
        )
        self._session = session
        self.status.connections += 1
        self._set_state("handshake")
        read = asyncio.ensure_future(stream.read())
        wake = asyncio.ensure_future(self._wake.wait())
        try:
            while True:
                now_ms = monotonic_ms()
                reason = await self._dispatch(session.poll(now_ms))
                output = session.take_output()
                if output:
                    stream.write(output)
                if reason is not None:
                    raise LinkError(f"connection to the radio given up: {reason}")
                wait_s = max(0, session.next_wakeup_ms(now_ms) - monotonic_ms()) / 1000
                await asyncio.wait((read, wake), timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
                if wake.done():
                    self._wake.clear()
                    wake = asyncio.ensure_future(self._wake.wait())
                if read.done():
                    data = read.result()
                    if not data:
                        self._note_put_out(session)
                        return session.ready
                    await self._dispatch(session.receive(data, monotonic_ms()))
                    session.resume(monotonic_ms())
                    read = asyncio.ensure_future(stream.read())
        finally:
            self.status.count("skipped_bytes", session.reader.skipped_bytes)
            self.status.count("refused_frames", session.reader.refused_frames)
            session.close()
            self._session = None
            for task in (read, wake):
                task.cancel()
            await asyncio.gather(read, wake, return_exceptions=True)
            await stream.close()

    async def _dispatch(self, found: list[events.Event]) -> str | None:
        reason = None
        for event in found:
            if isinstance(event, events.GiveUp):
                reason = event.reason
                self.status.count(f"given_up_{event.reason}")
                continue
            if isinstance(event, events.Ready):
                self._set_state("ready")
                self.status.last_error = None
                self.status.node_num = event.node_num
                self.status.differences = event.differences
                if self._session is not None:
                    self.status.firmware_version = self._session.reported.firmware_version
                log.info("radio_ready", differences=list(event.differences))
            elif isinstance(event, events.Notice):
                self.status.count(event.name)
                log.info(event.name, detail=event.detail)
            elif isinstance(event, events.Accepted):
                self.budget.spend(event.packet.priority, len(event.packet.payload), monotonic_ms())
            elif isinstance(event, events.Refused):
                self.status.count(f"refused_by_radio_{event.error}")
            elif isinstance(event, events.PacketArrived):
                self._look_at_telemetry(event.packet)
            await self._on_event(event)
        return reason

    def _look_at_telemetry(self, packet: mesh_pb2.MeshPacket) -> None:
        """The radio tells its client now and then how much it has sent."""
        if (
            packet.decoded.portnum != portnums_pb2.PortNum.TELEMETRY_APP
            or getattr(packet, "from") != self.status.node_num
        ):
            return
        try:
            telemetry = telemetry_pb2.Telemetry.FromString(packet.decoded.payload)
        except DecodeError:
            return
        for kind in ("device_metrics", "local_stats"):
            if telemetry.HasField(kind) and getattr(telemetry, kind).air_util_tx > 0:
                self.budget.note_report(getattr(telemetry, kind).air_util_tx, monotonic_ms())

    def _note_put_out(self, session: RadioSession) -> None:
        self.status.last_error = "the radio closed the connection"
        self.status.count("closed_by_radio")
        now_s = time.monotonic()
        self._dropped = [moment for moment in self._dropped if now_s - moment < STOLEN_WINDOW_S]
        if session.ready:
            self._dropped.append(now_s)
        contended = len(self._dropped) >= STOLEN_COUNT
        if contended and not self.status.contended:
            log.error("radio_contended", advice="another program uses this radio; close it, a radio serves one client")
        self.status.contended = contended

    def _set_state(self, state: str) -> None:
        if self.status.state != state:
            self.status.state = state
            self.status.since_ms = monotonic_ms()
