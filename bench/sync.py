# SPDX-License-Identifier: Apache-2.0
"""Emptying a backlog into the city: the gateway's sync beside a mosquitto bridge that saves every change, in turns.

Both hold the backlog on disk, both have the same window, both deliver to the same kind of broker, and the same
subscriber counts. The rate is that between the first and the last message it got.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import aiomqtt

from bench.figure import Figure
from bench.mqtt_load import SAVE_PER_CHANGE, Client, Counter, Mosquitto, free_port
from kiezbox_gateway.city.broker import BrokerAddress
from kiezbox_gateway.city.message import NativeProfile
from kiezbox_gateway.city.sync import CitySync
from kiezbox_gateway.store import messages
from kiezbox_gateway.store.rows import Call, NewMessage, OutboxClass
from kiezbox_gateway.store.store import Store
from tests.gateway.waiting import until

COUNT = 20_000
ROUNDS = 3
WINDOW = 100
# Messages read and marked together; inside a step the window slides.
AIOMQTT_STEP = 2_000
BODY = '{"sequence":1,"samples":[{"temperature_cc":2100,"humidity_dpct":455}]}'
TOPIC = "kiezbox/v1/bench/#"


def _reading(counter: int) -> NewMessage:
    return NewMessage(f"0000002a-{counter:08x}", "reading", 42, counter, True, 1_780_000_000_000, 1_780_000_000, BODY)


async def _filled_store(folder: Path, count: int) -> Store:
    store = await Store.open(folder)
    for begin in range(1, count + 1, 5_000):
        numbers = range(begin, min(begin + 5_000, count + 1))
        await store.submit(
            lambda connection, numbers=numbers: [messages.take(connection, _reading(n)) for n in numbers]
        )
    return store


def _sync(store: Store, port: int) -> CitySync:
    address = BrokerAddress(f"mqtt://127.0.0.1:{port}", "bench")
    return CitySync(store, address, NativeProfile("bench", {42: "Box"}), window=WINDOW)


async def _gateway_drain(folder: Path) -> float:
    store = await _filled_store(folder / "data", COUNT)
    city = Mosquitto(folder / "city")
    city.start()
    counter = await asyncio.to_thread(Counter, city.port, TOPIC, COUNT)
    task = asyncio.create_task(_sync(store, city.port).run())
    rate = await asyncio.to_thread(counter.rate)
    await until(lambda: _nothing_waits(store))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await store.close()
    city.stop()
    return rate


async def _aiomqtt_drain(folder: Path) -> float:
    """The same by aiomqtt: read, encode, publish with so many unconfirmed, mark what is confirmed in one go."""
    store = await _filled_store(folder / "data", COUNT)
    city = Mosquitto(folder / "city")
    city.start()
    counter = await asyncio.to_thread(Counter, city.port, TOPIC, COUNT)
    profile = NativeProfile("bench", {42: "Box"})
    after = 0
    async with aiomqtt.Client("127.0.0.1", city.port, max_inflight_messages=WINDOW) as client:
        client.pending_calls_threshold = WINDOW + 1

        async def work(rows: Iterator[messages.Waiting]) -> None:
            for row in rows:
                await client.publish(*profile.encode(row), qos=1)

        while found := await store.waiting(OutboxClass.READING, after, AIOMQTT_STEP):
            rows = iter(found)
            await asyncio.gather(*(work(rows) for _ in range(WINDOW)))
            store.confirm([row.sequence for row in found], 1)
            after = found[-1].sequence
    rate = await asyncio.to_thread(counter.rate)
    await until(lambda: _nothing_waits(store))
    await store.close()
    city.stop()
    return rate


def _payloads(count: int) -> Iterator[bytes]:
    # As long as the gateway's own message.
    profile = NativeProfile("bench", {42: "Box"})
    for number in range(1, count + 1):
        each = _reading(number)
        yield profile.encode(
            messages.Waiting(
                number,
                each.id,
                each.kind,
                42,
                number,
                True,
                each.received_ms,
                each.measured_s,
                each.body,
                OutboxClass.READING,
            )
        )[1]


def _bridge_drain(folder: Path, settings: tuple[str, ...]) -> float:
    city_port = free_port()
    bridge = (
        "connection city", f"address 127.0.0.1:{city_port}", "topic kiezbox/# out 1", "cleansession false",
        "restart_timeout 1", "notifications false", "try_private false",
    )  # fmt: skip
    local = Mosquitto(folder / "local")
    # Filled without saving every change, which would take minutes; SIGTERM saves it all.
    local.start("persistence true", *bridge)
    publisher = Client(local.port, "filler")
    publisher.publish_all("kiezbox/v1/bench/0000002a/reading", _payloads(COUNT), 1_000)
    publisher.close()
    local.stop()
    city = Mosquitto(folder / "city", city_port)
    city.start()
    counter = Counter(city.port, TOPIC, COUNT)
    local.start("persistence true", *settings, f"max_inflight_messages {WINDOW}", *bridge)
    rate = counter.rate()
    local.stop()
    city.stop()
    return rate


async def _nothing_waits(store: Store) -> bool:
    return not await store.rows("SELECT 1 FROM message WHERE confirmed_ms IS NULL LIMIT 1")


async def _is_confirmed(store: Store, sequence: int) -> bool:
    return bool(await store.rows("SELECT 1 FROM message WHERE sequence = ? AND confirmed_ms > 0", (sequence,)))


async def _call_in_backlog(folder: Path) -> float:
    """Milliseconds from storing a call until the city has confirmed it, behind a backlog of readings."""
    store = await _filled_store(folder / "data", 5 * COUNT)
    city = Mosquitto(folder / "city")
    city.start()
    sync = _sync(store, city.port)
    task = asyncio.create_task(sync.run())
    await until(lambda: sync.status.confirmed >= COUNT // 2)
    times_ms = []
    for number in range(20):
        begun_s = time.perf_counter()
        call = NewMessage(f"0000002b-{number:08x}", "call", 43, number, True, 1, None, "{}", Call("C"))
        stored = await store.take(call)
        sync.notify(OutboxClass.CALL)
        sequence = stored.sequence
        await until(lambda sequence=sequence: _is_confirmed(store, sequence))
        times_ms.append((time.perf_counter() - begun_s) * 1000)
    behind = (await store.rows("SELECT count(*) FROM message WHERE confirmed_ms IS NULL"))[0][0]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await store.close()
    city.stop()
    assert behind > 0, "the backlog was gone before the last call"
    return statistics.median(times_ms)


def run() -> list[Figure]:
    """Drain rates, and how long a call waits behind a backlog."""
    ours: list[float] = []
    saving: list[float] = []
    plain: list[float] = []
    library: list[float] = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(dir=".") as name:
            library.append(asyncio.run(_aiomqtt_drain(Path(name))))
        with tempfile.TemporaryDirectory(dir=".") as name:
            ours.append(asyncio.run(_gateway_drain(Path(name))))
        with tempfile.TemporaryDirectory(dir=".") as name:
            saving.append(_bridge_drain(Path(name), SAVE_PER_CHANGE))
        with tempfile.TemporaryDirectory(dir=".") as name:
            plain.append(_bridge_drain(Path(name), ()))
    with tempfile.TemporaryDirectory(dir=".") as name:
        call_ms = asyncio.run(_call_in_backlog(Path(name)))
    how = (
        f"{COUNT} messages of 290 bytes on disk, window {WINDOW}, QoS 1, to a mosquitto with one subscriber; median of"
        f" {ROUNDS} rounds in turns; each message is marked on disk when the city has confirmed it"
    )
    drain = statistics.median(ours)
    saving_rate = statistics.median(saving)
    saver = "mosquitto bridge, save per change"
    return [
        Figure("backlog drained", drain, "messages/s", how, saver, saving_rate),
        Figure(
            "backlog drained, beside a bridge that loses its queue on SIGKILL",
            drain,
            "messages/s",
            how + "; this peer saves every 1800 s only",
            "mosquitto bridge, unlimited queue",
            statistics.median(plain),
        ),
        Figure(
            "backlog drained, beside the same work through aiomqtt",
            drain,
            "messages/s",
            how + "; the peer is this gateway's store and encoder with the library in the place of city/mqtt.py",
            "aiomqtt",
            statistics.median(library),
        ),
        Figure(
            "call for help behind a backlog, until the city has it",
            call_ms,
            "ms",
            f"median of 20 calls stored while {5 * COUNT} readings drain; the peer has one order, so its call waits for"
            " all of them: computed from its rate above",
            saver,
            5 * COUNT / saving_rate * 1000,
        ),
    ]
