# SPDX-License-Identifier: Apache-2.0
"""One run of a scenario: builds the town, lets time pass, keeps the books. The result is `summary.py`'s to tell.

Not here: what breaks (faults.py), who attacks (attackers.py), energy (power.py), how a vm box works
(virtual/vm_box.py).
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kiezbox.protocol.channel import Channel as MeshChannel
from kiezbox.protocol.counter import CounterExhausted
from kiezbox.protocol.custody import CustodyFull
from kiezbox.protocol.gateway_endpoint import Received
from kiezbox.protocol.mesh import PacketReceived
from kiezbox_simulator.scenario import attackers, faults, nodes
from kiezbox_simulator.scenario.air_log import AirLog
from kiezbox_simulator.scenario.power import PowerSystem
from kiezbox_simulator.scenario.referee import Call, Referee, words_of
from kiezbox_simulator.scenario.schema import Scenario
from kiezbox_simulator.scenario.stock_traffic import StockTraffic
from kiezbox_simulator.scenario.town import Inhabitant, inhabitants, secret
from kiezbox_simulator.virtual.core_box import CoreBox
from kiezbox_simulator.virtual.ether import Ether
from kiezbox_simulator.virtual.gateway import Store
from kiezbox_simulator.virtual.modulation import modulation, on_air_us
from kiezbox_simulator.virtual.schedule import Schedule
from kiezbox_simulator.virtual.station import Station
from kiezbox_simulator.virtual.stock_node import TEXT_PORTNUM, StockNode
from kiezbox_simulator.virtual.trace import Trace
from kiezbox_simulator.world import chance, people, weather
from kiezbox_simulator.world.link import Channel

HOUR_US = people.HOUR_US
MODES = {"everyday": 1, "emergency": 2, "exercise": 3, "maintenance": 4}
CHUNKS = 400
"""How many times progress is told in a run."""


class Simulation:
    """`run` once. `trace_path` None keeps only the hash; `watch(simulation)` is called a few hundred times on the
    way."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        *,
        trace_path: Path | None = None,
        work_dir: Path | None = None,
        header: dict[str, Any] | None = None,
        cores: int = 2,
        start_order_seed: int = 0,
        make_gateway: "Callable[[Simulation, Inhabitant, Station], nodes.TownGateway]" = nodes.gateway,
    ) -> None:
        """`make_gateway` makes one of the district's gateways: of virtual time, or (paced.py) the real one."""
        self.scenario = scenario
        self.seed = seed
        self.end_us = round(scenario.duration_h * HOUR_US)
        self.schedule = Schedule()
        self.trace = Trace(self.schedule, trace_path, header)
        self.wall_s = 0.0
        air = scenario.air
        self.ether = Ether(
            self.schedule,
            Channel(
                seed,
                model=air.model,
                exponent=air.exponent,
                shadowing_db=air.shadowing_db,
                fading_db=air.fading_db,
                ambient_noise_db=air.city_noise_db,
            ),
            on_air_us,
        )
        self.mesh_channel = MeshChannel("Kiezbox", secret(seed, "channel"), scenario.radio.preset)
        self.signing_key = Ed25519PrivateKey.from_private_bytes(secret(seed, "district"))
        self.public_keys = {1: self.signing_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)}
        self.calls: list[Call] = []
        self.referee = Referee(
            self.mesh_channel, self.calls, scenario.limits.duty_pct, round(scenario.limits.delivery_grace_h * HOUR_US)
        )
        self.store = Store()
        self.inhabitants = inhabitants(scenario, seed)
        self.boxes: dict[str, Any] = {}
        self.gateways: dict[str, nodes.TownGateway] = {}
        self.strangers: dict[str, StockNode] = {}
        self.blackout = False
        self.readings_delivered = 0
        self.hops: dict[int, int] = {}
        self.events: list[tuple[int, str]] = []
        self.stolen: set[int] = set()
        """Boxes in the hands of somebody else, while the district does not know it."""
        self.forged = 0
        self.pages_asked = self.pages_read = 0
        self._typed: set[tuple[int, str]] = set()
        self._by_code: dict[tuple[int, str], Call] = {}
        self._stored_codes: dict[tuple[int, str], int] = {}
        self._by_counter: dict[tuple[int, int], Call] = {}
        self._by_packet: dict[tuple[int, int], Call] = {}
        self._readings_seen: set[tuple[int, int]] = set()
        self._make_gateway = make_gateway
        self.before_judging: Callable[[], None] = lambda: None  # Paced: looks at what gateways have stored by now.
        self.paced: Callable[[], dict[str, Any]] | None = None  # What a paced run adds to the summary.
        self._vm_pool: Any = None
        if scenario.boxes.kind == "vm":
            from kiezbox_simulator.virtual.vm_pool import VmPool

            if work_dir is None:
                raise ValueError("vm boxes need a folder to work in")
            self._vm_pool = VmPool(self, work_dir, modulation(scenario.radio.preset), cores, start_order_seed)
        self.stock_traffic = StockTraffic(self)
        self._build()
        self.power = PowerSystem(self) if scenario.energy is not None else None
        self._plan()

    # Building

    def _build(self) -> None:
        radio = self.scenario.radio
        own, other = modulation(radio.preset), modulation(self.scenario.strangers.preset)
        for inhabitant in self.inhabitants:
            used = other if inhabitant.kind == "stranger" else own
            power_dbm = 20.0 if inhabitant.kind == "stranger" else radio.power_dbm
            self.ether.add(inhabitant.node_num, inhabitant.site, used, power_dbm)
        self.attackers = attackers.build(self, own)
        self.referee.lawless = {attacker.station.index for attacker in self.attackers}
        self.ether.connect()
        self.air_log = AirLog(self.trace, self.referee)
        self.ether.on_start.append(self.air_log.started)
        self.ether.on_end.append(self.air_log.ended)
        for inhabitant, station in zip(self.inhabitants, self.ether.stations, strict=False):
            name = inhabitant.site.key
            if inhabitant.kind == "gateway":
                self.gateways[name] = self._make_gateway(self, inhabitant, station)
            elif inhabitant.kind == "core":
                self.boxes[name] = nodes.core_box(self, station, inhabitant.root_key, self._core_stage)
            elif inhabitant.kind == "vm":
                self.boxes[name] = self._vm_pool.add(inhabitant, station)
            elif inhabitant.kind == "stranger":
                self.strangers[name] = nodes.stranger(self, station)
            else:
                self.boxes[name] = nodes.stock_box(self, station)

    def _plan(self) -> None:
        scenario = self.scenario
        for node in (*self.gateways.values(), *self.boxes.values(), *self.strangers.values()):
            # Switched on one after the other within the first minute, as by a person or by the sun.
            self.schedule.at(
                round(60e6 * chance.uniform(self.seed, "switch on", node.station.name)), lambda n: n.start(), node
            )
        first = next(iter(self.gateways.values()))
        beacons = max(1, round(scenario.duration_h / scenario.time_beacon_h))
        for number in range(beacons):
            self.schedule.at(round(180e6 + number * scenario.time_beacon_h * HOUR_US), self._time_beacon, first)
        for epoch, change in enumerate(scenario.mode, 1):
            self.schedule.at(round(change.at_h * HOUR_US) + 120_000_000, self._change_mode, (change.mode, epoch))
        for number, bulletin in enumerate(scenario.bulletin, 1):
            self.schedule.at(round(bulletin.at_h * HOUR_US), self._bulletin, (number, bulletin))
        faults.plan(self)
        attackers.plan(self)
        crowd = scenario.people
        until_h = crowd.until_h if crowd.until_h is not None else max(crowd.from_h, scenario.duration_h - 2.0)
        hour = self.scenario.start.hour + self.scenario.start.minute / 60.0
        for person in people.visits(
            self.seed,
            list(self.boxes),
            round(crowd.from_h * HOUR_US),
            round(min(until_h, scenario.duration_h) * HOUR_US),
            crowd.calls_per_box_day,
            local_hour_at_zero=hour,
            blackout=crowd.blackout,
            prank_share=crowd.prank_share,
            impatient_share=crowd.impatient_share,
        ):
            self.expect_visit(person)
        if scenario.boxes.kind == "vm":
            start_us, end_us = round(crowd.from_h * HOUR_US), round(min(until_h, scenario.duration_h) * HOUR_US)
            for time_us, box, key in people.lookers(
                self.seed, list(self.boxes), start_us, end_us, crowd.lookers_per_box_day
            ):
                self.boxes[box].expect(time_us)
                self.schedule.at(time_us, self._look, (box, key))
        self.stock_traffic.plan()

    # Running

    def run(self, watch: Callable[["Simulation"], None] | None = None) -> None:
        """Let the whole scenario happen."""
        with self.running():
            for chunk in range(1, CHUNKS + 1):
                self.schedule.run(self.end_us * chunk // CHUNKS)
                if watch is not None:
                    watch(self)

    @contextmanager
    def running(self) -> Iterator[None]:
        """The boxes' processes are there; who is inside lets time pass, up to `end_us`. Then the referee concludes."""
        began_s = time.monotonic()
        try:
            if self._vm_pool is not None:
                self._vm_pool.spawn_all()
            yield
            self.referee.finish(self.schedule.now_us)
        finally:
            if self._vm_pool is not None:
                self._vm_pool.close()
            self.trace.close()
            self.wall_s = time.monotonic() - began_s

    @property
    def unix_s(self) -> int:
        """The true time in the scenario."""
        return self.scenario.start_unix_s + self.schedule.now_us // 1_000_000

    def measure(self, name: str) -> dict[str, int]:
        """What the sensors of this box read now."""
        values = weather.readings(self.seed, name, self.unix_s, self.scenario.temperature_offset_c, self.blackout)
        if self.power is not None:
            values.update(self.power.values(name))
        return values

    def note(self, text: str) -> None:
        """Something the report shall mention."""
        self.events.append((self.schedule.now_us, text))
        self.trace.add("note", "-", text)

    # What happens

    def _time_beacon(self, gateway: nodes.TownGateway) -> None:
        if gateway.station.alive:
            gateway.broadcast_time()

    def _change_mode(self, change: tuple[str, int]) -> None:
        mode, epoch = change
        self.blackout = mode == "emergency"
        self.note(f"The district switches to mode {mode}")
        for gateway in self.gateways.values():
            if gateway.station.alive:
                gateway.command_mode(MODES[mode], epoch)
                return

    def _bulletin(self, item: tuple[int, Any]) -> None:
        number, bulletin = item
        for gateway in self.gateways.values():
            if gateway.station.alive:
                gateway.broadcast_bulletin(bulletin.headline, bulletin.text, bulletin.language, number)
                return

    # Calls

    def expect_visit(self, person: people.Person) -> None:
        """Somebody will come."""
        self.schedule.at(person.time_us, self.visit, person)
        if self._vm_pool is not None:
            self.boxes[person.box].expect(person.time_us)

    def expect(self, time_us: int) -> None:
        """Something of the scenario that may concern any box will happen then."""
        if self._vm_pool is not None:
            self._vm_pool.expect(time_us)

    def visit(self, person: people.Person) -> None:
        """Somebody comes to a box and asks for help."""
        box = self.boxes[person.box]
        call = Call(
            person.key,
            person.box,
            box.station.node_num,
            person.genuine,
            person.form["language"],
            int(person.form["category"]),
            words_of(person.form),
            self.schedule.now_us,
        )
        self.calls.append(call)
        self._typed.add((call.node_num, person.form["text"]))
        self.trace.add("call", person.box, person.key)
        if not box.station.alive:
            self.refuse(call, "box without power")
        elif isinstance(box, CoreBox):
            try:
                counter, code = box.submit(person.form, person.key)
            except (CounterExhausted, CustodyFull) as error:
                self.refuse(call, type(error).__name__)
            else:
                self.accept(call, code)
                call.counter = counter
                self._by_counter[call.node_num, counter] = call
        elif isinstance(box, StockNode):
            packet_id = box.send_text(f"{person.form['place']}: {person.form['text']}")
            if packet_id is None:
                self.refuse(call, "radio refused")
            else:
                self.accept(call, "")
                self._by_packet[call.node_num, packet_id] = call
        else:
            from kiezbox_simulator.virtual.phone import Phone

            Phone(self, box, person, call).start()

    def _look(self, item: tuple[str, str]) -> None:
        """Somebody opens a box's page to read."""
        from kiezbox_simulator.virtual.phone import Looker

        name, key = item
        self.pages_asked += 1
        if self.boxes[name].station.alive:
            Looker(self, self.boxes[name], key, self._looked)

    def _looked(self, came: bool) -> None:
        self.pages_read += came

    def accept(self, call: Call, code: str, again: bool = False) -> None:
        """The box has told the person that it keeps this call; `again`: they had sent it before without an answer."""
        call.accepted_us = self.schedule.now_us
        call.code = code
        self.trace.add("accepted", call.box, f"{call.key} {code}")
        if self.scenario.boxes.kind == "stock":
            return
        earlier_us = self._stored_codes.get((call.node_num, code))
        if earlier_us is not None:
            # Sent again by an impatient person; the box knew it already, and so does the gateway.
            call.delivered_us = call.accepted_us
            return
        self._by_code[call.node_num, code] = call
        self.referee.accepted(call, again)

    def refuse(self, call: Call, reason: str) -> None:
        """The box has told the person why it cannot take the call."""
        call.refused = reason
        self.trace.add("refused", call.box, f"{call.key} {reason}")

    def _core_stage(self, box: CoreBox, counter: int, stage: int) -> None:
        call = self._by_counter.get((box.station.node_num, counter))
        if call is not None:
            self.told_stage(call, stage)

    def told_stage(self, call: Call, stage: int) -> None:
        """The box shows its resident this stage."""
        now_us = self.schedule.now_us
        if call.delivered_us is None:
            self.before_judging()
        self.trace.add("stage", call.box, f"{call.key} {stage}")
        self.referee.told_stage(call, stage, now_us)
        if stage >= 2 and call.receipt_us is None:
            call.receipt_us = now_us
        if stage >= 3 and call.station_us is None:
            call.station_us = now_us

    def stored(self, received: Received, now_us: int) -> None:
        self.trace.add("stored", f"{received.node_num:08x}", f"{received.kind} {received.counter}")
        if received.kind == "reading":
            # A frame of readings that was sent again has another counter and the same sequence.
            reading = (received.node_num, received.message.get("sequence") or 0)
            if reading not in self._readings_seen:
                self._readings_seen.add(reading)
                self.readings_delivered += len(received.message.get("samples") or ())
        elif received.kind in ("emergency", "exercise"):
            self._judge_origin(received)
            key = (received.node_num, received.message.get("code") or "")
            self._stored_codes.setdefault(key, now_us)
            call = self._by_code.get(key)
            if call is not None and call.delivered_us is None:
                call.delivered_us = now_us

    def _judge_origin(self, received: Received) -> None:
        """Rule 7 of the referee; only a stolen box's own name can be misused, until the district knows."""
        message = received.message
        if message.get("action") or (received.node_num, message.get("text") or "") in self._typed:
            return
        if received.node_num in self.stolen:
            self.forged += 1
        else:
            self.referee.forged(f"{received.node_num:08x}", received.counter, self.schedule.now_us)

    def text_heard(self, packet: PacketReceived) -> None:
        """Stock traffic at a gateway: calls as plain text, telemetry as readings."""
        header, portnum = packet.header, packet.data.portnum
        if portnum == TEXT_PORTNUM:
            call = self._by_packet.get((header.from_node, header.packet_id))
            if call is not None and call.delivered_us is None:
                call.delivered_us = self.schedule.now_us
                self.trace.add("heard", call.box, call.key)
        elif self.scenario.boxes.kind == "stock":
            self.readings_delivered += self.stock_traffic.completes_reading(header.from_node, header.packet_id)

    def of_kind(self, *kinds: str) -> list[Inhabitant]:
        """Inhabitants of these kinds."""
        return [inhabitant for inhabitant in self.inhabitants if inhabitant.kind in kinds]
