# SPDX-License-Identifier: Apache-2.0
"""The outbox against real brokers: mosquitto in both protocol versions, with TLS, and amqtt."""

import asyncio
import contextlib
import json
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from amqtt.broker import Broker

from kiezbox_gateway.city import sync
from kiezbox_gateway.city.broker import BrokerAddress, BrokerConnection, BrokerError
from kiezbox_gateway.city.message import NativeProfile
from kiezbox_gateway.city.sync import CitySync
from kiezbox_gateway.store.rows import CLASS_OF_KIND, OutboxClass, StoreError
from kiezbox_gateway.store.store import Store
from tests.gateway.city.certificates import Authority
from tests.gateway.city_broker import Mosquitto, Subscriber, free_port
from tests.gateway.store.sample import BOX, call, reading
from tests.gateway.waiting import until


@pytest.fixture
def broker(tmp_path: Path) -> Any:
    made = Mosquitto(tmp_path / "broker")
    made.start()
    yield made
    made.stop()


@contextlib.asynccontextmanager
async def syncing(store: Store, url: str, **options: Any) -> AsyncIterator[CitySync]:
    version = options.pop("version", 4)
    files = options.pop("files", {})
    address = BrokerAddress(url, "kiezbox-test", version=version, **files)
    city = CitySync(store, address, NativeProfile("test", {BOX: "Box 1"}), retry_max_s=1.0, **options)
    task = asyncio.create_task(city.run())
    try:
        yield city
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def nothing_waits(store: Store) -> bool:
    return await store.rows("SELECT 1 FROM message WHERE confirmed_ms IS NULL LIMIT 1") == []


@pytest.mark.parametrize("version", [4, 5])
async def test_backlog_in_class_order_each_once(tmp_path: Path, broker: Mosquitto, version: int) -> None:
    store = await Store.open(tmp_path / "data")
    await asyncio.gather(*(store.take(reading(number)) for number in range(1, 501)))
    await asyncio.gather(*(store.take(call(number, code=f"C{number}")) for number in range(1001, 1031)))
    async with Subscriber(broker.port) as city, syncing(store, broker.url, version=version) as running:
        await city.wait_for(530)
        await until(lambda: nothing_waits(store))
        assert running.status.confirmed == 530
        assert [payload["counter"] for _, payload in city.messages] == [*range(1001, 1031), *range(1, 501)]
        await store.take(call(2000, code="LATE"))
        running.notify(OutboxClass.CALL)
        await city.wait_for(531)
    await store.close()


async def test_broker_that_stops_and_returns(tmp_path: Path, broker: Mosquitto) -> None:
    store = await Store.open(tmp_path / "data")
    async with Subscriber(broker.port) as city, syncing(store, broker.url, window=10) as running:
        await until(lambda: running.status.connected)
        for round_number in range(3):
            first = round_number * 1000
            for number in range(first + 1, first + 301):
                store.take(reading(number)).add_done_callback(lambda _: running.notify(OutboxClass.READING))
            await asyncio.sleep(0.05)
            broker.stop()
            await store.take(call(first + 900, code=f"C{round_number}"))
            running.notify(OutboxClass.CALL)
            await until(lambda: not running.status.connected)
            assert running.status.last_error is not None
            broker.start()
            await city.wait_for(301 * (round_number + 1))
        await until(lambda: nothing_waits(store))
        # Copies of one id are the same, byte for byte, so that deduplication by id is safe.
        by_id: dict[str, str] = {}
        for _, payload in city.messages:
            assert by_id.setdefault(payload["id"], json.dumps(payload)) == json.dumps(payload)
    await store.close()


async def test_nothing_is_marked_without_confirmation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that takes everything and confirms nothing: the messages stay, and the connection is renewed."""
    monkeypatch.setattr(sync, "CONFIRMATION_TIMEOUT_S", 0.5)
    taken = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await reader.read(1000)
            writer.write(b"\x20\x02\x00\x00")
            while data := await reader.read(10_000):
                taken += len(data)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    store = await Store.open(tmp_path / "data")
    await store.take(call(1))
    async with syncing(store, f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}") as running:
        await until(lambda: running.status.connections >= 3)
    assert taken > 500
    assert not await nothing_waits(store)
    server.close()
    await store.close()


async def test_garbage_on_the_brokers_port(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await reader.read(1000)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    with pytest.raises(BrokerError, match="is this an MQTT broker"):
        await BrokerConnection.open(BrokerAddress(f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}", "x"))
    server.close()
    with pytest.raises(BrokerError, match="Connection refused"):
        await BrokerConnection.open(BrokerAddress(f"mqtt://127.0.0.1:{free_port()}", "x"))


async def test_read_back_confirmation(tmp_path: Path, broker: Mosquitto) -> None:
    store = await Store.open(tmp_path / "data")
    await asyncio.gather(*(store.take(call(number, code=f"C{number}")) for number in range(1, 6)))
    async with (
        Subscriber(broker.port, "kiezbox/v1/test/+/call") as city,
        syncing(store, broker.url, readback=True),
    ):
        await city.wait_for(5)
        await asyncio.sleep(0.3)
        rows = await store.rows("SELECT count(*) FROM message WHERE confirmed_ms IS NULL")
        assert rows == [(5,)]
        await city.publish("kiezbox/v1/test/confirmed", b"garbage")
        await city.publish("kiezbox/v1/test/confirmed", {"ids": [*city.ids[:3], "unknown", 7]})

        async def three_left() -> bool:
            return await store.rows("SELECT count(*) FROM message WHERE confirmed_ms IS NULL") == [(2,)]

        await until(three_left)
    await store.close()


async def test_rate_of_readings_after_an_outage(tmp_path: Path, broker: Mosquitto) -> None:
    store = await Store.open(tmp_path / "data")
    await asyncio.gather(*(store.take(reading(number)) for number in range(1, 201)))
    await asyncio.gather(*(store.take(call(number, code=f"C{number}")) for number in range(1001, 1101)))
    async with Subscriber(broker.port) as city, syncing(store, broker.url, readings_per_s=50):
        begun_s = asyncio.get_running_loop().time()
        await city.wait_for(100)
        assert all(payload["kind"] == "call" for _, payload in city.messages[:100])
        await city.wait_for(300)
        assert 2.5 < asyncio.get_running_loop().time() - begun_s < 8
    await store.close()


async def test_commands_are_acknowledged_after_they_are_stored_only(tmp_path: Path, broker: Mosquitto) -> None:
    """A command that could not be stored comes again; one that was does not."""
    store = await Store.open(tmp_path / "data")
    taken: list[bytes] = []
    fails = 2

    async def take(topic: str, payload: bytes) -> None:
        nonlocal fails
        taken.append(payload)
        if fails:
            fails -= 1
            raise StoreError("disk full")

    options: dict[str, Any] = {"command_topics": ["kiezbox/v1/test/command/answer"], "on_command": take}
    async with Subscriber(broker.port, "nothing/#") as city, syncing(store, broker.url, **options) as running:
        await until(lambda: running.status.connected)
        await asyncio.sleep(0.2)
        await city.publish("kiezbox/v1/test/command/answer", {"id": "1"})
        await until(lambda: len(taken) == 3)
        await city.publish("kiezbox/v1/test/command/answer", {"id": "2"})
        await until(lambda: len(taken) == 4)
    await store.close()


async def test_commands_given_while_the_gateway_was_away(tmp_path: Path, broker: Mosquitto) -> None:
    store = await Store.open(tmp_path / "data")
    taken: list[bytes] = []

    async def take(topic: str, payload: bytes) -> None:
        taken.append(payload)

    options: dict[str, Any] = {"command_topics": ["kiezbox/v1/test/command/answer"], "on_command": take}
    async with syncing(store, broker.url, **options) as running:
        await until(lambda: running.status.connected)
        await asyncio.sleep(0.2)
    async with Subscriber(broker.port, "nothing/#") as city:
        await city.publish("kiezbox/v1/test/command/answer", {"id": "1"})
    async with syncing(store, broker.url, **options):
        await until(lambda: len(taken) == 1)
    await store.close()


async def test_client_certificates(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    server_certificate, server_key = authority.issue("server")
    certificate, key = authority.issue("gateway")
    stranger_certificate, stranger_key = Authority(tmp_path / "other", "Somebody else").issue("stranger")
    tls = Mosquitto(
        tmp_path / "broker",
        f"cafile {authority.ca_file}\ncertfile {server_certificate}\nkeyfile {server_key}\nrequire_certificate true",
    )
    tls.start()
    url = f"mqtts://127.0.0.1:{tls.port}"
    store = await Store.open(tmp_path / "data")
    await store.take(call(1))
    files = {"ca_file": authority.ca_file, "certificate_file": certificate, "certificate_key_file": key}
    async with syncing(store, url, files=files):
        await until(lambda: nothing_waits(store))
    with pytest.raises(BrokerError, match="not accepted"):
        await BrokerConnection.open(BrokerAddress(url, "x", ca_file=tmp_path / "other" / "ca.pem"))
    stranger = {"certificate_file": stranger_certificate, "certificate_key_file": stranger_key}
    with pytest.raises(BrokerError):
        await BrokerConnection.open(BrokerAddress(url, "x", ca_file=authority.ca_file, **stranger))
    with pytest.raises(BrokerError, match="cannot be used"):
        await BrokerConnection.open(BrokerAddress(url, "x", ca_file=tmp_path / "missing.pem"))
    tls.stop()
    await store.close()


async def test_password(tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    password_file = tmp_path / "broker" / "passwords"
    password_file.touch()
    command = ["mosquitto_passwd", "-b", str(password_file), "gateway", "secret"]
    await asyncio.to_thread(subprocess.run, command, check=True)
    secured = Mosquitto(tmp_path / "broker", f"password_file {password_file}", anonymous=False)
    secured.start()
    with pytest.raises(BrokerError, match="refuses the gateway"):
        await BrokerConnection.open(BrokerAddress(secured.url, "x", "gateway", b"wrong"))
    for version in (4, 5):
        good = await BrokerConnection.open(BrokerAddress(secured.url, "x", "gateway", b"secret", version=version))
        await good.close()
    secured.stop()


async def test_amqtt(tmp_path: Path) -> None:
    port = free_port()
    settings = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }
    broker = Broker(settings)
    await broker.start()
    store = await Store.open(tmp_path / "data")
    await asyncio.gather(*(store.take(reading(number)) for number in range(1, 201)))
    await store.take(call(1001))
    try:
        async with Subscriber(port) as city, syncing(store, f"mqtt://127.0.0.1:{port}", window=20):
            await city.wait_for(201)
            await until(lambda: nothing_waits(store))
            assert city.messages[0][1]["kind"] == "call"
    finally:
        await broker.shutdown()
        await store.close()


def test_every_kind_has_a_class() -> None:
    wanted: Callable[[str], OutboxClass] = CLASS_OF_KIND.__getitem__
    assert wanted("call") is OutboxClass.CALL
    assert [each.name for each in OutboxClass] == [
        "CALL", "TEXT", "STAGE", "MODE", "EXERCISE", "HEALTH", "SURPLUS", "READING",
    ]  # fmt: skip
