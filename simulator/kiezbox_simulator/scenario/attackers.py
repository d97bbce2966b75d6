# SPDX-License-Identifier: Apache-2.0
"""People who mean harm: a radio near a box, a recording of everything it hears, and the channel's key (every member
has it).

What they can do is in `schema.Attack`. What they must not achieve is the referee's and the summary's to say: no
forged call is stored, no replayed command obeyed, nothing of a call read. Attackers know the key of no box but one that
they stole, and not the district's.
"""

from typing import TYPE_CHECKING

from kiezbox.protocol import envelope, messages
from kiezbox.protocol.box_keys import BoxKeys
from kiezbox.protocol.frame import BROADCAST, HEADER_LENGTH, Header, encode_header
from kiezbox.protocol.packet import Data, encode_data
from kiezbox_simulator.scenario.faults import destroy
from kiezbox_simulator.virtual.modulation import Modulation
from kiezbox_simulator.virtual.station import Station
from kiezbox_simulator.world import chance
from kiezbox_simulator.world.link import Site
from kiezbox_simulator.world.people import HOUR_US, Person, form

if TYPE_CHECKING:
    from kiezbox_simulator.scenario.schema import Attack
    from kiezbox_simulator.scenario.simulation import Simulation

RECORDING_MAX = 2000
THIEFS_COUNTERS = 1 << 20
"""Above every counter that the stolen box has used, so that a gateway takes them for new."""


class Attacker:
    """One attack of the scenario. `recording` holds frames its radio heard."""

    def __init__(self, attack: "Attack", number: int, target: str, station: Station) -> None:
        self.attack = attack
        self.number = number
        self.target = target
        self.station = station
        self.recording: list[bytes] = []
        self.sent = 0
        station.owner = self

    def receive(self, frame: bytes, rssi_dbm: int, snr_db: float) -> None:
        """Record."""
        if len(self.recording) < RECORDING_MAX:
            self.recording.append(frame)

    def transmitted(self) -> None:
        """It sends without asking."""

    def channel_busy(self) -> None:
        """It sends without asking."""


def build(simulation: "Simulation", modulation: Modulation) -> list[Attacker]:
    """Stations for all attackers with a radio, beside their targets."""
    found = []
    boxes = [inhabitant for inhabitant in simulation.inhabitants if inhabitant.kind in ("vm", "core", "stock")]
    for number, attack in enumerate(simulation.scenario.attack):
        named = [box for box in boxes if box.site.key == attack.near]
        if attack.near != "random" and not named:
            raise ValueError(f"attack {attack.kind}: no such box: {attack.near}")
        box = named[0] if named else boxes[chance.choice(simulation.seed, len(boxes), "attacker", number)]
        site = Site(f"attacker-{number + 1}", box.site.x_m + 15.0, box.site.y_m + 10.0, 2.0, 2.0)
        station = simulation.ether.add(0x0E00_0000 + number + 1, site, modulation, 20.0)
        found.append(Attacker(attack, number, box.site.key, station))
    return found


def plan(simulation: "Simulation") -> None:
    """Put every attack on the schedule."""
    for attacker in simulation.attackers:
        _later(simulation, attacker, round(attacker.attack.at_h * HOUR_US))


def _later(simulation: "Simulation", attacker: Attacker, time_us: int) -> None:
    simulation.expect(time_us)
    simulation.schedule.at(time_us, _step, (simulation, attacker))


def _step(item: "tuple[Simulation, Attacker]") -> None:
    simulation, attacker = item
    attack = attacker.attack
    now_us = simulation.schedule.now_us
    if now_us < round((attack.at_h + attack.duration_h) * HOUR_US):
        _later(simulation, attacker, now_us + round(attack.period_s * 1e6))
    if attacker.sent == 0:
        simulation.note(f"An attacker near {attacker.target} begins: {attack.kind.replace('_', ' ')}")
        if attack.kind == "stolen_box":
            _steal(simulation, attacker)
    attacker.sent += 1
    if attack.kind == "phone_flood":
        key = f"{attacker.target}/flood-{attacker.number}-{attacker.sent}"
        person = Person(key, now_us, attacker.target, form(simulation.seed, key, False), False, 8_000_000, 0, (), "")
        simulation.visit(person)
        return
    frame = _frame(simulation, attacker)
    if frame is not None:
        simulation.trace.add("attack", attacker.station.name, attack.kind)
        simulation.ether.send_unheard(attacker.station, frame)


def _steal(simulation: "Simulation", attacker: Attacker) -> None:
    node_num = simulation.boxes[attacker.target].station.node_num
    destroy(simulation, attacker.target, "its box was stolen before a gateway had it")
    simulation.stolen.add(node_num)
    at_us = simulation.schedule.now_us + round(attacker.attack.revoked_after_h * HOUR_US)

    def revoke(_: None) -> None:
        simulation.note(f"The district revokes the key of {attacker.target}")
        simulation.stolen.discard(node_num)
        for gateway in simulation.gateways.values():
            gateway.revoke(node_num)

    simulation.schedule.at(at_us, revoke)


def _stolen_call(simulation: "Simulation", attacker: Attacker) -> bytes:
    """A call under the stolen box's key: in its own name, and every other time in another box's."""
    boxes = [inhabitant for inhabitant in simulation.inhabitants if inhabitant.kind in ("vm", "core")]
    stolen = next(inhabitant for inhabitant in boxes if inhabitant.site.key == attacker.target)
    number = attacker.sent
    victim = stolen if number % 2 else boxes[number // 2 % len(boxes)]
    message = {"category": 1, "text": f"Nobody typed this {number}", "code": f"{number:08d}", "people": 1}
    counter, keys = THIEFS_COUNTERS + number, BoxKeys(stolen.root_key)
    body = messages.encode(envelope.EMERGENCY, message)
    sealed = envelope.seal(keys, victim.node_num, envelope.EMERGENCY, counter, body)
    payload = envelope.encode_uplink(keys, victim.node_num, envelope.EMERGENCY, counter, 0, 1, sealed)
    return _seal(simulation, victim.node_num, 0x7000_0000 + number, encode_data(Data(envelope.PORTNUM, payload)))


def _frame(simulation: "Simulation", attacker: Attacker) -> bytes | None:
    kind, seed, number = attacker.attack.kind, simulation.seed, attacker.sent
    if kind == "stolen_box":
        return _stolen_call(simulation, attacker)
    draw = chance.digest(seed, "attack", attacker.number, number)
    if kind in ("replay", "bit_flip"):
        if not attacker.recording:
            return None
        frame = bytearray(attacker.recording[draw % len(attacker.recording)])
        if kind == "bit_flip":
            place = HEADER_LENGTH + (draw >> 16) % max(1, len(frame) - HEADER_LENGTH)
            frame[min(place, len(frame) - 1)] ^= 1 << (draw >> 40 & 7)
        # A new packet id gets past everybody's memory of packets; only the proof inside can stop it. It also changes
        # the keystream, so that a replay with a new id must be encrypted again: the attacker has the channel's key.
        return _renumber(simulation, bytes(frame), draw & 0xFFFF_FFFF or 1)
    boxes = [inhabitant for inhabitant in simulation.inhabitants if inhabitant.kind in ("vm", "core")]
    victim = boxes[draw % len(boxes)].node_num if boxes else 0x0B00_0001
    if kind == "forge":
        sort = (envelope.EMERGENCY, envelope.MODE, envelope.RECEIPT)[draw >> 8 & 1 or (draw >> 9 & 1) * 2]
        scheme = {envelope.EMERGENCY: 2, envelope.MODE: 5, envelope.RECEIPT: 3}[sort]
        payload = bytes((envelope.VERSION << 4 | scheme, sort)) + draw.to_bytes(8, "little") * 12
    else:
        payload = draw.to_bytes(8, "little") * 25
    return _seal(simulation, victim, draw >> 7 & 0xFFFF_FFFF or 1, encode_data(Data(envelope.PORTNUM, payload[:200])))


def _seal(simulation: "Simulation", from_node: int, packet_id: int, plain: bytes) -> bytes:
    header = Header(
        to_node=BROADCAST, from_node=from_node, packet_id=packet_id, hop_limit=7, hop_start=7,
        channel_hash=simulation.mesh_channel.hash, relay_node=from_node & 0xFF,
    )  # fmt: skip
    return bytes(encode_header(header)) + bytes(simulation.mesh_channel.crypt(from_node, packet_id, plain))


def _renumber(simulation: "Simulation", frame: bytes, packet_id: int) -> bytes:
    from_node = int.from_bytes(frame[4:8], "little")
    old_id = int.from_bytes(frame[8:12], "little")
    plain = simulation.mesh_channel.crypt(from_node, old_id, frame[HEADER_LENGTH:])
    return _seal(simulation, from_node, packet_id, plain)
