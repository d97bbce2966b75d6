# SPDX-License-Identifier: Apache-2.0
"""Commands of the city: taken once, checked first, and whatever else arrives on their topics."""

import asyncio
import json
import random
import time
from pathlib import Path

import pytest

from kiezbox_gateway.store.rows import StoreError
from tests.gateway.city_broker import Mosquitto, Subscriber
from tests.gateway.deployment import emergency
from tests.gateway.running import running_gateway
from tests.gateway.waiting import until

MODE_TOO = {"settings": {'commands = ["answer", "bulletin"]': 'commands = ["answer", "bulletin", "mode"]'}}


def encode(**values: object) -> bytes:
    return json.dumps(values).encode()


async def test_answer_of_the_city_over_the_broker(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker")
    broker.start()
    async with (
        Subscriber(broker.port, "kiezbox/v1/test/+/call") as city,
        running_gateway(tmp_path / "gateway", city=broker.url) as running,
    ):
        box = running.boxes[0]
        _, payloads = box.send("emergency", emergency(code="CITY2345"))
        running.deliver(box, payloads)
        await city.wait_for(1)
        command = {"id": "desk-1", "call": city.ids[0], "station": "Leitstelle", "text": "Wir kommen"}
        for _ in range(3):
            await city.publish("kiezbox/v1/test/command/answer", command)

        def answered() -> bool:
            running.let_time_pass(1_000)
            return any(getattr(event, "text", "") == "Wir kommen" for event in box.events)

        await until(answered)
        await asyncio.sleep(0.2)
        rows = await running.gateway.store.rows("SELECT count(*) FROM stage")
        assert rows == [(1,)]
    broker.stop()


async def test_only_accepted_kinds_are_carried_out(tmp_path: Path) -> None:
    async with running_gateway(tmp_path / "a") as running:
        assert not await running.gateway.commands.take("mode", encode(id="1", mode="emergency"))
        assert not await running.gateway.commands.take("shutdown", encode(id="1"))
        assert await running.gateway.store.rows("SELECT count(*) FROM job") == [(0,)]
    async with running_gateway(tmp_path / "b", **MODE_TOO) as running:
        assert await running.gateway.commands.take("mode", encode(id="1", mode="emergency"))
        assert await running.gateway.commands.take("mode", encode(id="1", mode="emergency"))
        assert await running.gateway.store.rows("SELECT count(*) FROM job") == [(1,)]


async def test_mode_of_the_city_that_ends_by_itself(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, **MODE_TOO) as running:
        take, now_s = running.gateway.commands.take, int(time.time())
        assert not await take("mode", encode(id="1", mode="emergency", until_s=now_s - 1))
        assert not await take("mode", encode(id="2", mode="emergency", until_s="soon"))
        assert await running.gateway.store.rows("SELECT count(*) FROM job") == [(0,)]
        assert await take("mode", encode(id="3", mode="emergency", until_s=now_s + 7_200))
        rows = await running.gateway.store.rows("SELECT json_extract(message, '$.until_s') FROM job")
        assert rows == [(now_s + 7_200,)]


async def test_bulletin_of_the_city(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        command = encode(id="b1", headline="Titel", text="Text", source="Bezirksamt", lifetime_s=600)
        assert await running.gateway.commands.take("bulletin", command)
        await until(lambda: any(type(event).__name__ == "BulletinReceived" for event in running.boxes[0].events))


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("answer", b""),
        ("answer", b"\xff\xfe"),
        ("answer", b"[" * 5000),
        ("answer", b'{"id": 1e999}'),
        ("answer", encode(id="1", call="NOSUCH22", station="x")),
        ("answer", encode(id="1", call="NOSUCH22", station="x", stage=2)),
        ("answer", encode(id="1", call="NOSUCH22", station="x", text="y" * 401)),
        ("answer", encode(id="1", call="NOSUCH22", station="x", extra=1)),
        ("answer", encode(id="x" * 65, call="NOSUCH22", station="x")),
        ("bulletin", encode(id="1", headline="h", text="t", source="s", language="Deutsch")),
        ("bulletin", encode(id="1", headline="h", text="ü" * 400, source="s")),
        ("mode", encode(id="1", mode="party")),
        ("answer", b"x" * 20_000),
    ],
)
async def test_what_is_wrong_changes_nothing(tmp_path: Path, kind: str, payload: bytes) -> None:
    async with running_gateway(tmp_path, **MODE_TOO) as running:
        assert not await running.gateway.commands.take(kind, payload)
        for query in ("SELECT 1 FROM job", "SELECT 1 FROM stage", "SELECT 1 FROM audit"):
            assert await running.gateway.store.rows(query) == []


async def test_mutated_commands_never_end_the_gateway(tmp_path: Path) -> None:
    chance = random.Random(31)
    genuine = [
        encode(id="1", call="CODE2345", station="Wache", text="Text", stage=5),
        encode(id="2", headline="Titel", text="Text", source="Amt", severity=2, lifetime_s=600),
        encode(id="3", mode="emergency", lifetime_s=600),
    ]
    async with running_gateway(tmp_path, **MODE_TOO) as running:
        for _ in range(1_500):
            raw = bytearray(chance.choice(genuine))
            for _ in range(chance.randint(1, 6)):
                position = chance.randrange(len(raw))
                raw[position : position + chance.randrange(3)] = chance.choice(
                    (b"", b"{", b"null", b"-1", b"1e9", b'"', b"[]", b"\\u0000", chance.randbytes(2))
                )
                if not raw:
                    break
            await running.gateway.commands.take(chance.choice(("answer", "bulletin", "mode")), bytes(raw))
        status, _ = await running.request("GET", "/healthz")
        assert status == 200


async def test_store_that_fails_leaves_the_command_with_the_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_gateway(tmp_path, **MODE_TOO) as running:

        def fail(work: object) -> "asyncio.Future[object]":
            future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
            future.set_exception(StoreError("I/O error"))
            return future

        with monkeypatch.context() as patch:
            patch.setattr(running.gateway.store, "submit", fail)
            with pytest.raises(StoreError):
                await running.gateway.commands.take("mode", encode(id="1", mode="emergency"))
