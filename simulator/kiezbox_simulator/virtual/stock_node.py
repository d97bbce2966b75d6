# SPDX-License-Identifier: Apache-2.0
"""A stock Meshtastic node in virtual time: managed flooding, one channel, telemetry and text messages, no custody,
no receipts.

The same MeshNode as a box, because its relaying is stock behaviour; what is missing is everything above it. Used as
the peer a city would get without Kiezbox, and as strangers' load on the band. Telemetry goes out as Meshtastic's own
three or four packets a reading (device, environment, air quality, power), sizes as measured from the official
protobufs.
"""

from collections.abc import Callable
from typing import Any

from kiezbox.protocol import priority
from kiezbox.protocol.airtime import PRESETS
from kiezbox.protocol.channel import Channel
from kiezbox.protocol.frame import BROADCAST, FrameError
from kiezbox.protocol.mesh import MeshNode, PacketReceived
from kiezbox.protocol.packet import Data
from kiezbox_simulator.stock_radio.stock_ledger import HOUR_MS, StockLedger
from kiezbox_simulator.virtual.core_node import CoreNode
from kiezbox_simulator.virtual.ether import Ether
from kiezbox_simulator.virtual.station import Station
from kiezbox_simulator.world import chance

TEXT_PORTNUM, TELEMETRY_PORTNUM = 1, 67
TELEMETRY_LENGTHS = (26, 17, 32, 21)
"""Data payloads of one reading of twelve values: environment, device, air quality, power."""

TEXT_LENGTH_MAX = 228

POLITE_LOAD_PCT = 25
POLITE_DUTY_SHARE = 0.5
"""Firmware 2.7, AirTime: where telemetry stops, as channel use in percent and as share of the legal airtime."""


class StockNode(CoreNode):
    """`on_packet(node, packet)` is told every packet this node receives and can read."""

    def __init__(
        self,
        ether: Ether,
        station: Station,
        *,
        seed: int,
        channel: Channel,
        preset_name: str,
        hop_limit: int,
        on_packet: Callable[["StockNode", PacketReceived], None] | None = None,
        duty_pct: float = 10.0,
    ) -> None:
        """`duty_pct`: of its region; 100 where there is none."""
        self._seed = seed
        self.on_packet = on_packet
        self.refused = 0
        self._boots = 0
        self._settings = (channel, preset_name, hop_limit)
        self._limit_ms = round(duty_pct / 100.0 * HOUR_MS)
        self.held_back = 0
        self.readings_made = 0
        super().__init__(ether, station, None)
        self._boot()

    def _boot(self) -> None:
        channel, preset_name, hop_limit = self._settings
        # The first boot keeps the draw that it had before there were others.
        again = (self._boots,) if self._boots else ()
        self._boots += 1
        entropy = b"".join(
            chance.digest(self._seed, "stock", self.station.name, *again, part).to_bytes(8, "little")
            for part in range(4)
        )
        # Its own rule of airtime: a box's ledger would keep it from four tenths of the hour.
        self.ledger = StockLedger(self._limit_ms)
        self.node = MeshNode(
            self.station.node_num, [channel], PRESETS[preset_name], hop_limit=hop_limit, entropy=entropy,
            ledger=self.ledger,  # type: ignore[arg-type]  # Same surface, another rule.
        )  # fmt: skip

    def send_text(self, text: str) -> int | None:
        """A broadcast text message, cut at a whole character; its packet id, None if the node refused it.

        As Meshtastic's apps send it: repeated twice at most until a neighbour is heard relaying it.
        """
        payload = text.encode()[:TEXT_LENGTH_MAX].decode(errors="ignore").encode()
        return self._send(Data(TEXT_PORTNUM, payload), priority.STRANGER, want_ack=True)

    def send_telemetry(self, number: int) -> list[int]:
        """One reading as stock packets; the ids of those that the node took. None go out while half of the airtime is
        spent or a quarter of the channel is in use, which is how the firmware keeps telemetry polite."""
        self.readings_made += 1
        now_ms = self.now_ms
        busy = self.node.contention.load_pct(now_ms) >= POLITE_LOAD_PCT
        if busy or self.ledger.spent_ms(now_ms) > self._limit_ms * POLITE_DUTY_SHARE:
            self.held_back += 1
            return []
        ids = []
        for part, length in enumerate(TELEMETRY_LENGTHS):
            payload = chance.digest(self._seed, self.station.name, number, part).to_bytes(8, "little") * 5
            sent = self._send(Data(TELEMETRY_PORTNUM, payload[:length]), priority.STRANGER)
            if sent is not None:
                ids.append(sent)
        return ids

    def send_bytes(self, portnum: int, payload: bytes, want_ack: bool = False) -> int | None:
        """Anything else."""
        return self._send(Data(portnum, payload), priority.STRANGER, want_ack)

    def _send(self, data: Data, rank: int, want_ack: bool = False) -> int | None:
        try:
            packet_id: int = self.node.send(data, BROADCAST, rank, self.now_ms, want_ack)
        except FrameError:
            self.refused += 1
            return None
        self.plan()
        return packet_id

    def handle(self, events: list[Any]) -> None:
        """Tell who counts what arrived."""
        if self.on_packet is None:
            return
        for event in events:
            if isinstance(event, PacketReceived):
                self.on_packet(self, event)
