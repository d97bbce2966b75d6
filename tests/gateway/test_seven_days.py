# SPDX-License-Identifier: Apache-2.0
"""Seven days of a district, the city away for five of them: memory stays flat, the backlog drains in class order.

Messages go at full speed through the radio's socket; days are told by the boxes' and the gateway's clocks.
KIEZBOX_LONG=1 makes it a district of 100 boxes.
"""

import asyncio
import os
import random
from pathlib import Path

import psutil
import pytest

from kiezbox_gateway import custody, upkeep
from kiezbox_gateway.store.rows import CLASS_OF_KIND, OutboxClass
from tests.gateway.city_broker import Mosquitto, Subscriber
from tests.gateway.deployment import emergency, reading
from tests.gateway.running import Running, running_gateway
from tests.gateway.waiting import until

BOXES = 100 if os.environ.get("KIEZBOX_LONG") else 12
DAYS = 7
FRAMES_A_DAY = 48
HEALTH_A_DAY = 4
CALLS_A_DARK_DAY = 4
BEGIN_S = 1_790_000_000


def resident_mib() -> float:
    return float(psutil.Process().memory_info().rss) / 2**20


class Week:
    """The simulated clock, and what was sent by kind."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.now_s = BEGIN_S
        self.sent: dict[str, int] = {"call": 0, "reading": 0, "health": 0}
        self.sequence = [0] * BOXES
        self.chance = random.Random(77)

    def send(self, index: int, kind: str, message: dict[str, object]) -> None:
        box = self.running.boxes[index]
        counter, payloads = box.send(kind, message)
        self.running.deliver(box, payloads)
        box.endpoint.cancel(counter)
        self.sent["call" if kind == "emergency" else kind] += 1

    async def day(self, number: int) -> None:
        """A day of readings and health; in the dark, calls."""
        for frame in range(FRAMES_A_DAY):
            self.now_s = BEGIN_S + number * 86_400 + frame * 1_800
            for index in range(BOXES):
                self.sequence[index] += 1
                message = reading(self.sequence[index], self.now_s)
                message["samples"] = message["samples"] * 6
                self.send(index, "reading", message)
                if frame % (FRAMES_A_DAY // HEALTH_A_DAY) == 0:
                    health = {"time_s": self.now_s, "battery_mv": 3_900, "mode": 1, "mode_epoch": 0}
                    self.send(index, "health", health)
            if 1 <= number <= 5 and frame % (FRAMES_A_DAY // CALLS_A_DARK_DAY) == 0:
                index = self.chance.randrange(BOXES)
                self.send(index, "emergency", emergency(f"Notruf {self.sent['call']}", f"W{self.sent['call']:04d}"))
            await self.running.stored(sum(self.sent.values()))
        await upkeep.retain(self.running.gateway)
        await upkeep.report_health(self.running.gateway)


async def test_seven_days_five_of_them_dark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Mosquitto(tmp_path / "broker")
    broker.start()
    async with (
        Subscriber(broker.port) as city,
        running_gateway(tmp_path / "gateway", city=broker.url, boxes=BOXES) as running,
    ):
        week = Week(running)
        for module in (custody, upkeep):
            monkeypatch.setattr(module, "unix_ms", lambda: week.now_s * 1000)
        memory: list[float] = []
        for number in range(DAYS):
            if number == 1:
                await until(running.gateway_has_confirmed_all)
                # Or the broker itself would deliver again after its return what the city has not acknowledged to it.
                await city.wait_for(sum(week.sent.values()))
                await asyncio.sleep(0.3)
                broker.stop()
            if number == 6:
                before = len(city.messages)
                backlog = await running.gateway.waiting_counts()
                broker.start()
            await week.day(number)
            memory.append(resident_mib())
        await until(running.gateway_has_confirmed_all, 60)
        # Flat: four further dark days and their backlog cost next to nothing.
        assert memory[5] - memory[1] < 8, memory
        assert backlog[OutboxClass.READING] == BOXES * 5 * FRAMES_A_DAY
        assert backlog[OutboxClass.CALL] == week.sent["call"] == 5 * CALLS_A_DARK_DAY
        # Nothing is missing, nothing came twice over seven days and one outage.
        stored = await running.gateway.store.rows("SELECT id, kind FROM message ORDER BY sequence")
        # The broker has everything; on a busy machine its subscriber is still reading.
        await city.wait_for(len(stored))
        arrived = [payload for _, payload in city.messages]
        assert sorted(payload["id"] for payload in arrived) == sorted(row[0] for row in stored)
        kinds = [payload["kind"] for payload in arrived]
        assert {kind: kinds.count(kind) for kind in week.sent} == week.sent
        # The backlog: calls before health before readings, whatever came in while it drained.
        dark = [payload for payload in arrived[before:] if payload["received_at"] < instant_of(6)]
        assert len(dark) == sum(backlog.values())
        classes = [CLASS_OF_KIND[payload["kind"]] for payload in dark]
        assert classes == sorted(classes)
        assert len(set(classes)) == 3
        # And each class in the order of custody, from the first day to the last.
        for kinds_of_class in (("call",), ("health", "gateway"), ("reading",)):
            wanted = [row[0] for row in stored if row[1] in kinds_of_class]
            assert [payload["id"] for payload in arrived if payload["kind"] in kinds_of_class] == wanted
    broker.stop()


def instant_of(day: int) -> str:
    from kiezbox_gateway.city.message import instant

    return instant((BEGIN_S + day * 86_400) * 1000)
