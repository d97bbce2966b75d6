# SPDX-License-Identifier: Apache-2.0
"""Taking messages into custody durably: the gateway's store beside NATS JetStream with sync always and mosquitto with a
save per change, in turns in one run; memory at a backlog of a million; what a SIGKILL costs each.

A message counts when it is on disk and acknowledged. The peers are asked over loopback sockets, since that is how they
are used; the gateway's store is part of its process, since that is how it is used. What the gateway does before (proof
and decoding of a box's message) is a figure of its own, measured through its radio socket.
"""

import asyncio
import itertools
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nats
import psutil
from nats.js.api import StorageType, StreamConfig

from bench.figure import Figure
from bench.mqtt_load import SAVE_PER_CHANGE, Client, Mosquitto, free_port, wait_for_port
from kiezbox_gateway.store import messages
from kiezbox_gateway.store.rows import NewMessage
from kiezbox_gateway.store.store import Store

PAYLOAD = b"x" * 200
BODY = '"' + "x" * 198 + '"'
WINDOW = 100
ROUNDS = 5
OURS, JETSTREAM, MOSQUITTO = 10_000, 1_500, 400
BACKLOG = 1_000_000
KILLS = 5
NATS_SERVER = shutil.which("nats-server") or str(Path(sys.executable).with_name("nats-server"))


def _message(number: int) -> NewMessage:
    return NewMessage(f"0000002a-{number:08x}", "reading", 42, number, True, 1_780_000_000_000, 1_780_000_000, BODY)


class JetStream:
    """nats-server with a file stream, by default with a sync for every message."""

    def __init__(self, folder: Path, sync: str = "always") -> None:
        self.port = free_port()
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._configuration = folder / "nats.conf"
        self._configuration.write_text(
            f'port: {self.port}\nhost: "127.0.0.1"\njetstream {{ store_dir: "{folder}/js", sync_interval: {sync} }}\n'
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait for the port."""
        command = [NATS_SERVER, "-c", str(self._configuration)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(self.port)

    async def connect(self) -> tuple[Any, Any]:
        """(connection, JetStream context) with the stream made."""
        connection = await nats.connect(f"nats://127.0.0.1:{self.port}", allow_reconnect=False)
        context = connection.jetstream(publish_async_max_pending=4_000)
        await context.add_stream(StreamConfig(name="bench", subjects=["bench"], storage=StorageType.FILE))
        return connection, context

    def stop(self, *, kill: bool = False) -> None:
        """SIGTERM or SIGKILL."""
        if self.process is not None:
            self.process.kill() if kill else self.process.terminate()
            self.process.wait(30)
            self.process = None


async def _jetstream_publish(context: Any, count: int, window: int) -> int:
    """Acknowledged messages out of `count`."""
    acknowledged = 0
    numbers = iter(range(count))

    async def work() -> None:
        nonlocal acknowledged
        for _ in numbers:
            try:
                await context.publish("bench", PAYLOAD)
            except Exception:  # noqa: BLE001  The server was killed: what is not acknowledged does not count.
                return
            acknowledged += 1

    await asyncio.gather(*(work() for _ in range(window)))
    return acknowledged


async def _store_take(store: Store, numbers: Iterator[int], count: int, window: int) -> None:
    wanted = itertools.islice(numbers, count)

    async def work() -> None:
        for number in wanted:
            await store.take(_message(number))

    await asyncio.gather(*(work() for _ in range(window)))


async def _ingest(folder: Path, window: int, rounds: int, counts: tuple[int, int, int]) -> tuple[float, float, float]:
    """Median rates (ours, JetStream, mosquitto) of slices in turns."""
    store = await Store.open(folder / "store")
    numbers = itertools.count(1)
    jetstream = JetStream(folder / "jetstream")
    jetstream.start()
    connection, context = await jetstream.connect()
    broker = Mosquitto(folder / "mosquitto")
    broker.start("persistence true", *SAVE_PER_CHANGE)
    # A subscriber that is away, or the broker would keep nothing.
    away = Client(broker.port, "away", clean=False)
    away.session.subscribe(["bench"])
    away.flush()
    away.receive()
    away.close()
    publisher = Client(broker.port, "publisher")
    rates: tuple[list[float], list[float], list[float]] = ([], [], [])
    for _ in range(rounds):
        begun_s = time.perf_counter()
        await _store_take(store, numbers, counts[0], window)
        rates[0].append(counts[0] / (time.perf_counter() - begun_s))
        begun_s = time.perf_counter()
        assert await _jetstream_publish(context, counts[1], window) == counts[1]
        rates[1].append(counts[1] / (time.perf_counter() - begun_s))
        begun_s = time.perf_counter()
        payloads = itertools.repeat(PAYLOAD, counts[2])
        assert await asyncio.to_thread(publisher.publish_all, "bench", payloads, window) == counts[2]
        rates[2].append(counts[2] / (time.perf_counter() - begun_s))
    publisher.close()
    await connection.close()
    jetstream.stop()
    broker.stop(kill=True)
    await store.close()
    return statistics.median(rates[0]), statistics.median(rates[1]), statistics.median(rates[2])


def _start_quietly(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def _resident_mib(process_id: int) -> float:
    return float(psutil.Process(process_id).memory_info().rss) / 2**20


async def _memory(folder: Path) -> tuple[float, float, float]:
    """MiB of resident memory (ours, JetStream, mosquitto) of a process that has started on a backlog of BACKLOG."""
    script = folder / "holder.py"
    script.write_text(
        "import asyncio, sys\nfrom pathlib import Path\n"
        "from kiezbox_gateway import process, configuration\n"
        "from kiezbox_gateway.gateway import Gateway\n"
        "async def main():\n"
        "    gateway = await Gateway.start(configuration.load(Path(sys.argv[1])))\n"
        "    asyncio.get_running_loop().call_later(8, lambda: print('ready', flush=True))\n"
        "    await process.serve(gateway)\n"
        "asyncio.run(main())\n"
    )
    from kiezbox_gateway import provisioning

    values = {"name": "Bench", "district": "bench", "station": "Bench", "port": "0"}
    values |= {"radio": "tcp://127.0.0.1:1", "city": "mqtt://127.0.0.1:1"}
    configuration = provisioning.initialise(folder / "gateway", values)
    store = await Store.open(folder / "gateway" / "data")
    for begin in range(1, BACKLOG + 1, 20_000):
        await store.submit(
            lambda connection, begin=begin: [
                messages.take(connection, _message(n)) for n in range(begin, begin + 20_000)
            ]
        )
    await store.close()
    command = [sys.executable, str(script), str(configuration)]
    holder = await asyncio.to_thread(_start_quietly, command)
    assert holder.stdout is not None
    await asyncio.to_thread(holder.stdout.readline)
    ours = _resident_mib(holder.pid)
    holder.terminate()
    holder.wait(30)
    holder.stdout.close()

    jetstream = JetStream(folder / "jetstream", '"2m"')
    jetstream.start()
    connection, context = await jetstream.connect()
    for _ in range(BACKLOG // 2_000):
        for _ in range(2_000):
            await context.publish_async("bench", PAYLOAD)
        await context.publish_async_completed()
    await connection.close()
    jetstream.stop()
    jetstream.start()
    await asyncio.sleep(5)
    assert jetstream.process is not None
    theirs = _resident_mib(jetstream.process.pid)
    jetstream.stop()

    broker = Mosquitto(folder / "mosquitto")
    broker.start("persistence true")
    away = Client(broker.port, "away", clean=False)
    away.session.subscribe(["bench"])
    away.flush()
    away.receive()
    away.close()
    publisher = Client(broker.port, "publisher")
    assert publisher.publish_all("bench", itertools.repeat(PAYLOAD, BACKLOG), 1_000) == BACKLOG
    publisher.close()
    broker.stop()
    broker.start("persistence true")
    await asyncio.sleep(5)
    assert broker.process is not None
    mosquitto = _resident_mib(broker.process.pid)
    broker.stop(kill=True)
    return ours, theirs, mosquitto


async def _lost_store(folder: Path) -> int:
    """Acknowledged messages that are gone after SIGKILL of a process taking them in."""
    lost = 0
    worker = Path(__file__).parents[1] / "tests" / "gateway" / "torture" / "store_worker.py"
    for number in range(KILLS):
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(worker), "ingest", str(folder), str(number * 1_000_000 + 1),
            stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        )  # fmt: skip
        assert process.stdout is not None
        await process.stdout.readline()
        asyncio.get_running_loop().call_later(0.3, process.send_signal, signal.SIGKILL)
        lines = (await process.stdout.read()).decode().split("\n")[:-1]
        await process.wait()
        acknowledged = {line[2:] for line in lines if line.startswith("A ")}
        store = await Store.open(folder)
        stored = {row[0] for row in await store.rows("SELECT id FROM message")}
        await store.close()
        lost += len(acknowledged - stored)
    return lost


async def _lost_jetstream(folder: Path) -> int:
    lost = 0
    for number in range(KILLS):
        jetstream = JetStream(folder / str(number))
        jetstream.start()
        _, context = await jetstream.connect()
        asyncio.get_running_loop().call_later(0.3, jetstream.process.kill)  # type: ignore[union-attr]
        acknowledged = await asyncio.wait_for(_jetstream_publish(context, 100_000, WINDOW), 60)
        jetstream.stop(kill=True)
        jetstream.start()
        connection, context = await jetstream.connect()
        lost += max(0, acknowledged - (await context.stream_info("bench")).state.messages)
        await connection.close()
        jetstream.stop()
    return lost


def _lost_mosquitto(folder: Path, settings: tuple[str, ...]) -> int:
    """Of messages for a subscriber that is away; counted by letting it come back."""
    import threading

    lost = 0
    for number in range(KILLS):
        broker = Mosquitto(folder / str(number))
        broker.start("persistence true", *settings)
        away = Client(broker.port, "away", clean=False)
        away.session.subscribe(["bench"])
        away.flush()
        away.receive()
        away.close()
        publisher = Client(broker.port, "publisher")
        assert broker.process is not None
        timer = threading.Timer(0.3, broker.process.kill)
        timer.start()
        acknowledged = publisher.publish_all("bench", itertools.repeat(PAYLOAD), WINDOW)
        timer.join()
        publisher.close()
        broker.stop(kill=True)
        broker.start("persistence true")
        back = Client(broker.port, "away", clean=False)
        back._socket.settimeout(2.0)
        found = 0
        try:
            while True:
                for event in back.receive():
                    if type(event).__name__ == "Delivered":
                        found += 1
                        back.session.acknowledge(event.packet_id)  # type: ignore[union-attr]
                back.flush()
        except (TimeoutError, ConnectionError):
            pass
        back.close()
        broker.stop(kill=True)
        lost += max(0, acknowledged - found)
    return lost


async def _through_the_radio(folder: Path) -> tuple[float, float]:
    """(calls a second through the radio's socket with receipts heard by the boxes, milliseconds of one alone)."""
    from bench.gateway_radio import through_the_radio

    return await through_the_radio(folder)


def run() -> list[Figure]:
    """All figures."""
    figures = []
    with tempfile.TemporaryDirectory(dir=".") as name:
        rates = asyncio.run(_ingest(Path(name), WINDOW, ROUNDS, (OURS, JETSTREAM, MOSQUITTO)))
    how = (
        f"200 bytes, {WINDOW} unacknowledged at a time, median of {ROUNDS} slices in turns; a message counts when it is"
        " synced to disk and acknowledged; ours in its process, the peer over a loopback socket"
    )
    name = f"durable messages, window {WINDOW}"
    figures.append(Figure(name, rates[0], "messages/s", how, "NATS JetStream, sync always", rates[1]))
    figures.append(Figure(name, rates[0], "messages/s", how, "mosquitto, save per change", rates[2]))
    with tempfile.TemporaryDirectory(dir=".") as name:
        one = asyncio.run(_ingest(Path(name), 1, 3, (1_000, 1_000, 200)))
    how = "as above with one message at a time: both wait for one sync each"
    figures.append(
        Figure("durable messages, window 1", one[0], "messages/s", how, "NATS JetStream, sync always", one[1])
    )
    with tempfile.TemporaryDirectory(dir=".") as name:
        rate, alone_ms = asyncio.run(_through_the_radio(Path(name)))
    how = (
        "a whole gateway process: calls for help proven, opened, stored with sync, receipts back on the radio's socket"
        " and recognised by the boxes' own code; the load generator and the boxes run on the same two cores"
    )
    peer_how = how + "; the peer's rate is that of its slices above, 200 bytes as they are, nothing proven or opened"
    name = "calls for help through the radio's socket, receipt heard"
    figures.append(Figure(name, rate, "calls/s", peer_how, "NATS JetStream, sync always", rates[1]))
    figures.append(Figure("one call for help alone, until its receipt is on the radio's socket", alone_ms, "ms", how))
    with tempfile.TemporaryDirectory(dir=".") as name:
        ours, jetstream, mosquitto = asyncio.run(_memory(Path(name)))
    how = f"resident memory of a process started on {BACKLOG} waiting messages of 200 bytes; radio and city are away"
    figures.append(Figure("memory at a backlog of a million", ours, "MiB", how, "NATS JetStream", jetstream))
    figures.append(Figure("memory at a backlog of a million", ours, "MiB", how, "mosquitto", mosquitto))
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        lost = asyncio.run(_lost_store(folder / "store"))
        peers = {
            "NATS JetStream, sync always": asyncio.run(_lost_jetstream(folder / "jetstream")),
            "mosquitto, save per change": _lost_mosquitto(folder / "saving", SAVE_PER_CHANGE),
            "mosquitto, defaults (saves every 1800 s)": _lost_mosquitto(folder / "default", ()),
        }
    how = f"sum over {KILLS} SIGKILLs, each 0.3 s after the start of a load with {WINDOW} (ours 20) unacknowledged"
    for peer, theirs in peers.items():
        figures.append(Figure("acknowledged messages lost by SIGKILL", lost, "messages", how, peer, theirs))
    return figures
