# SPDX-License-Identifier: Apache-2.0
"""SIGKILL at random instants: while taking in, while draining, while migrating, and of the whole gateway process.

No acknowledged message may be lost, and a consumer that deduplicates by id gets each once. A short run belongs to the
ordinary tests; KIEZBOX_LONG=1 makes it 500 cuts of the store and 150 of the whole process. The counts are printed.
"""

import asyncio
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from kiezbox.protocol import envelope
from kiezbox_gateway.store import database
from tests.gateway.city_broker import Mosquitto, Subscriber
from tests.gateway.deployment import Box, Deployment, GatewayProcess, emergency, reading
from tests.gateway.radio_peer import RadioPeer
from tests.gateway.store import sample
from tests.gateway.waiting import until

LONG = bool(os.environ.get("KIEZBOX_LONG"))
INGEST_CUTS, DRAIN_CUTS, MIGRATION_CUTS, PROCESS_CUTS = (200, 150, 150, 150) if LONG else (8, 6, 6, 6)
ROOT = Path(__file__).parents[3]
Note = Callable[[str], None]


async def cut_worker(
    what: str, folder: Path, first: int, after_s: float, last: Callable[[str], bool] | None = None
) -> list[str]:
    """Start the worker, wait for its first line, kill it so much later or after its `last` line; its lines."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(Path(__file__).with_name("store_worker.py")), what, str(folder), str(first),
        stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout is not None
    lines = [(await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip()]
    killer = asyncio.get_running_loop().call_later(after_s, lambda: process.send_signal(signal.SIGKILL))
    # Read on while it runs, or a full pipe would hold the worker. The last line may have been cut.
    while (raw := await process.stdout.readline()).endswith(b"\n"):
        lines.append(raw.decode().strip())
        if last is not None and last(lines[-1]):
            process.send_signal(signal.SIGKILL)
    assert await process.wait() == -signal.SIGKILL
    killer.cancel()
    return lines


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / database.FILE_NAME)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return connection.execute(query).fetchall()


async def test_cuts_while_taking_in(tmp_path: Path, note_result: Note) -> None:
    chance = random.Random(11)
    acknowledged: set[str] = set()
    for number in range(INGEST_CUTS):
        lines = await cut_worker("ingest", tmp_path, number * 100_000 + 1, chance.uniform(0.0, 0.4))
        acknowledged |= {line[2:] for line in lines if line.startswith("A ")}
    stored = {str(row[0]) for row in rows(tmp_path, "SELECT id FROM message")}
    lost = acknowledged - stored
    note_result(f"{INGEST_CUTS} cuts while taking in: {len(acknowledged)} acknowledged, {len(lost)} lost")
    assert len(acknowledged) > 100
    assert not lost


async def test_cuts_while_draining(tmp_path: Path, note_result: Note) -> None:
    chance = random.Random(12)
    handed: list[str] = []
    total = 0
    for number in range(DRAIN_CUTS):
        lines = await cut_worker("ingest", tmp_path, number * 100_000 + 1, 0.15)
        total = max(total, len(lines))
        lines = await cut_worker("drain", tmp_path, 0, chance.uniform(0.0, 0.25))
        handed += [line[2:] for line in lines if line.startswith("C ")]
        marked = {str(row[0]) for row in rows(tmp_path, "SELECT id FROM message WHERE confirmed_ms IS NOT NULL")}
        assert marked <= set(handed), "marked as confirmed and never handed over"
    for _ in range(50):
        lines = await cut_worker("drain", tmp_path, 0, 30.0, lambda line: line == "D")
        handed += [line[2:] for line in lines if line.startswith("C ")]
        if "D" in lines:
            break
    stored = {str(row[0]) for row in rows(tmp_path, "SELECT id FROM message")}
    lost = stored - set(handed)
    repeated = len(handed) - len(set(handed))
    note_result(
        f"{DRAIN_CUTS} cuts while draining: {len(stored)} stored, {len(lost)} lost,"
        f" {repeated} handed over again under the same id"
    )
    assert total
    assert not lost
    assert set(handed) == stored


async def test_cuts_while_migrating(tmp_path: Path, note_result: Note) -> None:
    chance = random.Random(13)
    old = tmp_path / "old"
    old.mkdir()
    with closing(database.connect(old / database.FILE_NAME)) as connection:
        database.migrate(connection, upto=1)
        connection.execute("BEGIN")
        for number in range(1, 20_001):
            each = sample.reading(number)
            connection.execute(
                "INSERT INTO message (id, kind, class, node_num, counter, verified, received_ms, measured_s, body)"
                " VALUES (?, ?, 5, ?, ?, 1, ?, ?, ?)",
                (each.id, each.kind, each.node_num, each.counter, each.received_ms, each.measured_s, each.body),
            )
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    versions: list[int] = []
    for number in range(MIGRATION_CUTS):
        folder = tmp_path / f"cut{number}"
        shutil.copytree(old, folder)
        for _ in range(chance.randint(1, 3)):
            await cut_worker("migrate", folder, 0, chance.uniform(0.0, 0.25))
            versions.append(int(str(rows(folder, "PRAGMA user_version")[0][0])))
            assert rows(folder, "SELECT count(*) FROM message") == [(20_000,)]
        lines = await cut_worker("migrate", folder, 0, 30.0, lambda line: line.startswith("M"))
        assert f"M {len(database.migrations())}" in lines
        assert rows(folder, "SELECT count(*), count(DISTINCT id) FROM message") == [(20_000, 20_000)]
        shutil.rmtree(folder)
    note_result(f"{len(versions)} cuts while migrating: {versions.count(1)} before the commit, 0 rows lost")


async def test_cuts_of_the_whole_gateway(tmp_path: Path, note_result: Note) -> None:
    """Boxes repeat until they hear a receipt, the city comes and goes, the gateway is killed at any instant."""
    chance = random.Random(14)
    broker = Mosquitto(tmp_path / "broker")
    broker.start()
    broker_runs = True
    async with RadioPeer() as radio:
        deployment = Deployment(tmp_path / "gateway", radio=radio.address, city=broker.url, boxes=3)
        radio.channels[0].settings.psk = deployment.channel_key
        boxes = [deployment.box(index) for index in range(3)]
        sent: dict[str, str] = {}
        acknowledged: set[str] = set()
        listen(radio, boxes, acknowledged)
        gateway = GatewayProcess(deployment)
        async with Subscriber(broker.port) as city:
            for number in range(PROCESS_CUTS):
                await gateway.start()
                # Some are killed in the middle of their start, most at work.
                work_s = chance.choice((0.0, chance.uniform(0.0, 0.5), chance.uniform(0.3, 1.5)))
                end_s = asyncio.get_running_loop().time() + work_s
                while asyncio.get_running_loop().time() < end_s:
                    box = chance.choice(boxes)
                    kind = "emergency" if chance.random() < 0.4 else "reading"
                    message = (
                        emergency(f"Notruf {len(sent)}", f"C{len(sent)}")
                        if kind == "emergency"
                        else reading(len(sent) + 1)
                    )
                    counter, payloads = box.send(kind, message)
                    sent[f"{box.node_num:08x}-{counter:08x}"] = kind
                    deliver(radio, box, payloads)
                    for each in boxes:
                        deliver(radio, each, each.due(5_000))
                    await asyncio.sleep(chance.uniform(0.0, 0.03))
                await gateway.kill()
                if number % 3 == 2:
                    broker.start() if not broker_runs else broker.stop()
                    broker_runs = not broker_runs
            if not broker_runs:
                broker.start()
            await gateway.start()
            calls = {identifier for identifier, kind in sent.items() if kind == "emergency"}

            async def all_calls_acknowledged() -> bool:
                for each in boxes:
                    deliver(radio, each, each.due(20_000))
                await asyncio.sleep(0.05)
                return calls <= acknowledged

            await until(all_calls_acknowledged, 60)
            await city.wait_for(len(calls | acknowledged), 60)
            await until(gateway.nothing_waits, 30)
            await gateway.stop()
            arrived = set(city.ids)
            stored = {str(row[0]) for row in rows(deployment.configuration.gateway.data_dir, "SELECT id FROM message")}
            lost = acknowledged - arrived
            contents: dict[str, set[str]] = {}
            for _, payload in city.messages:
                contents.setdefault(payload["id"], set()).add(json.dumps(payload, sort_keys=True))
            differing = [identifier for identifier, copies in contents.items() if len(copies) > 1]
            note_result(
                f"{PROCESS_CUTS} cuts of the whole gateway: {len(sent)} sent ({len(calls)} calls),"
                f" {len(acknowledged)} acknowledged, {len(lost)} lost,"
                f" {len(city.ids) - len(arrived)} delivered again under the same id, {len(differing)} of them differing"
            )
            assert calls <= arrived
            assert not lost
            assert stored <= arrived
            assert not differing
    broker.stop()
    assert "Traceback" not in (tmp_path / "gateway" / "log").read_text()


def deliver(radio: RadioPeer, box: Box, payloads: list[bytes]) -> None:
    for payload in payloads:
        radio.deliver(box.node_num, envelope.PORTNUM, payload)


def listen(radio: RadioPeer, boxes: list[Box], acknowledged: set[str]) -> None:
    """Boxes hear what the gateway sends, and note whose receipts they got."""

    def hear(packet: object) -> None:
        payload = packet.decoded.payload  # type: ignore[attr-defined]
        for box in boxes:
            for event in box.hear(payload):
                if type(event).__name__ == "StageChanged" and event.stage >= 2:
                    acknowledged.add(f"{box.node_num:08x}-{event.counter:08x}")

    radio.on_packet = hear
