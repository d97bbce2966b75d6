# SPDX-License-Identifier: Apache-2.0
"""Empties the outbox into the city: publishes in the schedule's order, marks a message when the city has confirmed it.

Confirmed means PUBACK, or with "readback" that the city has named the message's id on the topic `confirmed`. Between
the city's confirmation and our mark the process may die; the message then goes again under the same id, which the
city recognises. The other way round, a message marked but not confirmed, cannot happen.

What the city refuses, what is too long for its broker, and a call that its broker says nobody was there to receive
stay in the outbox and are tried again; meanwhile they hold up nothing else.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from kiezbox_gateway.city import mqtt
from kiezbox_gateway.city.broker import BrokerAddress, BrokerConnection, BrokerError
from kiezbox_gateway.city.message import Profile
from kiezbox_gateway.city.schedule import Backoff, Schedule
from kiezbox_gateway.store.rows import OutboxClass, StoreCorruptError, StoreError, Waiting
from kiezbox_gateway.store.store import Store

# Without any confirmation for that long, while messages are out, the connection is renewed.
CONFIRMATION_TIMEOUT_S = 30.0
# Fixed header, lengths, packet id, properties: never more.
PACKET_OVERHEAD = 16
# Marks not yet on disk; beyond this reading from the broker waits.
MARKS_MAX = 20_000
REFUSED_PAUSE_S = 60.0
# So many refusals in one class, and the rest of it waits for the next attempt.
REFUSALS_MAX = 20
# MQTT 5 reason codes: from here on errors; and: taken, but there is no subscriber.
REFUSED_FROM = 0x80
NOBODY_THERE = 0x10
MUST_BE_HEARD = (OutboxClass.CALL, OutboxClass.TEXT, OutboxClass.SURPLUS, OutboxClass.STAGE)

log = structlog.get_logger(part="city")
CommandTaker = Callable[[str, bytes], Awaitable[None]]


@dataclass
class CityStatus:
    """What the status page and the metrics show."""

    connected: bool = False
    since_s: float = field(default_factory=time.time)
    last_error: str | None = None
    confirmed: int = 0
    confirmed_s: float | None = None
    refused: int = 0
    connections: int = 0
    # Messages set aside until the next attempt, by reason; what the city sent and could not be taken.
    set_aside: dict[str, int] = field(default_factory=dict)
    commands_failed: int = 0


class CitySync:
    """Runs until cancelled.

    `on_command` gets (topic, payload) of the city's commands and returns when they are stored.
    """

    def __init__(
        self,
        store: Store,
        address: BrokerAddress,
        profile: Profile,
        *,
        window: int = 100,
        readings_per_s: int = 0,
        retry_max_s: float = 60.0,
        readback: bool = False,
        command_topics: list[str] | None = None,
        on_command: CommandTaker | None = None,
    ) -> None:
        self.status = CityStatus()
        self._store = store
        self._address = address
        self._profile = profile
        self._window = window
        self._readings_per_s = readings_per_s
        self._backoff = Backoff(retry_max_s)
        self._readback = readback
        self._on_command = on_command
        self._topics = list(command_topics or [])
        if readback:
            self._topics.append(profile.confirmed_topic())
        self._schedule: Schedule | None = None
        self._connection: BrokerConnection | None = None
        self._wake = asyncio.Event()
        self._marks = 0
        self._by_packet: dict[int, Waiting] = {}
        self._by_id: dict[str, Waiting] = {}
        self._progress_s = 0.0
        # Not to be sent before the next attempt, also not over a new connection: a broker may hang up after a refusal.
        self._aside: set[int] = set()
        self._retry_s: float | None = None
        self._refusals: dict[OutboxClass, int] = {}

    def notify(self, outbox_class: OutboxClass) -> None:
        """A message of this class is on disk."""
        if self._schedule is not None:
            self._schedule.notify(outbox_class)
            self._wake.set()

    def forget(self, sequences: set[int]) -> None:
        """These were erased from the store: send them no more."""
        if self._schedule is not None:
            self._schedule.forget(sequences)

    def publish_now(self, topic: str, payload: bytes) -> bool:
        """Publish something that needs no custody (a receipt). False without a connection."""
        if self._connection is None or self._schedule is None:
            return False
        self._connection.session.publish_unconfirmed(topic, payload)
        self._connection.flush()
        return True

    async def run(self) -> None:
        """Keep the city supplied. Raises StoreCorruptError, which only a new start repairs."""
        while True:
            try:
                await self._serve_once()
            except StoreCorruptError:
                raise
            except (BrokerError, mqtt.MqttError, StoreError) as error:
                if self.status.last_error != str(error):
                    log.warning("city_unreachable", reason=str(error))
                self.status.last_error = str(error)
            finally:
                if self.status.connected:
                    self.status.connected = False
                    self.status.since_s = time.time()
                self._schedule = None
                self._connection = None
                self._by_packet.clear()
                self._by_id.clear()
            await asyncio.sleep(self._backoff.pause_s())

    async def _serve_once(self) -> None:
        connection = await BrokerConnection.open(self._address)
        try:
            self.status.connected = True
            self.status.since_s = time.time()
            self.status.connections += 1
            self.status.last_error = None
            log.info("city_connected")
            if self._topics:
                connection.session.subscribe(self._topics)
                connection.flush()
            window = min(self._window, connection.receive_max)
            self._connection = connection
            self._schedule = Schedule(window, self._readings_per_s, time.monotonic())
            self._wake.set()
            self._progress_s = time.monotonic()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._publish(connection, self._schedule))
                tasks.create_task(self._receive(connection, self._schedule))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            await connection.close()

    async def _publish(self, connection: BrokerConnection, schedule: Schedule) -> None:
        while True:
            self._wake.clear()
            while schedule.room():
                wanted = schedule.wants()
                if wanted is not None:
                    outbox_class, after, limit = wanted
                    schedule.begin_fetch(outbox_class)
                    rows = await self._store.waiting(outbox_class, after, limit)
                    schedule.fetched(outbox_class, rows, limit, self._aside)
                messages = schedule.take(time.monotonic())
                for message in messages:
                    self._send(connection, schedule, message)
                connection.flush()
                if not messages and schedule.wants() is None:
                    break
            await connection.drain()
            wait_s = connection.keep_alive()
            paused_s = schedule.next_s()
            if paused_s is not None:
                wait_s = min(wait_s, max(paused_s, 0.01))
            if schedule.in_flight and time.monotonic() - self._progress_s > CONFIRMATION_TIMEOUT_S:
                raise BrokerError("the city confirms nothing")
            if self._retry_s is not None and time.monotonic() > self._retry_s:
                self._retry_s = None
                self._refusals.clear()
                self._aside.clear()
                schedule.rewind()
                continue
            try:
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _send(self, connection: BrokerConnection, schedule: Schedule, message: Waiting) -> None:
        try:
            topic, payload = self._profile.encode(message)
        except (ValueError, OverflowError, OSError):
            # A row that a damaged file brought along must not stand in the way of the others.
            self._set_aside("not_encodable", message)
            return
        if len(topic) + len(payload) + PACKET_OVERHEAD > connection.packet_max:
            self._set_aside("too_long_for_the_broker", message)
            return
        if not schedule.in_flight:
            self._progress_s = time.monotonic()
        schedule.in_flight[message.sequence] = message
        self._by_packet[connection.session.publish(topic, payload)] = message
        if self._readback:
            self._by_id[message.id] = message

    async def _receive(self, connection: BrokerConnection, schedule: Schedule) -> None:
        while True:
            events = await connection.receive()
            confirmed: list[int] = []
            for event in events:
                if isinstance(event, mqtt.Confirmed):
                    message = self._by_packet.pop(event.packet_id, None)
                    if message is None:
                        continue
                    if event.reason_code >= REFUSED_FROM:
                        self._refused(schedule, message, event.reason_code)
                    elif self._readback:
                        continue
                    elif event.reason_code == NOBODY_THERE and message.outbox_class in MUST_BE_HEARD:
                        self._refused(schedule, message, event.reason_code)
                    else:
                        confirmed.append(message.sequence)
                elif isinstance(event, mqtt.Delivered):
                    confirmed += await self._delivered(event)
                    connection.session.acknowledge(event.packet_id)
                    connection.flush()
                elif isinstance(event, mqtt.Subscribed) and not event.granted:
                    log.error("city_refuses_subscription")
            if confirmed:
                self._progress_s = time.monotonic()
                for sequence in confirmed:
                    schedule.in_flight.pop(sequence, None)
                await self._mark(confirmed)
            self._wake.set()

    def _refused(self, schedule: Schedule, message: Waiting, reason_code: int) -> None:
        """The message stays in the outbox; the others must not suffer for it."""
        self.status.refused += 1
        schedule.in_flight.pop(message.sequence, None)
        self._by_id.pop(message.id, None)
        self._set_aside("nobody_there" if reason_code == NOBODY_THERE else f"refused_{reason_code:#04x}", message)
        outbox_class = message.outbox_class
        self._refusals[outbox_class] = self._refusals.get(outbox_class, 0) + 1
        if self._refusals[outbox_class] >= REFUSALS_MAX:
            schedule.hold(outbox_class)

    def _set_aside(self, reason: str, message: Waiting) -> None:
        """Not to be sent before the next attempt."""
        if reason not in self.status.set_aside:
            log.error("city_message_set_aside", kind=message.kind, reason=reason)
        self.status.set_aside[reason] = self.status.set_aside.get(reason, 0) + 1
        self._aside.add(message.sequence)
        self._try_again_later()

    def _try_again_later(self) -> None:
        if self._retry_s is None:
            self._retry_s = time.monotonic() + REFUSED_PAUSE_S

    async def _delivered(self, event: mqtt.Delivered) -> list[int]:
        if self._readback and event.topic == self._profile.confirmed_topic():
            return self._read_back(event.payload)
        if self._on_command is not None:
            try:
                await self._on_command(event.topic, event.payload)
            except StoreError:
                raise
            except Exception as error:  # noqa: BLE001  One that ended the gateway would come again and end it again.
                self.status.commands_failed += 1
                log.error("command_failed", topic=event.topic[:120], reason=type(error).__name__)
        return []

    def _read_back(self, payload: bytes) -> list[int]:
        try:
            identifiers = json.loads(payload)["ids"]
            found = [self._by_id.pop(each) for each in identifiers if isinstance(each, str) and each in self._by_id]
        except (ValueError, KeyError, TypeError):
            log.warning("city_confirmation_malformed")
            return []
        return [message.sequence for message in found]

    async def _mark(self, sequences: list[int]) -> None:
        self._marks += len(sequences)
        future = self._store.confirm(sequences, time.time_ns() // 1_000_000)

        def done(future: "asyncio.Future[None]") -> None:
            self._marks -= len(sequences)
            if not future.cancelled() and future.exception() is not None:
                # They will be published again, under the same ids.
                self._try_again_later()
            elif not future.cancelled():
                self.status.confirmed += len(sequences)
                self.status.confirmed_s = time.time()
                # Only now the way is known to be whole.
                self._backoff.reset()

        future.add_done_callback(done)
        if self._marks > MARKS_MAX:
            await future
