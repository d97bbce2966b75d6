# SPDX-License-Identifier: Apache-2.0
"""A scenario's gateway as the real thing: its process with SQLite and MQTT, and a radio of its own on the air.

What the scenario does to a gateway happens to the process: it dies by SIGKILL together with its radio, its line to the
city is cut, and what it shall say to the boxes is asked of its HTTP API. Its clock is this computer's, and it tells the
boxes the time by itself. What it has stored is read from its database, not from what it says. Called by paced.py; the
same surface as virtual/gateway.py has towards a scenario.
"""

import asyncio
import json
import sqlite3
from collections.abc import Coroutine, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kiezbox_simulator.program import Program, ProgramError, Programs
from kiezbox_simulator.real_gateway.folder import Folder, FolderError, init, kiezbox
from kiezbox_simulator.real_gateway.line import Line
from kiezbox_simulator.real_gateway.process import GatewayError, GatewayProcess
from kiezbox_simulator.real_gateway.radio import RadioOrder, add_radio
from kiezbox_simulator.virtual.gateway import STATION_NAME
from kiezbox_simulator.virtual.station import Station

if TYPE_CHECKING:
    from kiezbox_simulator.scenario.simulation import Simulation
    from kiezbox_simulator.scenario.town import Inhabitant

DISTRICT = "simulation"
MODE_NAMES = {1: "everyday", 2: "emergency", 3: "exercise", 4: "maintenance"}
RADIO_LOOK_S, RADIO_LOOKS = 0.1, 300
CITY_RETRY_MAX_S = 2.0
CALL_KINDS = ("call", "exercise", "button")
READ_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class StoredMessage:
    """One row of the gateway's database. `kind` as the city knows it; times in milliseconds since 1970."""

    id: str
    kind: str
    node_num: int
    counter: int
    received_ms: int
    text: str
    """The body, as JSON."""

    @property
    def body(self) -> dict[str, Any]:
        """What the message says, by the names of protocol/messages.py."""
        found: dict[str, Any] = json.loads(self.text)
        return found


class PacedGateway:
    """One gateway of a scenario. `set_up` before the run; everything else is the scenario's to call."""

    def __init__(self, simulation: "Simulation", inhabitant: "Inhabitant", station: Station, number: int) -> None:
        self.station = station
        self.number = number
        self.deaths = 0
        self.has_line = True
        self._simulation = simulation
        self._radio_name = inhabitant.site.key
        self._read_up_to = 0
        self._doing: set[asyncio.Task[None]] = set()
        self._line: Line
        self._process: GatewayProcess
        self._radio: Program
        # Until its radio has joined the ether.
        station.alive = False

    @property
    def folder(self) -> Folder:
        """Where its files are."""
        return self._process.folder

    @property
    def url(self) -> str:
        """Its page."""
        return self._process.url

    async def set_up(
        self, programs: Programs, path: Path, ether_port: int, broker: tuple[str, int], speed: float, ports: "list[int]"
    ) -> None:
        """Make folder, line and radio below `path`, and start the gateway; returns when it has its radio.

        Raises ProgramError, FolderError or GatewayError.
        """
        simulation = self._simulation
        radio, name = simulation.scenario.radio, f"gateway-{self.number + 1}"
        self._line = Line(*broker)
        await self._line.mend()
        order = RadioOrder(
            self.station.node_num, f"radio of {name}", self._radio_name, f"GW{self.number + 1}", path / "radios",
            ether_port, radio.preset, "Kiezbox", simulation.mesh_channel.key, radio.hop_limit, ports[self.number],
            "CLIENT", speed,
        )  # fmt: skip
        self._radio = add_radio(programs, order)
        self._radio.start()
        await self._radio.ready()
        lines = {
            'preset = "MEDIUM_FAST"': f'preset = "{radio.preset}"',
            "hop_limit = 5": f"hop_limit = {radio.hop_limit}",
            "number = 0": f"number = {self.number}",
            "retry_max_s = 60.0": f"retry_max_s = {CITY_RETRY_MAX_S}",
            # The boxes of a scenario have no other source of time than this computer.
            'trust = "kernel"': 'trust = "always"',
            "interval_s = 3600": f"interval_s = {max(60, round(simulation.scenario.time_beacon_h * 3600 / speed))}",
        }
        folder = await init(
            path / name, name=self._radio_name, district=DISTRICT, station=STATION_NAME, radio_port=order.port,
            city_port=self._line.port, lines=lines,
        )  # fmt: skip
        signing_key = simulation.signing_key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        boxes = [(i.node_num, i.site.key, i.root_key) for i in simulation.of_kind("vm", "core")]
        folder.take_over(simulation.mesh_channel.key, signing_key, boxes)
        self._process = GatewayProcess(programs, folder, name)
        await self._process.start()
        for _ in range(RADIO_LOOKS):
            if (await self._process.api("/api/v1/status"))["radio"]["state"] == "ready":
                return
            await asyncio.sleep(RADIO_LOOK_S)
        raise GatewayError(f"{self._radio_name} did not get on with its radio; see {programs.log_dir}")

    async def close(self) -> None:
        """Cut the line and give up what was under way. The programs are the caller's to stop."""
        for task in self._doing:
            task.cancel()
        await asyncio.gather(*self._doing, return_exceptions=True)
        if hasattr(self, "_line"):
            await self._line.cut()

    # What the scenario does

    def start(self) -> None:
        """It runs already: a computer takes longer to start than a box."""

    def die(self) -> None:
        """Power off, without warning."""
        self.deaths += 1
        self._process.program.kill()
        self._radio.kill()

    def revive(self) -> None:
        """Power on again."""
        self._do("start again", self._revive())

    async def _revive(self) -> None:
        self._radio.start()
        await self._radio.ready()
        await self._process.start()

    def set_uplink(self, there: bool) -> None:
        """The line to the city is cut, or mended."""
        self.has_line = there
        self._do("change its line", self._line.mend() if there else self._line.cut())

    def command_mode(self, mode: int, _epoch: int) -> None:
        """Ask it to send the signed mode command to all boxes; it numbers them itself."""
        self._ask("/api/v1/mode", {"mode": MODE_NAMES[mode]})

    def broadcast_time(self) -> None:
        """It tells the time by itself."""

    def broadcast_bulletin(self, headline: str, text: str, language: str, identifier: int) -> None:
        """Ask it to send an official notice."""
        notice = {"id": f"sim-{identifier}", "headline": headline, "text": text, "language": language,
                  "severity": 2, "source": "Bezirksamt (Simulation)"}  # fmt: skip
        self._ask("/api/v1/bulletins", notice)

    def revoke(self, node_num: int) -> None:
        """The district no longer trusts this box."""
        arguments = ("gateway", "revoke", f"{node_num:08x}", "--yes", "--config", str(self.folder.configuration))
        self._do("shut out a box", kiezbox(*arguments))

    def _ask(self, path: str, body: dict[str, Any]) -> None:
        async def ask() -> None:
            await self._process.api(path, body)

        self._do(path, ask())

    def _do(self, what: str, work: Coroutine[Any, Any, None]) -> None:
        """Something that takes wall time; what becomes of it stands in the report if it fails."""

        async def doing() -> None:
            try:
                await work
            except (GatewayError, FolderError, ProgramError, OSError) as error:
                self._simulation.note(f"{self.station.name} could not {what}: {error}")

        task = asyncio.ensure_future(doing())
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)

    # What it has stored

    def new_messages(self) -> Iterator[StoredMessage]:
        """What its database holds since the last time, oldest first."""
        query = (
            "SELECT sequence, id, kind, node_num, counter, received_ms, body FROM message"
            " WHERE sequence > ? ORDER BY sequence"
        )
        uri = f"{self.folder.database.absolute().as_uri()}?mode=ro"
        try:
            with closing(sqlite3.connect(uri, uri=True, timeout=READ_TIMEOUT_S)) as connection:
                rows = connection.execute(query, (self._read_up_to,)).fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN):
                return  # Being started after it was killed: the next look finds it.
            raise
        for sequence, *columns in rows:
            self._read_up_to = sequence
            yield StoredMessage(*columns)
