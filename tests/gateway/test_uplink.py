# SPDX-License-Identifier: Apache-2.0
"""Boxes on Wi-Fi over a real mosquitto of the gateway's own, while the city is away; and what else arrives there."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from pathlib import Path

import aiomqtt
import pytest

from kiezbox_gateway.store.rows import Stored, StoreFullError
from tests.gateway.city_broker import Mosquitto
from tests.gateway.deployment import emergency, reading
from tests.gateway.running import Running, running_gateway
from tests.gateway.waiting import until

UP, DOWN = "kiezbox/v1/test/up/", "kiezbox/v1/test/down"


def with_uplink(broker: Mosquitto) -> dict[str, str]:
    return {'url = ""': f'url = "{broker.url}"'}


@pytest.fixture
def local(tmp_path: Path) -> Mosquitto:
    return Mosquitto(tmp_path / "local")


@contextlib.asynccontextmanager
async def wifi(broker: Mosquitto, running: Running) -> AsyncIterator[aiomqtt.Client]:
    """A client that hands to all boxes what comes down."""
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.subscribe(DOWN)

        async def hear() -> None:
            async for message in client.messages:
                assert isinstance(message.payload, bytes)
                for box in running.boxes:
                    box.hear(message.payload)

        task = asyncio.create_task(hear())
        try:
            yield client
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def connected(running: Running) -> None:
    uplink = running.gateway.uplink
    assert uplink is not None
    await until(lambda: uplink.status.connected)
    await asyncio.sleep(0.2)


async def test_call_over_wifi_without_radio_and_city(tmp_path: Path, local: Mosquitto) -> None:
    local.start()
    async with running_gateway(tmp_path / "gateway", settings=with_uplink(local)) as running:
        await connected(running)
        await running.radio.stop()
        await until(lambda: not running.gateway.link.can_send)
        async with wifi(local, running) as client:
            box = running.boxes[0]
            counter, payloads = box.send("emergency", emergency())
            for payload in payloads:
                await client.publish(f"{UP}{box.node_num:08x}", payload, qos=1)
            await until(lambda: not box.is_in_custody(counter))
            # The same message once more, over the air of another box's report: one row, and it is acknowledged again.
            for payload in payloads:
                await client.publish(f"{UP}{box.node_num:08x}", payload, qos=1)
            # An answer and a mode reach the box by the same door.
            await running.request("POST", "/api/v1/calls/K7QX2M9A/stage", {"stage": 5, "text": "Hilfe kommt"})
            await running.request("POST", "/api/v1/mode", {"mode": "emergency"})
            await until(
                lambda: (
                    {"ModeCommanded", "StageChanged"} <= {type(event).__name__ for event in box.events}
                    and any(getattr(event, "text", "") == "Hilfe kommt" for event in box.events)
                )
            )
            rows = await running.gateway.store.rows("SELECT count(*) FROM message WHERE kind = 'call'")
            assert rows == [(1,)]
            _, status = await running.request("GET", "/api/v1/status")
            assert status["uplink"]["connected"]
            assert status["uplink"]["received"] >= 2 * len(payloads)
    local.stop()


async def test_both_doors_lead_to_one_row(tmp_path: Path, local: Mosquitto) -> None:
    local.start()
    async with running_gateway(tmp_path / "gateway", settings=with_uplink(local)) as running:
        await connected(running)
        box = running.boxes[0]
        async with wifi(local, running) as client:
            for number in range(1, 21):
                _, payloads = box.send("reading", reading(number))
                for payload in payloads:
                    running.deliver(box, [payload])
                    await client.publish(f"{UP}{box.node_num:08x}", payload, qos=1)
            await running.stored(20)
            await until(lambda: running.gateway.custody.status.duplicates >= 20)
            rows = await running.gateway.store.rows("SELECT count(*) FROM message WHERE kind = 'reading'")
            assert rows == [(20,)]
    local.stop()


async def test_message_that_could_not_be_stored_comes_again(
    tmp_path: Path, local: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.start()
    async with running_gateway(tmp_path / "gateway", settings=with_uplink(local)) as running:
        await connected(running)
        real = running.gateway.store.take
        failures = 3

        def take(message: object) -> "asyncio.Future[Stored]":
            nonlocal failures
            if failures:
                failures -= 1
                future: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
                future.set_exception(StoreFullError("database or disk is full"))
                return future
            return real(message)  # type: ignore[arg-type]

        monkeypatch.setattr(running.gateway.store, "take", take)
        box = running.boxes[0]
        async with aiomqtt.Client("127.0.0.1", local.port) as client:
            _, payloads = box.send("reading", reading(1))
            # Published once: only the broker can bring it again.
            await client.publish(f"{UP}{box.node_num:08x}", payloads[0], qos=1)
        await running.stored(1)
        assert failures == 0
        assert running.gateway.uplink is not None
        assert running.gateway.uplink.status.connections >= 3
    local.stop()


async def test_broker_keeps_messages_while_the_gateway_is_away(tmp_path: Path, local: Mosquitto) -> None:
    local.start()
    async with running_gateway(tmp_path / "gateway", settings=with_uplink(local)) as running:
        await connected(running)
        deployment, boxes = running.deployment, running.boxes
    async with aiomqtt.Client("127.0.0.1", local.port) as client:
        _, payloads = boxes[0].send("reading", reading(1))
        await client.publish(f"{UP}{boxes[0].node_num:08x}", payloads[0], qos=1)
    local.stop()
    local.start()
    async with running_gateway(tmp_path / "gateway", deployment=deployment, endpoints=boxes) as running:
        await running.stored(1)
        # And the broker itself comes and goes.
        local.stop()
        assert running.gateway.uplink is not None
        uplink = running.gateway.uplink
        await until(lambda: not uplink.status.connected)
        assert uplink.status.last_error is not None
        local.start()
        await connected(running)
    local.stop()


async def test_anything_else_on_the_topic_costs_nothing(tmp_path: Path, local: Mosquitto) -> None:
    local.start()
    chance = random.Random(5)
    async with running_gateway(tmp_path / "gateway", settings=with_uplink(local)) as running:
        await connected(running)
        box, stranger = running.boxes
        _, payloads = box.send("reading", reading(1))
        async with aiomqtt.Client("127.0.0.1", local.port) as client:
            for _ in range(300):
                raw = bytearray(chance.choice((payloads[0], chance.randbytes(chance.randrange(400)))))
                for _ in range(chance.randint(1, 4)):
                    if raw:
                        raw[chance.randrange(len(raw))] = chance.randrange(256)
                name = chance.choice((f"{box.node_num:08x}", f"{stranger.node_num:08x}", "x", "0", "f" * 60, "-1"))
                await client.publish(UP + name, bytes(raw), qos=chance.randrange(2))
            # Under another box's name it proves nothing.
            await client.publish(f"{UP}{stranger.node_num:08x}", payloads[0], qos=1)
            await client.publish(f"{UP}{box.node_num:08x}", payloads[0], qos=1)
            await running.stored(1)
        rows = await running.gateway.store.rows("SELECT node_num FROM message WHERE kind = 'reading'")
        assert rows == [(box.node_num,)]
        assert running.gateway.uplink is not None
        assert running.gateway.uplink.status.connections == 1
        assert running.gateway.uplink.status.dropped == {
            "no_box_in_topic": running.gateway.uplink.status.dropped["no_box_in_topic"]
        }
        assert sum(running.gateway.custody.status.rejected.values()) > 100
    local.stop()


async def test_no_uplink_without_a_url(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        assert running.gateway.uplink is None
        assert running.deployment.configuration.uplink.url == ""
