# SPDX-License-Identifier: Apache-2.0
"""What the gateway does for itself: thinning at the limit, retention, backups, damage found while running."""

import asyncio
import dataclasses
from pathlib import Path

import pytest

from kiezbox_gateway import upkeep
from kiezbox_gateway.store import backup, erasure
from kiezbox_gateway.store.rows import OutboxClass, StoreCorruptError
from tests.gateway.city_broker import Mosquitto, Subscriber
from tests.gateway.deployment import emergency
from tests.gateway.running import Running, running_gateway
from tests.gateway.store import sample
from tests.gateway.waiting import until

SMALL = {"settings": {"readings_max = 1000000": "readings_max = 1000"}}


async def fill(running: Running, count: int) -> None:
    """Readings of two boxes, one every five minutes each, and a few calls."""
    store = running.gateway.store
    for number in range(1, count + 1):
        box = sample.BOX + number % 2
        store.take(sample.reading(number, box, 1_780_000_000 + number * 150))
    await asyncio.gather(*(store.take(sample.call(10**6 + n, code=f"C{n}")) for n in range(5)))


async def test_oldest_readings_are_thinned_at_the_limit_and_counted(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, **SMALL) as running:
        await fill(running, 1_500)
        before = await running.gateway.waiting_counts()
        await upkeep.thin(running.gateway)
        after = await running.gateway.waiting_counts()
        assert before[OutboxClass.READING] == 1_500
        assert after[OutboxClass.READING] <= 900
        assert after[OutboxClass.CALL] == 5
        removed = before[OutboxClass.READING] - after[OutboxClass.READING]
        assert await running.gateway.store.rows("SELECT reason, count FROM tally") == [("thinned_outbox_full", removed)]
        # What is left covers the whole time: one per box and hour at least where it was thinned.
        rows = await running.gateway.store.rows(
            "SELECT DISTINCT node_num, measured_s / 3600 FROM message WHERE kind = 'reading'"
        )
        assert len(rows) >= 2 * (1_500 * 150 // 3600)
        _, text = await running.request("GET", "/metrics")
        assert f'kiezbox_tally_total{{reason="thinned_outbox_full"}} {removed}.0' in text
        assert (await running.gateway.store.rows("SELECT name FROM incident"))[-1] == ("readings_thinned",)


async def test_below_the_limit_nothing_is_thinned(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, **SMALL) as running:
        await fill(running, 1_000)
        await upkeep.thin(running.gateway)
        assert (await running.gateway.waiting_counts())[OutboxClass.READING] == 1_000


async def test_many_boxes_are_thinned_with_coarser_slots(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, **SMALL) as running:
        store = running.gateway.store
        for number in range(2_000):
            store.take(sample.reading(number + 1, sample.BOX + number % 40, 1_780_000_000 + number // 40 * 3_600))
        await store.take(sample.call(1))
        await upkeep.thin(running.gateway)
        assert (await running.gateway.waiting_counts())[OutboxClass.READING] <= 900


async def test_retention_on_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Mosquitto(tmp_path / "broker")
    broker.start()
    async with (
        Subscriber(broker.port, "kiezbox/v1/test/+/call") as city,
        running_gateway(tmp_path / "gateway", city=broker.url) as running,
    ):
        box = running.boxes[0]
        _, payloads = box.send("emergency", emergency("Zwiebelfisch", "KEEP2345"))
        running.deliver(box, payloads)
        await city.wait_for(1)
        await until(running.gateway_has_confirmed_all)
        await upkeep.retain(running.gateway)
        assert (await running.request("GET", "/api/v1/calls/KEEP2345"))[0] == 200
        later_ms = upkeep.unix_ms() + 31 * erasure.DAY_MS
        monkeypatch.setattr(upkeep, "unix_ms", lambda: later_ms)
        await upkeep.retain(running.gateway)
        assert (await running.request("GET", "/api/v1/calls/KEEP2345"))[0] == 404
        assert b"Zwiebelfisch" not in running.gateway.store.path.read_bytes()
        assert running.gateway.store.path.with_name("gateway.sqlite-wal").read_bytes() == b""
    broker.stop()


async def test_daily_backup(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        await fill(running, 10)
        await upkeep.back_up(running.gateway)
        (path, *_) = backup.newest_first(running.gateway.store.folder)
        backup.check(path)
        running.gateway.disk._free_min_bytes = 1 << 60
        running.gateway.disk.check()
        count = len(backup.newest_first(running.gateway.store.folder))
        await upkeep.back_up(running.gateway)
        assert len(backup.newest_first(running.gateway.store.folder)) == count


async def test_damage_found_at_work_ends_the_process_for_a_repair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "THINNING_PAUSE_S", 0.1)
    monkeypatch.setattr(upkeep, "FIRST_S", 0.1)
    with pytest.raises(StoreCorruptError):
        async with running_gateway(tmp_path) as running:

            def fail(message: object) -> "asyncio.Future[object]":
                future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
                future.set_exception(StoreCorruptError("database disk image is malformed"))
                return future

            monkeypatch.setattr(running.gateway.store, "take", fail)
            box = running.boxes[0]
            counter, payloads = box.send("emergency", emergency())
            running.deliver(box, payloads)
            assert running.task is not None
            await asyncio.wait([running.task], timeout=15)
            assert box.is_in_custody(counter)


async def test_own_health_goes_to_the_city(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        await upkeep.report_health(running.gateway)
        rows = await running.gateway.store.rows("SELECT kind, class, node_num FROM message")
        assert ("gateway", int(OutboxClass.HEALTH), 0) in rows
        assert dataclasses.is_dataclass(running.gateway.city.status)
