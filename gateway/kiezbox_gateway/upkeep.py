# SPDX-License-Identifier: Apache-2.0
"""What a gateway does for itself now and then: thinning, retention, backups, expired jobs, its own health to the city.

Each duty has a pause of its own. One that fails is logged and tried again; it never ends the gateway.
"""

import asyncio
import json
import sqlite3
import time
from collections.abc import Awaitable, Callable

import structlog

from kiezbox_gateway import alarms, clock, roster
from kiezbox_gateway.clock import unix_ms
from kiezbox_gateway.gateway import Gateway
from kiezbox_gateway.secret_files import SecretFileError
from kiezbox_gateway.store import backup, erasure, jobs, messages
from kiezbox_gateway.store.rows import NewMessage, OutboxClass, StoreCorruptError, StoreError

THINNING_PAUSE_S = 10.0
RETENTION_PAUSE_S = 3_600.0
BACKUP_PAUSE_S = 86_400.0
HEALTH_PAUSE_S = 900.0
KEYS_PAUSE_S = 10.0
FIRST_S = 5.0
# Thinning stops a tenth below the limit, so that it does not run at every message.
THIN_TO_PCT = 90
COARSER = 4
COARSEST_S = 8 * 86_400

log = structlog.get_logger(part="upkeep")


async def run(gateway: Gateway) -> None:
    """All duties, until cancelled. Raises StoreCorruptError when the store turns out to be damaged."""
    duties: list[tuple[float, Callable[[Gateway], Awaitable[None]]]] = [
        (THINNING_PAUSE_S, thin),
        (THINNING_PAUSE_S, look_at_disk),
        (RETENTION_PAUSE_S, retain),
        (BACKUP_PAUSE_S, back_up),
        (HEALTH_PAUSE_S, report_health),
        (KEYS_PAUSE_S, roster.change_keys),
        (alarms.WATCH_PAUSE_S, alarms.Watch().look),
    ]
    async with asyncio.TaskGroup() as group:
        for pause_s, duty in duties:
            group.create_task(_repeat(gateway, pause_s, duty))


async def _repeat(gateway: Gateway, pause_s: float, duty: Callable[[Gateway], Awaitable[None]]) -> None:
    await asyncio.sleep(FIRST_S)
    while True:
        try:
            await duty(gateway)
        except StoreCorruptError:
            raise
        except (StoreError, SecretFileError, OSError) as error:
            log.error("upkeep_failed", duty=duty.__name__, reason=getattr(error, "reason", type(error).__name__))
        await asyncio.sleep(pause_s)


async def look_at_disk(gateway: Gateway) -> None:
    """Free space, and whether the store has turned out to be damaged."""
    was_low = gateway.disk.low
    await asyncio.to_thread(gateway.disk.check)
    if gateway.disk.low and not was_low:
        await note_incident(gateway, "disk_low", f"{gateway.disk.free_bytes >> 20} MiB free")
    if gateway.custody.status.alarm == StoreCorruptError.reason:
        raise StoreCorruptError("the store is damaged; the gateway starts anew and restores it")


async def note_incident(gateway: Gateway, name: str, detail: str) -> None:
    """Keep it for the operator."""
    now_ms = unix_ms()
    await gateway.store.submit(
        lambda connection: (
            connection.execute(
                "INSERT INTO incident (at_ms, name, detail) VALUES (?, ?, ?)", (now_ms, name, detail)
            ).rowcount
        )
    )


async def thin(gateway: Gateway) -> None:
    """While too many readings wait for the city, keep of the oldest one per box and time slot, then coarser slots."""
    limit = gateway.configuration.outbox.readings_max
    waiting = (await gateway.waiting_counts()).get(OutboxClass.READING, 0)
    if waiting <= limit:
        return
    target = limit * THIN_TO_PCT // 100
    removed = 0
    slot_s = gateway.configuration.outbox.thin_to_s
    while waiting > target and slot_s <= COARSEST_S:
        after: int | None = 0
        while after is not None and waiting > target:
            step = _thinning(after, slot_s)
            deleted, after = await gateway.store.submit(step)
            waiting -= deleted
            removed += deleted
        slot_s *= COARSER
    log.warning("readings_thinned", removed=removed, waiting=waiting)
    await note_incident(gateway, "readings_thinned", str(removed))


def _thinning(after: int, slot_s: int) -> Callable[[sqlite3.Connection], tuple[int, int | None]]:
    return lambda connection: messages.thin(connection, after, slot_s, "thinned_outbox_full")


async def retain(gateway: Gateway) -> None:
    """Erase what the city has confirmed and whose days are over; expire jobs."""
    quality = await asyncio.to_thread(clock.quality, gateway.configuration.clock.trust)
    now_ms = gateway.steady_clock.judge(unix_ms(), clock.monotonic_ms(), quality)
    retention = gateway.configuration.retention
    erased = 0
    for kinds, days in (
        (("call", "button", "stage", "erasure"), retention.call_days),
        (("exercise",), retention.exercise_days),
        (("reading", "health", "mode", "gateway"), retention.reading_days),
    ):
        before_ms = now_ms - days * erasure.DAY_MS
        while count := await gateway.store.submit(_expiring(kinds, before_ms, now_ms)):
            erased += count
    await gateway.store.submit(lambda connection: jobs.expire(connection, now_ms))
    await gateway.store.submit(lambda connection: erasure.forget_old(connection, now_ms))
    if erased:
        await gateway.store.writer.outside(erasure.empty_log)
        log.info("retention_erased", count=erased)


def _expiring(kinds: tuple[str, ...], before_ms: int, now_ms: int) -> Callable[[sqlite3.Connection], int]:
    return lambda connection: erasure.expire(connection, kinds, before_ms, now_ms)


async def back_up(gateway: Gateway) -> None:
    """A backup a day; the old ones go."""
    folder = gateway.store.folder
    if not gateway.disk.low:
        path = await asyncio.to_thread(backup.make, folder)
        log.info("backup_made", file=path.name)
    await asyncio.to_thread(backup.remove_old, folder, gateway.configuration.retention.backup_days, time.time())


async def report_health(gateway: Gateway) -> None:
    """The gateway's own state as a message to the city."""
    now_ms = unix_ms()
    body = {
        "uptime_s": int(time.time() - gateway.started_s),
        "radio_ready": gateway.link.status.state == "ready",
        "disk_free_bytes": gateway.disk.free_bytes,
        "disk_low": gateway.disk.low,
        "store_alarm": gateway.custody.status.alarm,
        "waiting": {each.name.lower(): count for each, count in (await gateway.waiting_counts()).items()},
        "stored": gateway.custody.status.stored,
        "rejected": gateway.custody.status.rejected,
    }
    message = NewMessage(
        id=f"{gateway.configuration.gateway.district}-g{now_ms:012x}",
        kind="gateway",
        node_num=0,
        counter=0,
        verified=True,
        received_ms=now_ms,
        measured_s=now_ms // 1000,
        body=json.dumps(body),
    )
    await gateway.store.take(message)
    gateway.city.notify(OutboxClass.HEALTH)
