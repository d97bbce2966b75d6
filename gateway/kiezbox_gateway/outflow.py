# SPDX-License-Identifier: Apache-2.0
"""Drives the endpoint's downward half: what is due goes to the radio, and to boxes on Wi-Fi where there are any.

Jobs go out one after the other, the one that has waited longest first: only while there is a radio, while few packets
wait for it, and while the hour's airtime has room for more than receipts. So no attempt is used up on nobody. Receipts
wait for nothing but a radio. Owned by `downlink`; not here: what is said.
"""

import asyncio
import sqlite3
from collections.abc import Callable

import structlog

from kiezbox.protocol import envelope, events, priority
from kiezbox.protocol.gateway_endpoint import GatewayEndpoint
from kiezbox_gateway.clock import monotonic_ms
from kiezbox_gateway.job_watch import JobWatch
from kiezbox_gateway.radio.link import RadioLink
from kiezbox_gateway.radio.send_queue import Outgoing
from kiezbox_gateway.store import jobs
from kiezbox_gateway.store.rows import StoreCorruptError, StoreError
from kiezbox_gateway.store.store import Store
from kiezbox_gateway.text_answers import TextAnswers

# A payload that waited this long for the radio is stale: its job or receipt comes again by itself.
PAYLOAD_LIFETIME_MS = 120_000
TIME_LIFETIME_MS = 4_000
# Jobs count from 1, and what is no job (receipts) has number 0.
NO_JOB = -1
IDLE_MS = 5_000
# While jobs have to wait for the radio or for airtime: when to look again at the latest.
HELD_MS = 1_000
# With so many packets waiting for the radio no further job is started; a receipt would wait behind them.
AHEAD_MAX = 4

log = structlog.get_logger(part="downlink")


class Outflow:
    """Create inside a running loop; run `run()` as a task.

    `on_payload` hands a payload to boxes on Wi-Fi as well; b"" only asks whether there are any.
    """

    def __init__(
        self,
        endpoint: GatewayEndpoint,
        store: Store,
        link: RadioLink,
        watch: JobWatch,
        texts: TextAnswers,
        on_payload: Callable[[bytes], bool],
    ) -> None:
        self.payloads_sent = 0
        self._endpoint = endpoint
        self._store = store
        self._link = link
        self._watch = watch
        self._texts = texts
        self._on_payload = on_payload
        self._wake = asyncio.Event()
        # The endpoint's job for the last time, and until when it is worth sending.
        self._time_job = (NO_JOB, 0)

    def wake(self) -> None:
        """Something may be due."""
        self._wake.set()

    def send_time(self, time_s: int, quality: int) -> None:
        """Broadcast the time once; not kept, since it is only worth something now.

        What has to wait for the radio or for airtime is not sent any more: an old time is worse than none.
        """
        now_ms = monotonic_ms()
        number = self._endpoint.broadcast("time", {"time_s": time_s, "quality": quality}, now_ms)
        self._time_job = (number, now_ms + TIME_LIFETIME_MS)
        self.wake()

    async def run(self) -> None:
        """Drive the endpoint. Raises StoreCorruptError, which only a new start repairs."""
        while True:
            self._wake.clear()
            held = True
            try:
                held = await self.poll()
            except StoreCorruptError:
                raise
            except StoreError as error:
                log.error("downlink_store_failed", reason=error.reason)
            now_ms = monotonic_ms()
            due = [due_ms for due_ms in (self._endpoint.next_wakeup_ms(now_ms), self._texts.next_wakeup_ms()) if due_ms]
            wait_ms = min(IDLE_MS, max(20, min(due, default=now_ms + IDLE_MS) - now_ms))
            try:
                async with asyncio.timeout(max(wait_ms, HELD_MS if held else 0) / 1000):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def poll(self) -> bool:
        """Send what may be sent now. True when something may have to wait although it is due."""
        now_ms = monotonic_ms()
        time_job, time_until_ms = self._time_job
        if now_ms >= time_until_ms and time_job in self._endpoint.jobs:
            self._endpoint.cancel_job(time_job)
        if not self._link.can_send and not self._on_payload(b""):
            await self._watch.keep()
            return True
        jobs_max = self._jobs_now(now_ms)
        for action in self._endpoint.poll(now_ms, jobs_max):
            if isinstance(action, events.Persist):
                await self._store.submit(_saving(action.name, action.value))
                self._endpoint.persisted(action.name, action.value)
                self._wake.set()
            elif isinstance(action, events.Send):
                self.payloads_sent += 1
                self._on_payload(action.payload)
                self._link.send(
                    Outgoing(
                        packet_id=self._link.new_packet_id(),
                        portnum=envelope.PORTNUM,
                        payload=action.payload,
                        priority=action.priority,
                        expires_ms=time_until_ms if action.job == time_job else now_ms + PAYLOAD_LIFETIME_MS,
                    )
                )
        if self._link.can_send:
            await self._texts.poll(now_ms, self._jobs_now(now_ms))
        await self._watch.keep()
        return self._jobs_now(now_ms) == 0

    def _jobs_now(self, now_ms: int) -> int:
        """How many jobs may be started: one, or none."""
        if not self._link.can_send:
            return 1
        if len(self._link.queue) >= AHEAD_MAX:
            return 0
        return int(self._link.budget.may_send(priority.COMMAND, envelope.PAYLOAD_LENGTH_MAX, now_ms))


def _saving(name: str, value: int) -> Callable[[sqlite3.Connection], None]:
    return lambda connection: jobs.save(connection, name, value)
