# SPDX-License-Identifier: Apache-2.0
"""Writes that fail in the middle: the kernel lets the files of a running gateway grow no further (RLIMIT_FSIZE, EFBIG).

A full disk of another kind: no reserve and no shedding helps, there seems to be room, and SQLite sees an I/O error.
"""

import asyncio
import resource
from pathlib import Path

import psutil

from kiezbox.protocol import envelope
from kiezbox_gateway.store.store import Store
from tests.gateway.city_broker import Mosquitto, Subscriber
from tests.gateway.deployment import Deployment, GatewayProcess, emergency
from tests.gateway.radio_peer import RadioPeer
from tests.gateway.waiting import until

UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


async def test_write_errors_while_taking_in_and_draining(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker")
    broker.start()
    async with RadioPeer() as radio, Subscriber(broker.port, "kiezbox/v1/test/+/call") as city:
        deployment = Deployment(tmp_path / "gateway", radio=radio.address, city=broker.url, boxes=1)
        radio.channels[0].settings.psk = deployment.channel_key
        box = deployment.box(0)
        radio.on_packet = lambda packet: box.hear(packet.decoded.payload)
        gateway = GatewayProcess(deployment)
        await gateway.start()
        await radio.wait_for(lambda: radio.configured_clients > 0)
        assert gateway.process is not None
        process = psutil.Process(gateway.process.pid)
        log = deployment.configuration.gateway.data_dir / "gateway.sqlite-wal"
        acknowledged: list[int] = []

        async def leaves_custody(counter: int) -> bool:
            # A long call has several fragments, which the box sends one after the other, and again when it has to.
            for payload in box.due(20_000):
                radio.deliver(box.node_num, envelope.PORTNUM, payload)
            await asyncio.sleep(0.1)
            return not box.is_in_custody(counter)

        async def send(number: int, wait_s: float) -> bool:
            counter, payloads = box.send("emergency", emergency(f"Notruf {number} " + "x" * 300, f"C{number}"))
            for payload in payloads:
                radio.deliver(box.node_num, envelope.PORTNUM, payload)
            try:
                await until(lambda: leaves_custody(counter), wait_s)
            except TimeoutError:
                return False
            acknowledged.append(counter)
            return True

        assert await send(0, 10)
        for round_number in range(1, 4):
            # Cut inside a page of the log, at another place each time.
            limit = log.stat().st_size + 700 * round_number
            process.rlimit(psutil.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            assert not await send(10 * round_number, 1.5)
            status = await gateway.get("/api/v1/status")
            assert status["custody"]["alarm"]
            assert status["faults"] == {}
            process.rlimit(psutil.RLIMIT_FSIZE, UNLIMITED)
            assert await send(10 * round_number + 1, 10)

            # What was refused comes again by itself.
            for message in list(box.endpoint.custody.messages):
                await until(lambda counter=message.counter: leaves_custody(counter), 20)
            assert (await gateway.get("/api/v1/status"))["custody"]["alarm"] is None
        await city.wait_for(7)
        await until(gateway.nothing_waits, 20)
        await gateway.kill()
        store = await Store.open(deployment.configuration.gateway.data_dir)
        stored = {row[0] for row in await store.rows("SELECT counter FROM message WHERE kind = 'call'")}
        await store.close()
        assert set(acknowledged) <= stored
        assert len(stored) == len(set(city.ids)) == 7
    broker.stop()
    assert "Traceback" not in (tmp_path / "gateway" / "log").read_text()
