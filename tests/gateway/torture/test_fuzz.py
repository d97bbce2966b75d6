# SPDX-License-Identifier: Apache-2.0
"""A whole gateway under three fuzzers at once: bytes from the radio, from the city's broker, and at the web port.

Each sends genuine traffic with mutations, since what is nearly right gets deepest. Meanwhile nothing may raise unseen,
and afterwards the gateway takes a call for help, gives its receipt, hands it to the city and answers over HTTP as if
nothing had been. Seeds are fixed; KIEZBOX_LONG=1 fuzzes for half an hour.
"""

import asyncio
import contextlib
import json
import math
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from meshtastic.protobuf import mesh_pb2, portnums_pb2

from kiezbox.protocol import envelope
from tests.gateway.city_broker import Mosquitto, Subscriber
from tests.gateway.deployment import Box, Deployment, GatewayProcess, emergency, reading
from tests.gateway.radio_peer import RadioPeer, frame
from tests.gateway.waiting import until

DURATION_S = 1_800.0 if os.environ.get("KIEZBOX_LONG") else 6.0
SEED = 2027
PORTS = (1, 5, 67, envelope.PORTNUM)
COMMANDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("answer", {"id": "1", "call": "K7QX2M9A", "station": "Wache", "text": "Text", "stage": 5}),
    (
        "bulletin",
        {"id": "2", "headline": "Titel", "text": "Text", "source": "Amt", "language": "de", "lifetime_s": 600},
    ),
    ("mode", {"id": "3", "mode": "exercise", "lifetime_s": 600}),
)
HEAD = b" HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer TOKEN\r\n"
JSON_HEAD = HEAD + b"Content-Type: application/json\r\n"
REQUESTS = (
    b"GET /api/v1/messages?limit=5&kind=reading&box=7c3e5100&before=9" + HEAD + b"\r\n",
    b"POST /api/v1/mode" + JSON_HEAD + b'Content-Length: 19\r\n\r\n{"mode":"exercise"}',
    b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"POST /api/v1/calls/K7QX2M9A/stage"
    + JSON_HEAD
    + b'Transfer-Encoding: chunked\r\n\r\nb\r\n{"stage":3}\r\n0\r\n\r\n',
    b"DELETE /api/v1/calls/K7QX2M9A" + HEAD + b"\r\n",
)


def mutate(chance: random.Random, raw: bytes, changes: int = 4) -> bytes:
    """The same with a few bytes changed, cut out, doubled or put in."""
    data = bytearray(raw)
    for _ in range(chance.randint(1, changes)):
        position = chance.randrange(len(data) + 1)
        what = chance.randrange(5)
        if what == 0 and position < len(data):
            data[position] ^= 1 << chance.randrange(8)
        elif what == 1:
            del data[position : position + chance.randint(1, 8)]
        elif what == 2:
            data[position:position] = chance.randbytes(chance.randint(1, 8))
        elif what == 3:
            data[position:position] = data[position : position + chance.randint(1, 32)]
        elif position < len(data):
            data[position] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
    return bytes(data)


class MutatingProxy:
    """Between the gateway and its broker; while `hostile`, some of what the broker says is mutated."""

    def __init__(self, port: int, chance: random.Random) -> None:
        self.hostile = True
        self.mutated = 0
        self._port = port
        self._chance = chance
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "MutatingProxy":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"mqtt://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            broker_reader, broker_writer = await asyncio.open_connection("127.0.0.1", self._port)
            up = asyncio.ensure_future(self._pump(reader, broker_writer, lambda data: data))
            down = asyncio.ensure_future(self._pump(broker_reader, writer, self._spoil))
            try:
                await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in (up, down):
                    each.cancel()
                await asyncio.gather(up, down, return_exceptions=True)
                broker_writer.close()
        writer.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, change: Callable[[bytes], bytes]
    ) -> None:
        while data := await reader.read(4096):
            writer.write(change(data))
            await writer.drain()

    def _spoil(self, data: bytes) -> bytes:
        if not self.hostile or self._chance.random() < 0.7:
            return data
        self.mutated += 1
        return mutate(self._chance, data)


class Fuzzers:
    """What is sent at which door, and how much of it."""

    def __init__(
        self, gateway: GatewayProcess, radio: RadioPeer, boxes: list[Box], city: Subscriber, chance: random.Random
    ) -> None:
        self.gateway = gateway
        self.radio = radio
        self.boxes = boxes
        self.city = city
        self.chance = chance
        self.end_s = time.monotonic() + DURATION_S
        self.counts = {"radio": 0, "command": 0, "http": 0}

    async def run(self) -> None:
        await asyncio.gather(self._radio(), self._commands(), *(self._http() for _ in range(3)))

    def _over(self) -> bool:
        return time.monotonic() > self.end_s

    def _packet(self) -> bytes:
        """A genuine frame of the stream, sometimes with a mutated payload inside."""
        chance = self.chance
        message = mesh_pb2.FromRadio()
        box = chance.choice(self.boxes)
        portnum = chance.choice(PORTS)
        payload = b"\x18\x00"
        if portnum == envelope.PORTNUM:
            kind = chance.choice(("reading", "health", "query", "emergency"))
            values: dict[str, dict[str, Any]] = {
                "reading": reading(chance.randint(1, 1 << 31)), "query": {"code": "K7QX2M9A"}, "emergency": emergency(),
                "health": {"battery_mv": 3_900, "mode": 1, "mode_epoch": chance.randrange(3)},
            }  # fmt: skip
            counter, payloads = box.send(kind, values[kind])
            box.endpoint.cancel(counter)
            payload = chance.choice(payloads) if payloads else b""
        elif portnum == portnums_pb2.PortNum.TELEMETRY_APP:
            payload = chance.randbytes(20)
        elif portnum == 1:
            payload = chance.randbytes(chance.randrange(60))
        if chance.random() < 0.5:
            payload = mutate(chance, payload)
        packet = message.packet
        setattr(packet, "from", chance.choice((box.node_num, self.radio.node_num, chance.getrandbits(32))))
        packet.to, packet.id, packet.channel = 0xFFFFFFFF, chance.getrandbits(32), chance.choice((0, 0, 0, 1, 7))
        packet.rx_rssi, packet.rx_snr = (
            chance.randint(-(1 << 31), (1 << 31) - 1),
            chance.choice((5.25, -1e30, 0.0, math.nan, math.inf)),
        )
        packet.hop_start, packet.hop_limit = chance.getrandbits(3), chance.getrandbits(32)
        packet.decoded.portnum, packet.decoded.payload = portnum, payload
        packet.decoded.request_id, packet.decoded.emoji = chance.getrandbits(32), chance.choice((0, 0, 1))
        return frame(message)

    async def _radio(self) -> None:
        radio = self.radio
        while not self._over():
            for _ in range(20):
                raw = self._packet()
                if self.chance.random() < 0.4:
                    raw = mutate(self.chance, raw)
                radio.raw(raw if self.chance.random() < 0.97 else self.chance.randbytes(700))
                self.counts["radio"] += 1
            if self.chance.random() < 0.02:
                radio.kick()
            # Let it read: what the socket's buffers hold would come after the fuzzing.
            await asyncio.sleep(0.02)

    async def _commands(self) -> None:
        while not self._over():
            kind, values = self.chance.choice(COMMANDS)
            raw = json.dumps({**values, "id": str(self.chance.randrange(50))}).encode()
            with contextlib.suppress(Exception):
                topic = f"kiezbox/v1/test/command/{self.chance.choice((kind, kind, 'answer', 'x'))}"
                await self.city.publish(topic, mutate(self.chance, raw))
                self.counts["command"] += 1
            await asyncio.sleep(0.01)

    async def _http(self) -> None:
        while not self._over():
            raw = self.chance.choice(REQUESTS).replace(b"TOKEN", self.gateway.deployment.token.encode())
            if self.chance.random() < 0.9:
                raw = mutate(self.chance, raw, 6)
            with contextlib.suppress(OSError, TimeoutError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.gateway.port)
                try:
                    writer.write(raw)
                    await asyncio.wait_for(reader.read(65_536), 0.05)
                finally:
                    writer.transport.abort()
            self.counts["http"] += 1


def resident_mib(gateway: GatewayProcess) -> float:
    assert gateway.process is not None
    return float(psutil.Process(gateway.process.pid).memory_info().rss) / 2**20


async def test_three_fuzzers_at_once(tmp_path: Path, note_result: Callable[[str], None]) -> None:
    chance = random.Random(SEED)
    broker = Mosquitto(tmp_path / "broker")
    broker.start()
    commands = {'commands = ["answer", "bulletin"]': 'commands = ["answer", "bulletin", "mode"]'}
    async with (
        RadioPeer() as radio,
        Subscriber(broker.port, "kiezbox/v1/test/+/call") as city,
        MutatingProxy(broker.port, chance) as proxy,
    ):
        deployment = Deployment(tmp_path / "gateway", radio=radio.address, city=proxy.url, settings=commands)
        radio.channels[0].settings.psk = deployment.channel_key
        boxes = [deployment.box(index) for index in range(2)]
        gateway = GatewayProcess(deployment)
        await gateway.start()
        await radio.wait_for(lambda: radio.configured_clients > 0)
        try:
            fuzzers = Fuzzers(gateway, radio, boxes, city, chance)
            first_mib = resident_mib(gateway)
            await fuzzers.run()
            grown_mib = resident_mib(gateway) - first_mib
            proxy.hostile = False
            status = await gateway.get("/api/v1/status")
            assert status["faults"] == {}
            radio.kick()
            connections = radio.configured_clients
            await radio.wait_for(lambda: radio.configured_clients > connections, 20)
            box = boxes[0]
            radio.on_packet = lambda packet: box.hear(packet.decoded.payload)
            counter, payloads = box.send("emergency", emergency("Nach dem Sturm", "STORM234"))

            async def has_receipt() -> bool:
                for payload in [*payloads, *box.due(20_000)]:
                    radio.deliver(box.node_num, envelope.PORTNUM, payload)
                await asyncio.sleep(0.2)
                return not box.is_in_custody(counter)

            await until(has_receipt, 30)
            wanted = f"{box.node_num:08x}-{counter:08x}"
            await until(lambda: wanted in city.ids, 60)
            found = await gateway.get("/api/v1/calls/STORM234")
            assert found["body"]["text"] == "Nach dem Sturm"
            assert (await gateway.get("/api/v1/status"))["radio"]["queue_length"] <= 129
        finally:
            await gateway.stop()
        sent = ", ".join(f"{count} at the {door} door" for door, count in fuzzers.counts.items())
        note_result(f"fuzzers: {sent}, {proxy.mutated} mutated reads from the broker; {grown_mib:.0f} MiB more in use")
        # What is thrown at it for long must not stay: every queue is bounded.
        assert grown_mib < 100, grown_mib
        assert min(fuzzers.counts.values()) > 50
        assert proxy.mutated > 3
    broker.stop()
    log = (tmp_path / "gateway" / "log").read_text()
    for unseen in ("Traceback", "never retrieved", "Exception in callback"):
        assert unseen not in log
