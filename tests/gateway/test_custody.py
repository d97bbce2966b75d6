# SPDX-License-Identifier: Apache-2.0
"""Nothing is acknowledged before it is on disk; what cannot be stored is refused by class."""

import asyncio
import dataclasses
import json
import os
import random
from pathlib import Path

import pytest

from kiezbox.protocol import envelope
from kiezbox.protocol.box_keys import BoxKeys
from kiezbox_gateway import alarms, custody
from kiezbox_gateway.clock import unix_ms
from kiezbox_gateway.store import texts
from kiezbox_gateway.store.rows import StoreError, StoreFullError
from kiezbox_gateway.web.desk import cards
from tests.gateway.city_broker import Mosquitto, Subscriber
from tests.gateway.deployment import Deployment, emergency, reading
from tests.gateway.running import running_gateway
from tests.gateway.waiting import until


async def test_receipt_comes_after_the_commit_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_gateway(tmp_path) as running:
        box = running.boxes[0]
        writer = running.gateway.store.writer
        release = asyncio.Event()
        real = writer.submit
        held = []

        def hold(work):  # type: ignore[no-untyped-def]
            """The disk takes its time."""
            future = asyncio.ensure_future(late(work))
            held.append(future)
            return future

        async def late(work):  # type: ignore[no-untyped-def]
            await release.wait()
            return await real(work)

        monkeypatch.setattr(writer, "submit", hold)
        counter, payloads = box.send("emergency", emergency())
        running.deliver(box, payloads)
        await until(lambda: bool(held))
        await asyncio.sleep(0.5)
        assert box.is_in_custody(counter)
        assert not any(packet.decoded.portnum == envelope.PORTNUM for packet in running.radio.received)
        monkeypatch.setattr(writer, "submit", real)
        release.set()
        await until(lambda: not box.is_in_custody(counter))


async def test_repeats_are_acknowledged_again_and_stored_once(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        box = running.boxes[0]
        _, payloads = box.send("emergency", emergency())
        for _ in range(5):
            running.deliver(box, payloads)
        await running.stored(1)
        await until(lambda: running.gateway.custody.status.duplicates >= 4)
        assert await running.gateway.store.rows("SELECT count(*) FROM message WHERE kind = 'call'") == [(1,)]


async def test_repeat_after_a_restart_is_acknowledged_again(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        box, deployment = running.boxes[0], running.deployment
        counter, payloads = box.send("emergency", emergency())
        running.radio.on_packet = None  # The receipt is lost on the air.
        running.deliver(box, payloads)
        await running.stored(1)
    async with running_gateway(tmp_path, deployment=deployment, endpoints=[box]) as running:
        running.deliver(box, box.due(60_000))
        await until(lambda: not box.is_in_custody(counter))
        assert await running.gateway.store.rows("SELECT count(*) FROM message WHERE kind = 'call'") == [(1,)]


async def test_full_disk_refuses_readings_frees_the_reserve_for_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_gateway(tmp_path) as running:
        box, store = running.boxes[0], running.gateway.store
        assert running.gateway.disk.has_reserve
        pages = await store.writer.outside(lambda connection: connection.execute("PRAGMA page_count").fetchone()[0])
        await store.writer.outside(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchone())
        freed = []
        real = running.gateway.disk.free_reserve

        async def free(error: StoreError) -> bool:
            """The blocks of the reserve become the store's."""
            assert isinstance(error, StoreFullError)
            freed.append(real())
            store.writer._connection.execute("PRAGMA max_page_count = 1000000")
            return freed[-1]

        running.gateway.custody._make_room = free  # type: ignore[method-assign]
        # Readings until the file is full: those that fail are not acknowledged and not fatal.
        number = 0
        while running.gateway.custody.status.alarm is None and number < 3_000:
            number += 1
            _, payloads = box.send("reading", reading(number))
            running.deliver(box, payloads)
            if number % 50 == 0:
                await asyncio.sleep(0.02)
        await until(lambda: running.gateway.custody.status.alarm == "full")
        assert running.gateway.custody.status.shed["reading"] > 0
        status, body = await running.request("GET", "/readyz")
        assert (status, body["reasons"]) == (503, ["store"])
        counter, payloads = box.send("emergency", emergency("x" * 400))
        running.deliver(box, payloads)
        await until(lambda: not box.is_in_custody(counter))
        assert freed == [True]
        assert not running.gateway.disk.has_reserve
        assert running.gateway.custody.status.alarm is None


async def test_low_disk_refuses_readings_only(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        box = running.boxes[0]
        running.gateway.disk._free_min_bytes = 1 << 60
        running.gateway.disk.check()
        _, payloads = box.send("reading", reading(1))
        running.deliver(box, payloads)
        counter, payloads = box.send("emergency", emergency())
        running.deliver(box, payloads)
        await until(lambda: not box.is_in_custody(counter))
        assert running.gateway.custody.status.shed == {"reading": 1}
        kinds = await running.gateway.store.rows("SELECT kind FROM message WHERE kind <> 'gateway'")
        assert kinds == [("call",)]


async def test_store_error_is_no_receipt_and_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_gateway(tmp_path) as running:
        box = running.boxes[0]

        def fail(message: object) -> "asyncio.Future[object]":
            future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
            future.set_exception(StoreError("I/O error"))
            return future

        monkeypatch.setattr(running.gateway.store, "take", fail)
        counter, payloads = box.send("emergency", emergency())
        running.deliver(box, payloads)
        await until(lambda: running.gateway.custody.status.alarm == "failed")
        await asyncio.sleep(0.2)
        assert box.is_in_custody(counter)
        monkeypatch.undo()
        running.deliver(box, box.due(20_000))
        await until(lambda: not box.is_in_custody(counter))


async def test_texts_of_stock_devices_are_unverified_calls(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        radio = running.radio
        packet_id = radio.deliver(0xABCDEF01, 1, "Feuer im Keller 🔥".encode())
        radio.deliver(0xABCDEF01, 1, "Feuer im Keller 🔥".encode(), id=packet_id)
        radio.deliver(0xABCDEF02, 1, b"   ")
        radio.deliver(0xABCDEF03, 1, b"\xff\xfe broken \x00 utf-8")
        radio.deliver(0xABCDEF04, 1, b"other channel", channel=3)
        await running.stored(2)
        await until(lambda: running.gateway.custody.status.rejected.get("empty_text") == 1)
        rows = await running.gateway.store.rows("SELECT id, verified FROM message WHERE kind = 'call' ORDER BY id")
        assert [row[0].split("-")[0] for row in rows] == ["abcdef01", "abcdef03"]
        assert all(row[1] == 0 for row in rows)
        await until(lambda: any(packet.decoded.emoji for packet in radio.received))
        assert running.gateway.link.status.counters["other_channel"] == 1


async def test_flood_of_texts_stays_behind_calls_and_is_not_answered(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker")
    async with running_gateway(tmp_path / "gateway", city=broker.url) as running:
        count = texts.PER_SENDER_MAX + 30
        for number in range(count):
            running.radio.deliver(0xABCDEF01, 1, f"Flut {number}".encode())
        await running.stored(count)
        running.radio.deliver(0xABCDEF02, 1, b"Feuer im Keller")
        box = running.boxes[0]
        counter, payloads = box.send("emergency", emergency(code="REAL2345"))
        running.deliver(box, payloads)
        await until(lambda: not box.is_in_custody(counter))
        await running.stored(count + 2)
        found = {alarm.name: alarm for alarm in await alarms.look(running.gateway)}
        assert found["texts_surplus"].detail == "30"
        _, body = await running.request("GET", "/api/v1/calls?limit=3")
        assert [call["body"]["text"][:5] for call in body["calls"]] == ["Sauer", "Feuer", "Flut "]
        assert not any(call["surplus"] for call in body["calls"])
        page = await cards(running.gateway, unix_ms())
        assert [card.call.surplus for card in page[0]] == [False] * (texts.PER_SENDER_MAX + 2) + [True] * 30
        status = await running.request("GET", "/metrics")
        assert 'kiezbox_tally_total{reason="text_surplus"} 30.0' in status[1]
        reactions = texts.PER_SENDER_MAX + 1
        await until(lambda: sum(packet.decoded.emoji for packet in running.radio.received) == reactions)
        # The city comes back: the box's call first, then a text of everybody, and nothing is missing.
        broker.start()
        async with Subscriber(broker.port, "kiezbox/v1/test/+/call") as city:
            await city.wait_for(count + 2)
            arrived = [payload for _, payload in city.messages]
            assert arrived[0]["body"]["code"] == "REAL2345"
            senders = [payload["box"] for payload in arrived[1:]]
            assert senders.index("abcdef02") == texts.PER_SENDER_MAX
            assert len({payload["id"] for payload in arrived}) == count + 2
    broker.stop()


async def test_no_reaction_where_the_airtime_is_for_receipts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_gateway(tmp_path) as running:
        monkeypatch.setattr(running.gateway.link.budget, "may_send", lambda rank, length, now_ms: rank < 3)
        running.radio.deliver(0xABCDEF01, 1, b"Feuer im Keller")
        await running.stored(1)
        await until(lambda: running.gateway.link.status.counters.get("reaction_not_sent") == 1)
        assert not any(packet.decoded.emoji for packet in running.radio.received)


async def test_revoked_box_is_refused_for_itself_only(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        running.gateway.endpoint.revoke_box(running.boxes[0].node_num)
        for box in running.boxes:
            _, payloads = box.send("reading", reading(1))
            running.deliver(box, payloads)
        await running.stored(1)
        await until(lambda: running.gateway.custody.status.rejected.get("revoked_box") == 1)


async def test_mutated_and_random_payloads_store_nothing(tmp_path: Path) -> None:
    """Of thousands of payloads, bent or invented, none is stored, and the gateway goes on."""
    chance = random.Random(21)
    count = 20_000 if os.environ.get("KIEZBOX_LONG") else 1_500
    async with running_gateway(tmp_path) as running:
        box = running.boxes[0]
        genuine = [box.send("emergency", emergency(f"n{number}"))[1][0] for number in range(3)]
        genuine.append(box.send("reading", reading(1))[1][0])
        for number in range(count):
            raw = bytearray(chance.choice(genuine))
            for _ in range(chance.randint(1, 4)):
                action = chance.randrange(4)
                if action == 0:
                    raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
                elif action == 1:
                    raw = raw[: chance.randrange(len(raw)) or 1]
                elif action == 2 and len(raw) < 230:
                    raw.insert(chance.randrange(len(raw)), chance.randrange(256))
                else:
                    raw = bytearray(chance.randbytes(chance.randrange(1, 231)))
            if bytes(raw) not in genuine:
                running.radio.deliver(chance.choice((box.node_num, 1, 0xFFFFFFFF)), 256, bytes(raw))
            if number % 200 == 0:
                await asyncio.sleep(0.01)
        counter, payloads = box.send("emergency", emergency("echt", "REAL2345"))
        running.deliver(box, payloads)
        await until(lambda: not box.is_in_custody(counter), 60)
        rows = await running.gateway.store.rows("SELECT counter FROM message WHERE kind <> 'gateway'")
        assert rows == [(counter,)]
        assert sum(running.gateway.custody.status.rejected.values()) > count // 2
        assert running.gateway.link.status.connections == 1


async def test_message_the_store_cannot_hold_is_counted_and_not_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_gateway(tmp_path) as running:
        box = running.boxes[0]
        real = custody.to_new_message
        monkeypatch.setattr(
            custody, "to_new_message", lambda *given: dataclasses.replace(real(*given), received_ms=1 << 70)
        )
        counter, payloads = box.send("emergency", emergency())
        running.deliver(box, payloads)
        await until(lambda: running.gateway.custody.status.rejected.get("not_storable", 0) == 1)
        assert box.is_in_custody(counter)
        monkeypatch.undo()
        running.let_time_pass(20_000)
        await until(lambda: not box.is_in_custody(counter))


def test_full_store_is_a_store_error() -> None:
    assert issubclass(StoreFullError, StoreError)
    assert Deployment.__doc__


async def test_a_proven_call_that_cannot_be_read_whole_is_stored_with_its_bytes_and_answered(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        box = running.boxes[0]
        keys = BoxKeys(running.deployment.identities[0].root_key)
        body = bytes((1 << 3, 2)) + bytes((2 << 3 | 2, 1, 0x9F)) + bytes((4 << 3, 3))  # Its text is in no table.
        sealed = envelope.seal(keys, box.node_num, envelope.EMERGENCY, 9, body)
        payload = envelope.encode_uplink(keys, box.node_num, envelope.EMERGENCY, 9, 0, 1, sealed)
        running.deliver(box, [payload])
        await running.stored(1)
        ((kind, stored),) = await running.gateway.store.rows("SELECT kind, body FROM message WHERE kind = 'call'")
        assert (kind, json.loads(stored)) == ("call", {"category": 2, "people": 3, "raw_body": body.hex()})
        await until(lambda: any(packet.decoded.payload[:2] == b"\x13\x10" for packet in running.radio.received))
