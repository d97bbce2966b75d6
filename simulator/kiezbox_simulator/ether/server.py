# SPDX-License-Identifier: Apache-2.0
"""The line protocol of the ether: ASCII lines over loopback TCP, one connection for each radio.

    radio -> ether   HELLO <node_num hex8> <name>      takes its place; a second connection for one number replaces the
    first
                     TX <frame hex>                    at most one at a time
                     WATCH                             instead of HELLO: hear of every frame, send none
    ether -> radio   OK                                after HELLO and WATCH
                     DONE                              the frame's time on air has passed
                     BUSY                              activity was heard on the channel; nothing was sent
                     RX <rssi_dbm> <snr_db> <frame hex>   at the end of a received frame
                     FRAME <JSON>                      to watchers, at a frame's end: see `Watched`
                     ERROR <sentence>                  the connection is closed

A radio that connects is switched on, one whose connection ends is switched off: a killed box hears nothing and breaks
off what it sent. Not here: who hears what (`virtual/ether.py`).
"""

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

from kiezbox.protocol.airtime import PRESETS, time_on_air_us
from kiezbox.protocol.frame import FRAME_LENGTH_MAX, HEADER_LENGTH
from kiezbox_simulator.ether.clock import WallClock
from kiezbox_simulator.ether.street import Street, StreetError
from kiezbox_simulator.virtual.ether import Ether
from kiezbox_simulator.virtual.modulation import modulation
from kiezbox_simulator.virtual.schedule import Schedule
from kiezbox_simulator.virtual.station import REASONS, RECEIVED, Station, Transmission
from kiezbox_simulator.world.link import Channel, Site

LINE_LENGTH_MAX = 1024
BACKLOG_BYTES_MAX = 262_144
"""Unread lines after which a connection counts as dead: some hundred frames."""


@dataclass(frozen=True)
class Watched:
    """One frame as a watcher learns of it. Names, not numbers; `lost` gives the reason for each that should have heard
    it."""

    start_ms: int
    sender: str
    time_on_air_ms: int
    frame: str
    heard: list[str]
    lost: dict[str, str]


class ProtocolError(Exception):
    """The other side said something that has no meaning here; one sentence."""


class Connection:
    """One TCP connection; as a radio it is the station's owner (`virtual.station.RadioOwner`)."""

    def __init__(self, server: "EtherServer", writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.writer = writer
        self.station: Station | None = None

    def say(self, line: str) -> None:
        """Send a line; a reader that has stopped reading is cut off."""
        transport = self.writer.transport
        if transport.get_write_buffer_size() > BACKLOG_BYTES_MAX:
            self.server.counters["slow_reader"] = self.server.counters.get("slow_reader", 0) + 1
            transport.abort()
        elif not transport.is_closing():
            self.writer.write(line.encode() + b"\n")

    def receive(self, frame: bytes, rssi_dbm: int, snr_db: float) -> None:
        self.say(f"RX {rssi_dbm} {snr_db:g} {frame.hex()}")

    def transmitted(self) -> None:
        self.say("DONE")

    def channel_busy(self) -> None:
        self.say("BUSY")


class EtherServer:
    """`stations` of an ether, each to be taken by one who connects; its other stations are somebody else's.

    `clock` drives the ether's schedule. `counters` counts what went wrong by reason. `on_frame` hears of every frame.
    """

    def __init__(
        self,
        ether: Ether,
        stations: Iterable[Station],
        clock: WallClock,
        on_frame: Callable[[Watched], None] | None = None,
    ) -> None:
        self.counters: dict[str, int] = {}
        self.ether = ether
        self.clock = clock
        self._stations = {station.node_num: station for station in stations}
        self._watchers: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._on_frame = on_frame
        ether.on_end.append(self._ended)
        self._server: asyncio.Server | None = None

    async def start(self, port: int) -> int:
        """Listen on loopback; returns the port. Raises OSError when it is taken."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=LINE_LENGTH_MAX)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close every connection."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.clock.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  Streams run their callback as a task.
        self._tasks.add(task)
        connection = Connection(self, writer)
        try:
            while line := await self._line(reader):
                self.clock.now()
                self._obey(connection, line.split())
                self.clock.arm()
        except ProtocolError as error:
            self.counters["protocol_error"] = self.counters.get("protocol_error", 0) + 1
            connection.say(f"ERROR {error}")
        except (OSError, asyncio.CancelledError):
            pass  # The other side has gone, or we are stopping.
        finally:
            self._leave(connection)
            writer.close()
            self._tasks.discard(task)

    @staticmethod
    async def _line(reader: asyncio.StreamReader) -> str:
        """A line without its end, "" when the other side has closed."""
        try:
            data = await reader.readline()
        except ValueError:
            raise ProtocolError(f"a line has at most {LINE_LENGTH_MAX} bytes") from None
        if data and not data.strip():
            raise ProtocolError("an empty line means nothing")
        try:
            return data.decode("ascii").strip()
        except UnicodeDecodeError:
            raise ProtocolError("lines are ASCII text") from None

    def _obey(self, connection: Connection, words: list[str]) -> None:
        verb = words[0]
        if verb == "HELLO" and len(words) >= 2 and connection.station is None:
            self._join(connection, words[1])
        elif verb == "WATCH" and len(words) == 1 and connection.station is None:
            self._watchers.add(connection)
            connection.say("OK")
        elif verb == "TX" and len(words) == 2 and connection.station is not None:
            station = connection.station
            if station.pending is not None or station.transmitting is not None:
                raise ProtocolError("wait for DONE or BUSY before the next TX")
            try:
                frame = bytes.fromhex(words[1])
            except ValueError:
                raise ProtocolError("TX takes a frame in hexadecimal") from None
            if not HEADER_LENGTH <= len(frame) <= FRAME_LENGTH_MAX:
                raise ProtocolError(f"a frame has {HEADER_LENGTH} to {FRAME_LENGTH_MAX} bytes, not {len(frame)}")
            self.ether.request(station, frame)
        else:
            raise ProtocolError("expected HELLO <node number> <name> or WATCH, then TX <frame>")

    def _join(self, connection: Connection, number: str) -> None:
        try:
            station = self._stations[int(number, 16)]
        except (ValueError, KeyError):
            raise ProtocolError(f"no station {number[:16]} stands on this street") from None
        former = station.owner
        if isinstance(former, Connection):
            former.station = None
            former.writer.transport.abort()
        self.ether.switch(station, False)
        station.owner = connection
        connection.station = station
        self.ether.switch(station, True)
        connection.say("OK")

    def _leave(self, connection: Connection) -> None:
        self._watchers.discard(connection)
        if connection.station is not None:
            self.clock.now()
            self.ether.switch(connection.station, False)
            connection.station.owner = None
            connection.station = None
            self.clock.arm()

    def _ended(self, transmission: Transmission) -> None:
        watched = Watched(
            start_ms=transmission.start_us // 1000,
            sender=transmission.sender.name,
            time_on_air_ms=(transmission.end_us - transmission.start_us) // 1000,
            frame=transmission.frame.hex(),
            heard=[r.station.name for r in transmission.receptions if r.fate == RECEIVED],
            lost={r.station.name: REASONS[r.fate] for r in transmission.receptions if r.fate != RECEIVED},
        )
        if self._on_frame is not None:
            self._on_frame(watched)
        if self._watchers:
            line = f"FRAME {json.dumps(asdict(watched))}"
            for watcher in list(self._watchers):
                watcher.say(line)


def on_street(street: Street, on_frame: Callable[[Watched], None] | None = None) -> EtherServer:
    """A street's own ether with all its stations, in real time from now on. Raises StreetError."""
    if street.preset not in PRESETS:
        raise StreetError(f"{street.preset} is not a preset; there are {', '.join(sorted(PRESETS))}")
    preset = PRESETS[street.preset]
    schedule = Schedule()
    # No fading: on a street made of fixed links, a frame is lost to what happens there and not to a draw.
    channel = Channel(seed=street.seed, fading_db=0.0)
    ether = Ether(schedule, channel, lambda _, length: time_on_air_us(preset, length))
    used = modulation(street.preset)
    by_name: dict[str, Station] = {}
    for place in street.places:
        by_name[place.name] = station = ether.add(place.node_num, Site(place.name, 0.0, 0.0), used, 0.0)
        station.alive = False
    ether.links = [[] for _ in street.places]
    for link in street.links:
        first, second = by_name[link.first], by_name[link.second]
        ether.links[first.index].append((second, link.power_dbm))
        ether.links[second.index].append((first, link.power_dbm))
    clock = WallClock(schedule)
    clock.start()
    return EtherServer(ether, by_name.values(), clock, on_frame)
