# SPDX-License-Identifier: Apache-2.0
"""What the city's broker will not take, or cannot hand on, stays here and holds up nothing else. Real mosquitto."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kiezbox_gateway.city import sync
from kiezbox_gateway.city.sync import CitySync
from kiezbox_gateway.store.rows import Call, NewMessage, OutboxClass, StoreCorruptError
from kiezbox_gateway.store.store import Store
from tests.gateway.city import test_sync
from tests.gateway.city.test_sync import nothing_waits
from tests.gateway.city_broker import Mosquitto, Subscriber
from tests.gateway.store.sample import BOX, call, reading
from tests.gateway.waiting import until


@contextlib.asynccontextmanager
async def syncing(store: Store, url: str, pause_s: float = 0.5, **options: Any) -> AsyncIterator[CitySync]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sync, "REFUSED_PAUSE_S", pause_s)
        async with test_sync.syncing(store, url, **options) as running:
            yield running


def call_of(box: int, counter: int, text: str = "Hilfe") -> NewMessage:
    body = f'{{"text":"{text}"}}'
    return NewMessage(f"{box:08x}-{counter:08x}", "call", box, counter, True, 1, None, body, Call(f"C{counter}"))


async def waiting_ids(store: Store) -> set[str]:
    return {row[0] for row in await store.rows("SELECT id FROM message WHERE confirmed_ms IS NULL")}


async def test_box_that_the_city_refuses_does_not_hold_up_the_others(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker", f"acl_file {tmp_path}/acl\nmax_queued_messages 1000")
    everything = "topic readwrite kiezbox/#\n"
    (tmp_path / "acl").write_text(f"topic read kiezbox/#\ntopic write kiezbox/v1/test/{BOX:08x}/#\n")
    broker.start()
    other = BOX + 1
    store = await Store.open(tmp_path / "data")
    # The refused ones are the oldest, and more than the window.
    await asyncio.gather(*(store.take(call_of(other, number)) for number in range(1, 16)))
    await asyncio.gather(*(store.take(call_of(BOX, number)) for number in range(1, 31)))
    await store.take(reading(1001))
    async with Subscriber(broker.port) as city, syncing(store, broker.url, version=5, window=10) as running:
        await city.wait_for(31)
        assert running.status.refused >= 15

        async def only_refused_wait() -> bool:
            return await waiting_ids(store) <= {f"{other:08x}-{number:08x}" for number in range(1, 16)}

        await until(only_refused_wait)
        assert set(running.status.set_aside) == {"refused_0x87"}
        # The city mends its list; the broker reads it at SIGHUP.
        (tmp_path / "acl").write_text(everything)
        broker.reload()
        await city.wait_for(46)
        await until(lambda: nothing_waits(store))
        assert running.status.connections == 1
        refused = [payload["counter"] for _, payload in city.messages if payload["box"] == f"{other:08x}"]
        assert refused == sorted(refused)
    broker.stop()
    await store.close()


async def test_broker_that_refuses_and_then_hangs_up(tmp_path: Path) -> None:
    """mosquitto 2.0.11 with max_queued_messages 0 does that: what it refused must not be what it is offered next."""
    broker = Mosquitto(tmp_path / "broker", f"acl_file {tmp_path}/acl")
    (tmp_path / "acl").write_text(f"topic read kiezbox/#\ntopic write kiezbox/v1/test/{BOX:08x}/#\n")
    broker.start()
    store = await Store.open(tmp_path / "data")
    await asyncio.gather(*(store.take(call_of(BOX + 1, number)) for number in range(1, 4)))
    await asyncio.gather(*(store.take(call_of(BOX, number)) for number in range(1, 31)))
    async with Subscriber(broker.port) as city, syncing(store, broker.url, version=5, pause_s=60.0) as running:
        await city.wait_for(30)
        await until(lambda: running.status.confirmed == 30)
        assert running.status.refused == 3
        assert len(await waiting_ids(store)) == 3
    broker.stop()
    await store.close()


async def test_city_that_refuses_a_whole_class_is_not_hammered(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker", f"acl_file {tmp_path}/acl\nmax_queued_messages 1000")
    (tmp_path / "acl").write_text("topic read kiezbox/#\npattern write kiezbox/v1/test/+/reading\n")
    broker.start()
    store = await Store.open(tmp_path / "data")
    await asyncio.gather(*(store.take(call(number, code=f"C{number}")) for number in range(1, 301)))
    await asyncio.gather(*(store.take(reading(number)) for number in range(1001, 1051)))
    async with Subscriber(broker.port) as city, syncing(store, broker.url, version=5, window=10) as running:
        await city.wait_for(50)
        assert {payload["kind"] for _, payload in city.messages} == {"reading"}
        # Twenty, and what was in the window then; not 300.
        assert running.status.refused <= 2 * (sync.REFUSALS_MAX + 10)
        assert len(await waiting_ids(store)) >= 300
    broker.stop()
    await store.close()


async def test_call_that_nobody_is_there_to_receive_stays(tmp_path: Path) -> None:
    """MQTT 5 brokers say so (reason code 0x10); a call confirmed like that would reach no person."""
    broker = Mosquitto(tmp_path / "broker")
    broker.start()
    store = await Store.open(tmp_path / "data")
    await store.take(call(1))
    await store.take(reading(2))
    async with syncing(store, broker.url, version=5) as running:
        await until(lambda: running.status.set_aside.get("nobody_there", 0) >= 2)
        await until(lambda: running.status.confirmed == 1)
        assert await waiting_ids(store) == {f"{BOX:08x}-00000001"}
        async with Subscriber(broker.port) as city:
            await city.wait_for(1)
            await until(lambda: nothing_waits(store))
            assert city.ids == [f"{BOX:08x}-00000001"]
    broker.stop()
    await store.close()


@pytest.mark.parametrize("version", [5])
async def test_message_longer_than_the_broker_takes(tmp_path: Path, version: int) -> None:
    broker = Mosquitto(tmp_path / "broker", "max_packet_size 700")
    broker.start()
    store = await Store.open(tmp_path / "data")
    await store.take(call_of(BOX, 1, "x" * 900))
    await store.take(call_of(BOX, 2))
    async with Subscriber(broker.port) as city, syncing(store, broker.url, version=version) as running:
        await city.wait_for(1)
        await until(lambda: running.status.confirmed == 1)
        assert city.messages[0][1]["counter"] == 2
        assert await waiting_ids(store) == {f"{BOX:08x}-00000001"}
        assert running.status.set_aside["too_long_for_the_broker"] >= 1
        assert running.status.connections == 1
    broker.stop()
    await store.close()


async def test_row_that_cannot_be_encoded_does_not_end_the_gateway(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker")
    broker.start()
    store = await Store.open(tmp_path / "data")
    await store.take(call(1))
    await store.submit(lambda connection: connection.execute("UPDATE message SET measured_s = ?", (1 << 60,)).rowcount)
    await store.take(call(2, code="SECOND22"))
    async with Subscriber(broker.port) as city, syncing(store, broker.url) as running:
        await city.wait_for(1)
        assert city.messages[0][1]["counter"] == 2
        assert running.status.set_aside["not_encodable"] >= 1
    broker.stop()
    await store.close()


async def test_command_that_breaks_something_comes_once_and_ends_nothing(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker")
    broker.start()
    store = await Store.open(tmp_path / "data")
    taken: list[bytes] = []

    async def take(topic: str, payload: bytes) -> None:
        taken.append(payload)
        if len(taken) == 1:
            raise KeyError("a mistake of ours")

    options: dict[str, Any] = {"command_topics": ["kiezbox/v1/test/command/answer"], "on_command": take}
    async with Subscriber(broker.port, "nothing/#") as city, syncing(store, broker.url, **options) as running:
        await until(lambda: running.status.connected)
        await asyncio.sleep(0.2)
        await city.publish("kiezbox/v1/test/command/answer", {"id": "1"})
        await city.publish("kiezbox/v1/test/command/answer", {"id": "2"})
        await until(lambda: len(taken) == 2)
        assert running.status.commands_failed == 1
        assert running.status.connections == 1
    broker.stop()
    await store.close()


async def test_damaged_store_ends_the_part_so_that_a_start_repairs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = Mosquitto(tmp_path / "broker")
    broker.start()
    store = await Store.open(tmp_path / "data")

    async def fail(outbox_class: OutboxClass, after: int, limit: int) -> None:
        raise StoreCorruptError("database disk image is malformed")

    monkeypatch.setattr(store, "waiting", fail)
    async with syncing(store, broker.url) as running:
        assert isinstance(running, CitySync)
        with pytest.raises(StoreCorruptError):
            await asyncio.wait_for(running.run(), 10)
    broker.stop()
    await store.close()
