# SPDX-License-Identifier: Apache-2.0
"""A scenario that keeps pace with the clock, with the real gateway: process, SQLite, MQTT, `meshtastic` over TCP.

Boxes, people, weather and faults are those of virtual time, and so is the air; its time follows the clock, `speed` of
its seconds in one of the clock's. Each gateway of the scenario is a radio with Meshtastic's stream API on that air, a
gateway process that talks to it, and a line to the city's broker, where a subscriber writes down what comes and a
station says in a while that it has a call. Whether a call is delivered is what the gateway's database says. Such a run
is not the same twice: operating system, network and the gateway's own keys and counters take part.

With another speed than 1 the gateway's own pauses stay those of the clock, so they seem `speed` times as long to the
boxes. Called by outcome.py.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kiezbox.protocol.gateway_endpoint import Received
from kiezbox.protocol.replay import GATEWAYS_MAX
from kiezbox_simulator.ether.clock import WallClock
from kiezbox_simulator.ether.server import EtherServer
from kiezbox_simulator.interruption import stopped_by_signals, unless
from kiezbox_simulator.program import ProgramError, Programs, free_port
from kiezbox_simulator.real_gateway.city import City, CityError, broker_address, probe, start_broker
from kiezbox_simulator.real_gateway.folder import FolderError
from kiezbox_simulator.real_gateway.process import GatewayError
from kiezbox_simulator.scenario.paced_gateway import CALL_KINDS, DISTRICT, PacedGateway, StoredMessage
from kiezbox_simulator.scenario.schema import Scenario
from kiezbox_simulator.scenario.simulation import CHUNKS, Simulation
from kiezbox_simulator.scenario.summary import delays
from kiezbox_simulator.scenario.town import Inhabitant
from kiezbox_simulator.virtual.gateway import STATION_NAME, station_delay_us
from kiezbox_simulator.virtual.station import Station

TROUBLE = (ProgramError, FolderError, GatewayError, CityError)
"""What may go wrong with programs; each has one sentence."""

SPEED_MAX = 100.0
LOOK_S = 0.1
"""Between two looks into the databases."""

CITY_PATIENCE_S = 15.0
"""After the end, for what the gateways have stored to come through to the city."""

PROTOCOL_KINDS = {"call": "emergency"}
"""Kinds whose name towards the city is not the protocol's."""


@dataclass(frozen=True)
class Pace:
    """How a run keeps pace. `city_mqtt` empty: a broker of our own."""

    speed: float = 1.0
    city_mqtt: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError for a speed that is out of range."""
        if not 0.0 < self.speed <= SPEED_MAX:
            raise ValueError(f"speed is above 0 and at most {SPEED_MAX:g} where the real gateway takes part")


@dataclass
class Found:
    """What the gateways' databases and the city's subscriber had, for the summary."""

    messages: dict[str, StoredMessage] = field(default_factory=dict)
    holders: dict[str, set[str]] = field(default_factory=dict)
    """Names of the gateways that have stored a call, by its id."""

    by_gateway: dict[str, dict[str, int]] = field(default_factory=dict)
    city_us: dict[str, int] = field(default_factory=dict)
    """When the city had each message first, in the scenario's time."""

    repeated: set[str] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)
    late_us: int = 0


class PacedRun:
    """One run with its programs, whose files are below `folder`, which must be empty or new."""

    def __init__(self, scenario: Scenario, seed: int, folder: Path, pace: Pace, **options: Any) -> None:
        """`options` go to Simulation. Raises ValueError for boxes whose calls no gateway could store, and for more
        gateways than a district may have."""
        if scenario.boxes.kind == "stock":
            raise ValueError("stock boxes have no messages that a gateway stores: a paced run takes --kind vm or core")
        if max(len(scenario.gateways.at), scenario.gateways.count) > GATEWAYS_MAX:
            raise ValueError(f"a district has at most {GATEWAYS_MAX} gateways, and so has a paced run")
        self.pace = pace
        self.found = Found()
        self.gateways: dict[str, PacedGateway] = {}
        self.simulation = Simulation(scenario, seed, make_gateway=self._gateway, **options)
        self.simulation.before_judging = self.look
        self.simulation.paced = self.summary
        self._folder = folder
        self._programs = Programs(folder / "logs")
        self._clock = WallClock(self.simulation.schedule, pace.speed, self.simulation.end_us)
        self._city: City
        self._begun_unix_s = 0.0
        self._arrivals_seen = 0
        self._answers: set[asyncio.Task[None]] = set()

    def _gateway(self, simulation: Simulation, inhabitant: Inhabitant, station: Station) -> PacedGateway:
        gateway = PacedGateway(simulation, inhabitant, station, len(self.gateways))
        self.gateways[station.name] = gateway
        return gateway

    def run(self, watch: Callable[[Simulation], None] | None, say: Callable[[str], None]) -> None:
        """Let it all happen and end every program; `say` is told where to look.

        Raises StoppedError after a signal, and what TROUBLE names.
        """
        asyncio.run(self._run(watch, say))

    async def _run(self, watch: Callable[[Simulation], None] | None, say: Callable[[str], None]) -> None:
        with stopped_by_signals() as stop:
            try:
                await unless(stop, self._play(watch, say))
            finally:
                self._clock.stop()
                self.simulation.trace.close()
                for answer in self._answers:
                    answer.cancel()
                await asyncio.gather(*self._answers, return_exceptions=True)
                for gateway in self.gateways.values():
                    await gateway.close()
                if hasattr(self, "_city"):
                    await self._city.stop()
                await asyncio.to_thread(self._programs.stop)

    async def _play(self, watch: Callable[[Simulation], None] | None, say: Callable[[str], None]) -> None:
        broker = await self._set_up_city()
        stations = [gateway.station for gateway in self.gateways.values()]
        server = EtherServer(self.simulation.ether, stations, self._clock)
        ether_port = await server.start(0)
        try:
            ports = [free_port() for _ in stations]
            for gateway in self.gateways.values():
                await gateway.set_up(self._programs, self._folder, ether_port, broker, self.pace.speed, ports)
                say(f"{gateway.station.name}: {gateway.url}  (token in {gateway.folder.path / 'keys' / 'api.token'})")
            say(f"The city's broker: mqtt://{broker[0]}:{broker[1]}  topic kiezbox/v1/{DISTRICT}/#")
            with self.simulation.running():
                await self._let_time_pass(watch)
                await self._conclude()
        finally:
            await server.stop()

    async def _set_up_city(self) -> tuple[str, int]:
        if self.pace.city_mqtt:
            broker = broker_address(self.pace.city_mqtt)
            await probe(*broker)
        else:
            broker = ("127.0.0.1", (await start_broker(self._programs))[1])
        self._city = City(*broker, DISTRICT)
        self._city.start()
        await asyncio.wait_for(self._city.subscribed.wait(), CITY_PATIENCE_S)
        return broker

    async def _let_time_pass(self, watch: Callable[[Simulation], None] | None) -> None:
        simulation = self.simulation
        told = 0
        self._clock.start()
        self._begun_unix_s = time.time()
        while simulation.schedule.now_us < simulation.end_us:
            await asyncio.sleep(LOOK_S)
            self._clock.now()
            self._clock.arm()
            self.look()
            self._programs.check()
            while watch is not None and told < simulation.schedule.now_us * CHUNKS // simulation.end_us:
                told += 1
                watch(simulation)
        self._clock.stop()

    async def _conclude(self) -> None:
        """Wait until the city has what was stored, as far as there is a line to it; judge the rest."""
        simulation, found = self.simulation, self.found
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CITY_PATIENCE_S):
                while self._not_in_the_city():
                    await asyncio.sleep(LOOK_S)
                    self.look()
        self.look()
        for name, message_id in self._not_in_the_city():
            found.missing.append(message_id)
            simulation.referee.kept_from_the_city(name, message_id, simulation.schedule.now_us)

    def _not_in_the_city(self) -> list[tuple[str, str]]:
        """A gateway and the id of each call that it has stored and that has not come, though it has a line and is
        alive."""
        reachable = {name for name, gateway in self.gateways.items() if gateway.has_line and gateway.station.alive}
        return [
            (min(holders & reachable), message_id)
            for message_id, holders in self.found.holders.items()
            if message_id not in self.found.city_us and holders & reachable
        ]

    # The books

    def look(self) -> None:
        """Take over what the city has received and the gateways' databases hold that was not there before."""
        self.found.late_us = self._clock.late_us
        for arrival in self._city.arrivals[self._arrivals_seen :]:
            if arrival.id in self.found.city_us:
                self.found.repeated.add(arrival.id)
            else:
                since_start_s = arrival.since_start_s + self._city.started_s - (self._clock.started_s or 0.0)
                self.found.city_us[arrival.id] = max(0, round(since_start_s * self.pace.speed * 1e6))
                if arrival.kind == "call":
                    self._expect_answer(arrival.id)
        self._arrivals_seen = len(self._city.arrivals)
        for name, gateway in self.gateways.items():
            tally = self.found.by_gateway.setdefault(name, {})
            for message in gateway.new_messages():
                tally[message.kind] = tally.get(message.kind, 0) + 1
                if message.kind in CALL_KINDS:
                    self.found.holders.setdefault(message.id, set()).add(name)
                if message.node_num and message.id not in self.found.messages:
                    self.found.messages[message.id] = message
                    self._take(message)

    def _expect_answer(self, message_id: str) -> None:
        """A station of the city has this call; in a while it says so."""
        node, _, counter = message_id.partition("-")
        schedule = self.simulation.schedule
        delay_us = station_delay_us(self.simulation.seed, int(node, 16), int(counter, 16))
        schedule.at(schedule.now_us + delay_us, self._answer, message_id)

    def _answer(self, message_id: str) -> None:
        answer = {"id": f"station-{message_id}", "call": message_id, "stage": 3, "station": STATION_NAME}

        async def say() -> None:
            try:
                await self._city.command("answer", answer)
            except CityError as error:
                self.simulation.note(f"The station could not answer {message_id}: {error}")

        task = asyncio.ensure_future(say())
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    def _take(self, message: StoredMessage) -> None:
        simulation = self.simulation
        kind = PROTOCOL_KINDS.get(message.kind, message.kind)
        received = Received(message.node_num, message.counter, kind, message.body, False)
        since_start_s = message.received_ms / 1000 - self._begun_unix_s
        at_us = min(max(0, round(since_start_s * self.pace.speed * 1e6)), simulation.schedule.now_us)
        simulation.store.messages[message.node_num, message.counter] = (at_us, received)
        simulation.stored(received, at_us)

    def summary(self) -> dict[str, Any]:
        """The part `paced` of summary.json."""
        found = self.found
        calls = {key: m for key, m in found.messages.items() if m.kind in CALL_KINDS}
        accepted_us = {(call.node_num, call.code): call.accepted_us for call in self.simulation.calls if call.code}
        to_city = []
        for key, message in calls.items():
            began_us = accepted_us.get((message.node_num, message.body.get("code") or ""))
            if began_us is not None and key in found.city_us and not message.body.get("action"):
                to_city.append(max(0.0, (found.city_us[key] - began_us) / 1e6))
        return {
            "speed": self.pace.speed,
            "late_max_s": round(found.late_us / 1e6, 3),
            "gateways": [
                {"name": name, "stored": dict(sorted(found.by_gateway.get(name, {}).items())), "deaths": gateway.deaths}
                for name, gateway in self.gateways.items()
            ],
            "calls_stored": len(calls),
            "calls_in_the_city": sum(key in found.city_us for key in calls),
            "calls_missing_in_the_city": found.missing,
            "arrived_more_than_once": sorted(found.repeated),
            "delay_to_city": delays(to_city),
            "calls_shown_with_station": sum(call.station_us is not None for call in self.simulation.calls),
        }
