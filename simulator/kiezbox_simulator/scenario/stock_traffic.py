# SPDX-License-Identifier: Apache-2.0
"""What stock radios say by themselves: telemetry where they stand in the place of boxes, chatter of strangers.

Not here: texts in which somebody calls for help (simulation.py). Called by simulation.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiezbox_simulator.virtual.stock_node import TELEMETRY_LENGTHS, TEXT_PORTNUM, StockNode
from kiezbox_simulator.world import chance

if TYPE_CHECKING:
    from kiezbox_simulator.scenario.simulation import Simulation


class StockTraffic:
    """One for a run."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        scenario = simulation.scenario
        self._interval_us = scenario.readings.interval_s * 1_000_000
        self._period_us = scenario.strangers.period_s * 1e6
        self._packets: dict[tuple[int, int], tuple[int, int]] = {}
        self._parts: dict[tuple[int, int], int] = {}

    def plan(self) -> None:
        """Each radio begins at a moment of its own."""
        simulation = self._simulation
        schedule = simulation.schedule
        if simulation.scenario.boxes.kind == "stock":
            for name, node in simulation.boxes.items():
                phase = chance.uniform(simulation.seed, "phase", name)
                schedule.at(round(self._interval_us * phase), self._telemetry, (node, 1))
        for name, node in simulation.strangers.items():
            phase = chance.uniform(simulation.seed, "phase", name)
            schedule.at(round(self._period_us * phase), self._chatter, (node, 1))

    def completes_reading(self, from_node: int, packet_id: int) -> bool:
        """A gateway heard this packet: is it the last one of a reading? Copies and other packets are not."""
        reading = self._packets.pop((from_node, packet_id), None)
        if reading is None:
            return False
        parts = self._parts[reading] = self._parts.get(reading, 0) + 1
        return parts == len(TELEMETRY_LENGTHS)

    def _telemetry(self, item: tuple[StockNode, int]) -> None:
        node, number = item
        schedule = self._simulation.schedule
        schedule.at(schedule.now_us + self._interval_us, self._telemetry, (node, number + 1))
        if node.station.alive:
            for packet_id in node.send_telemetry(number):
                self._packets[node.station.node_num, packet_id] = (node.station.node_num, number)

    def _chatter(self, item: tuple[StockNode, int]) -> None:
        node, number = item
        simulation = self._simulation
        gap_us = chance.exponential(simulation.seed, self._period_us, node.station.name, number)
        simulation.schedule.at(simulation.schedule.now_us + round(gap_us), self._chatter, (node, number + 1))
        node.send_bytes(TEXT_PORTNUM, b"x" * simulation.scenario.strangers.payload_length)
