# SPDX-License-Identifier: Apache-2.0
"""Drives a sans-IO node of the protocol package in virtual time: frames in, frames out, wake-ups when it asks for them.

Subclasses give events and Persist actions a meaning (`handle`, `persist`) and add their own timed work through
`schedule`. Hot path of large scenarios: one reception costs the node's own work, one look at its next wake-up, and
rarely a heap entry.
"""

from typing import Any

from kiezbox.protocol.events import Persist
from kiezbox.protocol.mesh import Transmit
from kiezbox_simulator.virtual.ether import Ether
from kiezbox_simulator.virtual.station import Station

POLLS_MAX = 100
"""A node that is still due at the same moment after so many polls is in an endless loop: an error, not a slow
simulation."""


class CoreNode:
    """`node` has the surface of MeshNode or BoxNode."""

    def __init__(self, ether: Ether, station: Station, node: Any) -> None:
        self.ether = ether
        self.schedule = ether.schedule
        self.station = station
        self.node = node
        self.dead = False
        self._planned_us = -1
        station.owner = self

    @property
    def now_ms(self) -> int:
        """The clock the protocol sees."""
        return self.schedule.now_us // 1000

    def start(self) -> None:
        """Poll once, as every owner does after a start: that is when a node asks for its first numbers. Then plan."""
        self._perform(self.node.poll(self.now_ms))
        self.plan()

    def cut_power(self) -> None:
        """Off. What a subclass keeps over that is its own to say."""
        self.ether.switch(self.station, False)

    def restore_power(self) -> None:
        """On again, with what a subclass kept; nothing if the node was destroyed."""
        if self.dead:
            return
        self.ether.switch(self.station, True)
        self._planned_us = -1
        self._boot()
        self.start()

    def _boot(self) -> None:
        """Build `node` anew, as after every start. For subclasses that power cuts reach."""
        raise RuntimeError(f"{self.station.name} cannot be switched on again")

    def destroy(self) -> None:
        """Gone for good, with what is on it."""
        self.dead = True
        self.cut_power()
        self.station.owner = None

    def receive(self, frame: bytes, rssi_dbm: int, snr_db: float) -> None:
        """From the ether."""
        now_ms = self.schedule.now_us // 1000
        events = self.node.receive(frame, rssi_dbm, int(snr_db), now_ms)
        if events:
            self.handle(events)
        self.plan()

    def transmitted(self) -> None:
        """From the ether."""
        self.node.transmitted(self.schedule.now_us // 1000)
        self.plan()

    def channel_busy(self) -> None:
        """From the ether."""
        self.node.channel_busy(self.schedule.now_us // 1000)
        self.plan()

    def plan(self) -> None:
        """Poll while something is due, then arrange to be woken. To be called after anything changed the node."""
        now_us = self.schedule.now_us
        now_ms = now_us // 1000
        node = self.node
        for _ in range(POLLS_MAX):
            wake_ms = node.next_wakeup_ms(now_ms)
            if wake_ms is None:
                return
            if wake_ms > now_ms:
                wake_us = wake_ms * 1000
                if not now_us < self._planned_us <= wake_us:
                    self._planned_us = wake_us
                    self.schedule.at(wake_us, self._wake, wake_us)
                return
            self._perform(node.poll(now_ms))
        raise RuntimeError(f"{self.station.name} is due again and again at {now_ms} ms")

    def _wake(self, planned_us: int) -> None:
        # An earlier plan that a newer one replaced wakes nobody; nor does a node without power.
        if planned_us == self._planned_us and self.station.alive:
            self._planned_us = -1
            self.plan()

    def _perform(self, actions: list[Any]) -> None:
        for action in actions:
            if isinstance(action, Transmit):
                self.ether.request(self.station, action.frame)
            elif isinstance(action, Persist):
                self.persist(action.name, action.value)
            else:
                self.dropped(action)

    def handle(self, events: list[Any]) -> None:
        """What the node heard."""

    def persist(self, name: str, value: object) -> None:
        """A core node's flash is a dictionary that never fails."""
        self.node.persisted(name, value)

    def dropped(self, action: Any) -> None:
        """The node gave something up; it counts why."""
