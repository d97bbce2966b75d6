# SPDX-License-Identifier: Apache-2.0
"""A gateway in virtual time: the protocol's deciding code (mesh node and gateway endpoint) with a store that is a
dictionary.

The real gateway process with SQLite and MQTT runs in paced scenarios (scenario/paced_gateway.py); here its contract is
kept in the same order: a message is stored first and acknowledged afterwards. The store outlives a gateway's death, its
memory does not.
Stations of the city (stage 3 and later) answer after a while if the uplink is there.
"""

from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiezbox.protocol import envelope
from kiezbox.protocol.airtime import PRESETS
from kiezbox.protocol.channel import Channel
from kiezbox.protocol.frame import BROADCAST
from kiezbox.protocol.gateway_endpoint import GatewayEndpoint, Received
from kiezbox.protocol.mesh import MeshNode, PacketReceived
from kiezbox.protocol.packet import Data
from kiezbox.protocol.replay import GATEWAYS_MAX
from kiezbox_simulator.virtual.core_node import CoreNode
from kiezbox_simulator.virtual.ether import Ether
from kiezbox_simulator.virtual.station import Station
from kiezbox_simulator.world import chance

STATION_NAME = "Leitstelle (Simulation)"
TAKEN_IN_PAUSE_US = 2_000_000
"""A station's own system takes in what waited for the city one call after the other; nobody reads them for that."""

WAITING_MAX = 8
"""Own packets handed to the mesh and not yet sent, before the endpoint is asked for more."""


def station_delay_us(seed: int, node_num: int, counter: int) -> int:
    """How long a station of the city takes to say that it has a call: one to five minutes."""
    return round(60e6 + 240e6 * chance.uniform(seed, "station", node_num, counter))


class Store:
    """What gateways have committed: (node, counter) -> first Received and when. Shared by the gateways of a
    district."""

    def __init__(self) -> None:
        self.messages: dict[tuple[int, int], tuple[int, Any]] = {}
        self.readings: dict[int, set[int]] = {}
        self.persisted: dict[str, dict[str, Any]] = {}


class Gateway(CoreNode):
    """`on_stored(received, now_us)` is called once for each message that is new in the store, `on_text` for all that is
    not ours."""

    def __init__(
        self,
        ether: Ether,
        station: Station,
        *,
        seed: int,
        channel: Channel,
        preset_name: str,
        hop_limit: int,
        boxes: dict[int, bytes],
        signing_key: Ed25519PrivateKey,
        store: Store,
        on_stored: Callable[[Received, int], None],
        on_text: Callable[[PacketReceived], None],
        start_unix_s: int,
    ) -> None:
        self._seed = seed
        self._channel = channel
        self._preset_name = preset_name
        self._hop_limit = hop_limit
        self._boxes = boxes
        self._signing_key = signing_key
        self._on_stored = on_stored
        self._on_text = on_text
        self._boots = 0
        self.store = store
        self.start_unix_s = start_unix_s
        self.uplink = True
        self._for_the_city: list[Received] = []
        self.revoked: list[int] = []
        super().__init__(ether, station, None)
        self._boot()

    @property
    def unix_s(self) -> int:
        """The gateway's clock: good."""
        return self.start_unix_s + self.schedule.now_us // 1_000_000

    def _boot(self) -> None:
        self._boots += 1
        saved = self.store.persisted.setdefault(self.station.name, {})
        entropy = b"".join(
            chance.digest(self._seed, "gateway", self.station.name, self._boots, part).to_bytes(8, "little")
            for part in range(4)
        )
        # Those of one district share keys: each counts by itself (of more than eight some share a number).
        number = list(self.store.persisted).index(self.station.name) % GATEWAYS_MAX
        self.endpoint = GatewayEndpoint(entropy, sign=self._signing_key.sign, saved=saved, number=number)
        highest = dict.fromkeys(self._boxes, 0)
        for node_num, counter in self.store.messages:
            highest[node_num] = max(counter, highest.get(node_num, 0))
        for node_num, root_key in self._boxes.items():
            self.endpoint.add_box(node_num, root_key, highest[node_num], sorted(self.store.readings.get(node_num, ())))
        self.node = _GatewayNode(
            MeshNode(
                self.station.node_num,
                [self._channel],
                PRESETS[self._preset_name],
                hop_limit=self._hop_limit,
                entropy=entropy,
            ),
            self.endpoint,
        )

    def die(self) -> None:
        """Power off: whatever was not in the store is forgotten."""
        self.ether.switch(self.station, False)

    def revive(self) -> None:
        """Power on again."""
        self.ether.switch(self.station, True)
        self._planned_us = -1
        self._boot()
        for node_num in self.revoked:
            self.endpoint.revoke_box(node_num)
        self.start()
        self._publish()

    def revoke(self, node_num: int) -> None:
        """The district no longer trusts this box."""
        self.revoked.append(node_num)
        self.endpoint.revoke_box(node_num)
        self.plan()

    def handle(self, events: list[Any]) -> None:
        """Store, then acknowledge."""
        now_ms = self.now_ms
        for event in events:
            if not isinstance(event, PacketReceived):
                continue
            if event.data.portnum != envelope.PORTNUM:
                self._on_text(event)
                continue
            answer = self.endpoint.receive(event.header.from_node, event.data.payload, now_ms)
            if isinstance(answer, Received):
                self._commit(answer)
                self.endpoint.acknowledge(answer.node_num, answer.counter, 2, now_ms)

    def _commit(self, received: Received) -> None:
        key = (received.node_num, received.counter)
        if key in self.store.messages:
            return
        self.store.messages[key] = (self.schedule.now_us, received)
        if received.kind == "reading":
            self.store.readings.setdefault(received.node_num, set()).add(received.message.get("sequence") or 0)
        self._on_stored(received, self.schedule.now_us)
        if received.kind == "emergency":
            self._for_the_city.append(received)
            self._publish()

    def set_uplink(self, there: bool) -> None:
        """The way to the city is gone, or back; what waited goes then."""
        self.uplink = there
        self._publish()

    def _publish(self) -> None:
        if self.uplink:
            for place, received in enumerate(self._for_the_city):
                delay_us = station_delay_us(self._seed, received.node_num, received.counter) + place * TAKEN_IN_PAUSE_US
                self.schedule.at(self.schedule.now_us + delay_us, self._answer, received)
            self._for_the_city.clear()

    def _answer(self, received: Received) -> None:
        """A station has the call: one further stage, told to the box."""
        if not self.station.alive or not self.uplink:
            self._for_the_city.append(received)
            return
        if received.node_num in self.revoked:
            return
        reply = {
            "code": received.message.get("code") or "",
            "refers_to": received.counter,
            "stage": 3,
            "station": STATION_NAME,
            "time_s": self.unix_s,
            "text": "",
        }
        self.endpoint.reply(received.node_num, {name: value for name, value in reply.items() if value}, self.now_ms)
        self.plan()

    def command_mode(self, mode: int, epoch: int, lifetime_s: int = 14 * 86_400) -> None:
        """Send the signed mode command to all boxes."""
        message = {
            "mode": mode,
            "epoch": epoch,
            "scope": 0,
            "issued_s": self.unix_s,
            "expires_s": self.unix_s + lifetime_s,
        }
        self.endpoint.broadcast("mode", message, self.now_ms)
        self.plan()

    def broadcast_time(self) -> None:
        """Tell the boxes what time it is."""
        self.endpoint.broadcast("time", {"time_s": self.unix_s, "quality": 2}, self.now_ms)
        self.plan()

    def broadcast_bulletin(self, headline: str, text: str, language: str, identifier: int) -> None:
        """An official notice for the boxes' pages."""
        message = {
            "identifier": f"sim-{identifier}",
            "headline": headline,
            "text": text,
            "language": language,
            "severity": 2,
            "sent_s": self.unix_s,
            "expires_s": self.unix_s + 86_400,
            "source": "Bezirksamt (Simulation)",
        }
        self.endpoint.broadcast("bulletin", message, self.now_ms)
        self.plan()


class _GatewayNode:
    """Mesh node and gateway endpoint behind the one surface that CoreNode drives."""

    def __init__(self, mesh: MeshNode, endpoint: GatewayEndpoint) -> None:
        self.mesh = mesh
        self.endpoint = endpoint
        self._waiting: set[int] = set()

    def receive(self, frame: bytes, rssi_dbm: int, snr_db: int, now_ms: int) -> list[Any]:
        events: list[Any] = self.mesh.receive(frame, rssi_dbm, snr_db, now_ms)
        return events

    def poll(self, now_ms: int) -> list[Any]:
        actions: list[Any] = []
        if len(self._waiting) < WAITING_MAX:
            for action in self.endpoint.poll(now_ms):
                if hasattr(action, "payload"):
                    data = Data(envelope.PORTNUM, action.payload)
                    self._waiting.add(self.mesh.send(data, BROADCAST, action.priority, now_ms))
                else:
                    actions.append(action)
        for action in self.mesh.poll(now_ms):
            self._waiting.discard(getattr(action, "packet_id", None) or 0)
            actions.append(action)
        return actions

    def transmitted(self, now_ms: int) -> None:
        self.mesh.transmitted(now_ms)

    def channel_busy(self, now_ms: int) -> None:
        self.mesh.channel_busy(now_ms)

    def next_wakeup_ms(self, now_ms: int) -> int | None:
        due = [self.mesh.next_wakeup_ms(now_ms)]
        if len(self._waiting) < WAITING_MAX:
            due.append(self.endpoint.next_wakeup_ms(now_ms))
        known = [moment for moment in due if moment is not None]
        return min(known) if known else None

    def persisted(self, name: str, value: object) -> None:
        self.endpoint.persisted(name, value)
        self.mesh.persisted(name, value)
