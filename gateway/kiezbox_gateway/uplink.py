# SPDX-License-Identifier: Apache-2.0
"""The second door: boxes on Wi-Fi hand their envelopes to a broker of the gateway's own, beside the radio.

    kiezbox/v1/DISTRICT/up/BOX    from a box: the payload that it would also send over the air
    kiezbox/v1/DISTRICT/down      to all boxes: receipts and commands, as over the air

Behind the door stands the same code: proven, stored, and only then acknowledged to the broker, which keeps a message
that was not and delivers it again. The broker is one on the gateway's computer or network, so that a blackout of the
city's lines does not close the door. Joined by `gateway`; not here: what an envelope holds.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from kiezbox_gateway.city.broker import BrokerAddress, BrokerConnection, BrokerError
from kiezbox_gateway.city.message import TOPIC_ROOT
from kiezbox_gateway.city.mqtt import Delivered, MqttError, Subscribed
from kiezbox_gateway.city.schedule import Backoff
from kiezbox_gateway.store.rows import StoreError

RETRY_MAX_S = 30.0
# Boxes that were heard within this time are answered here as well.
MEMORY_S = 3_600.0

log = structlog.get_logger(part="uplink")
Taker = Callable[[int, bytes], Awaitable[bool]]


@dataclass
class UplinkStatus:
    """What the status page and the metrics show. `dropped` by reason."""

    connected: bool = False
    connections: int = 0
    received: int = 0
    last_error: str | None = None
    dropped: dict[str, int] = field(default_factory=dict)


class WifiUplink:
    """Runs until cancelled. `take(node_num, payload)` returns False for what could not be stored."""

    def __init__(self, address: BrokerAddress, district: str, take: Taker) -> None:
        self.status = UplinkStatus()
        self._address = address
        self._up = f"{TOPIC_ROOT}/{district}/up/"
        self._down = f"{TOPIC_ROOT}/{district}/down"
        self._take = take
        self._backoff = Backoff(RETRY_MAX_S)
        self._connection: BrokerConnection | None = None
        self._heard_s: float | None = None

    @property
    def is_used(self) -> bool:
        """Whether boxes can be reached here."""
        heard = self._heard_s is not None and time.monotonic() - self._heard_s < MEMORY_S
        return heard and self._connection is not None

    def send(self, payload: bytes) -> bool:
        """To the boxes, without custody: what is not confirmed comes again. False when nobody is there."""
        if not self.is_used or self._connection is None:
            return False
        self._connection.session.publish_unconfirmed(self._down, payload)
        self._connection.flush()
        return True

    async def run(self) -> None:
        """Keep the door open."""
        while True:
            try:
                await self._serve_once()
            except (BrokerError, MqttError, StoreError) as error:
                if self.status.last_error != str(error):
                    log.warning("uplink_unreachable", reason=str(error))
                self.status.last_error = str(error)
            finally:
                self.status.connected = False
                self._connection = None
            await asyncio.sleep(self._backoff.pause_s())

    async def _serve_once(self) -> None:
        connection = await BrokerConnection.open(self._address)
        reading = asyncio.ensure_future(connection.receive())
        try:
            connection.session.subscribe([f"{self._up}+"])
            connection.flush()
            self._connection = connection
            self.status.connected = True
            self.status.connections += 1
            self.status.last_error = None
            log.info("uplink_connected")
            while True:
                await asyncio.wait((reading,), timeout=connection.keep_alive())
                if not reading.done():
                    continue
                events = reading.result()
                if any(isinstance(event, Subscribed) and not event.granted for event in events):
                    raise BrokerError("the broker for boxes on Wi-Fi does not let the gateway subscribe")
                # What arrived together is stored together; then all of it is acknowledged, or none.
                delivered = [event for event in events if isinstance(event, Delivered)]
                if not all(await asyncio.gather(*(self._take_one(event) for event in delivered))):
                    raise StoreError("a message of a box on Wi-Fi could not be stored")
                for event in delivered:
                    connection.session.acknowledge(event.packet_id)
                if delivered:
                    self._backoff.reset()
                connection.flush()
                await connection.drain()
                reading = asyncio.ensure_future(connection.receive())
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await connection.close()

    async def _take_one(self, event: Delivered) -> bool:
        try:
            node_num = int(event.topic.removeprefix(self._up), 16)
        except ValueError:
            self._drop("no_box_in_topic")
            return True
        self.status.received += 1
        self._heard_s = time.monotonic()
        try:
            return await self._take(node_num, event.payload)
        except Exception as error:  # noqa: BLE001  One that ended the gateway would come again and end it again.
            self._drop(type(error).__name__)
            log.error("uplink_message_failed", reason=type(error).__name__)
            return True

    def _drop(self, reason: str) -> None:
        self.status.dropped[reason] = self.status.dropped.get(reason, 0) + 1
