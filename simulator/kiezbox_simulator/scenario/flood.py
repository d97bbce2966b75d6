# SPDX-License-Identifier: Apache-2.0
"""Plain flooding among stock nodes under Meshtasticator's load and link budget: what its published runs can be
compared with.

Nodes at random places in a square, 3GPP suburban macro path loss, antennas at 1 m, LongFast, hop limit 3, one
broadcast of 40 bytes per node and mean period, repeated at most twice until a neighbour relays it, as apps ask for.
What differs from Meshtasticator (a304b7d) on the very same topologies, and how much each difference is worth, stands in
docs/simulator.md. Called by bench/simulator.py and the comparison's test.
"""

import math
import time
from dataclasses import dataclass

from kiezbox.protocol.channel import Channel as MeshChannel
from kiezbox.protocol.frame import HEADER_LENGTH
from kiezbox.protocol.mesh import PacketReceived
from kiezbox_simulator.virtual.ether import Ether
from kiezbox_simulator.virtual.modulation import modulation, on_air_us
from kiezbox_simulator.virtual.schedule import Schedule
from kiezbox_simulator.virtual.stock_node import StockNode
from kiezbox_simulator.world import chance
from kiezbox_simulator.world.link import Channel, Site, noise_dbm
from kiezbox_simulator.world.path_loss import suburban_macro_db
from kiezbox_simulator.world.reception import SNR_LIMIT_DB

PRIVATE_PORTNUM = 256
DATA_OVERHEAD = 7
"""What a Data message adds to a payload of this port number: port, length, bitfield."""

FREQUENCY_HZ = 908.75e6
"""Slot 27 of the US band, where Meshtasticator's default lies."""


@dataclass
class Flood:
    """What a run came to. `reach`: mean share of the other nodes that got a message. `packets`: frames per message.
    `cpu_s`: processor time that the run took (one thread, nothing waits), without placing the nodes and working out
    their links."""

    nodes: int
    simulated_s: float
    messages: int
    frames: int
    receptions: int
    collisions: int
    reach: float
    packets: float
    cpu_s: float


def places(nodes: int, side_m: float, air: Channel, power_dbm: float, preset: str) -> list[tuple[float, float]]:
    """Random places, each within reach of an earlier one by the median path loss, as Meshtasticator places its
    nodes."""
    used = modulation(preset)
    limit_dbm = noise_dbm(air, used.bandwidth_hz) + SNR_LIMIT_DB[used.spreading_factor]
    found: list[tuple[float, float]] = []
    tries = 0
    while len(found) < nodes:
        tries += 1
        place = (side_m * chance.uniform(air.seed, tries, "x"), side_m * chance.uniform(air.seed, tries, "y"))
        near = [math.dist(place, other) for other in found]
        reach = [power_dbm - suburban_macro_db(away, air.frequency_hz, 1.0, 1.0) >= limit_dbm for away in near]
        if not found or (min(near) >= 10.0 and any(reach)):
            found.append(place)
    return found


def run(
    nodes: int,
    simulated_s: float,
    *,
    seed: int = 44,
    period_s: float = 300.0,
    side_m: float = 15_000.0,
    power_dbm: float = 30.0,
    placing_power_dbm: float | None = None,
    preset: str = "LONG_FAST",
    hop_limit: int = 3,
    frame_length: int = 56,
    shadowing_db: float = 3.0,
) -> Flood:
    """Let the nodes talk for so long. `frame_length`: all of a frame, 40 bytes and a header as there.
    `placing_power_dbm`: the power for which places are chosen, if it is not that with which they send."""
    schedule = Schedule()
    air = Channel(seed, model="suburban_macro", shadowing_db=shadowing_db, fading_db=0.0, frequency_hz=FREQUENCY_HZ)
    ether = Ether(schedule, air, on_air_us)
    channel = MeshChannel("", b"\x01", "LongFast")
    arrived: dict[tuple[int, int], int] = {}
    used = modulation(preset)
    stations = []
    sites = places(nodes, side_m, air, power_dbm if placing_power_dbm is None else placing_power_dbm, preset)
    for number, (x_m, y_m) in enumerate(sites):
        stations.append(ether.add(0x0A00_0000 + number + 1, Site(f"n{number}", x_m, y_m, 1.0, 0.0), used, power_dbm))
    ether.connect()

    def heard(_: StockNode, packet: PacketReceived) -> None:
        key = (packet.header.from_node, packet.header.packet_id)
        if key in arrived:
            arrived[key] += 1

    members = [
        # As there, in the United States: no duty cycle.
        StockNode(
            ether, station, seed=seed, channel=channel, preset_name=preset, hop_limit=hop_limit, on_packet=heard,
            duty_pct=100.0,
        )
        for station in stations
    ]  # fmt: skip
    payload = bytes(frame_length - HEADER_LENGTH - DATA_OVERHEAD)

    def talk(item: tuple[StockNode, int]) -> None:
        node, number = item
        gap_us = chance.exponential(seed, period_s * 1e6, node.station.name, number)
        schedule.at(schedule.now_us + round(gap_us), talk, (node, number + 1))
        if number:
            packet_id = node.send_bytes(PRIVATE_PORTNUM, payload, want_ack=True)
            if packet_id is not None:
                arrived[node.station.node_num, packet_id] = 0

    for node in members:
        talk((node, 0))
    started_s = time.process_time()
    schedule.run(round(simulated_s * 1e6))
    cpu_s = time.process_time() - started_s
    frames = sum(station.sent for station in stations)
    messages = max(1, len(arrived))
    return Flood(
        nodes, simulated_s, len(arrived), frames, sum(ether.fates), ether.fates[1],
        sum(arrived.values()) / messages / max(1, nodes - 1), frames / messages, cpu_s,
    )  # fmt: skip
