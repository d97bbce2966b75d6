# SPDX-License-Identifier: Apache-2.0
"""A gateway on a file system that really is full, or turns read-only: tmpfs of a few MiB, where mounting is allowed."""

import asyncio
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kiezbox.protocol import envelope
from kiezbox_gateway.store.store import Store
from tests.gateway.deployment import Deployment, GatewayProcess, emergency, reading
from tests.gateway.radio_peer import RadioPeer
from tests.gateway.waiting import until

SIZE_MIB = 8
LOW = {"disk_free_min_mib = 200": "disk_free_min_mib = 1", "readings_max = 1000000": "readings_max = 10000000"}


def mount(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], capture_output=True).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if not mount("-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", str(folder)):
        pytest.skip("mounting a small file system needs rights that are not there")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


class Scene:
    """A gateway process with its data on the small disk, and one box that notes its receipts."""

    def __init__(self, folder: Path, small_disk: Path, radio: RadioPeer) -> None:
        settings = LOW | {'data_dir = "data"': f'data_dir = "{small_disk}/data"'}
        self.deployment = Deployment(folder, radio=radio.address, city="mqtt://127.0.0.1:1", settings=settings)
        radio.channels[0].settings.psk = self.deployment.channel_key
        self.radio = radio
        self.box = self.deployment.box(0)
        radio.on_packet = lambda packet: self.box.hear(packet.decoded.payload)
        self.gateway = GatewayProcess(self.deployment)
        self.sequence = 0

    async def status(self) -> dict[str, dict[str, object]]:
        found: dict[str, dict[str, object]] = await self.gateway.get("/api/v1/status")
        return found

    def send_readings(self, count: int) -> None:
        for _ in range(count):
            self.sequence += 1
            message = reading(self.sequence)
            message["samples"] = message["samples"] * 10
            for payload in self.box.send("reading", message)[1]:
                self.radio.deliver(self.box.node_num, envelope.PORTNUM, payload)

    async def send_call(self, number: int) -> tuple[int, bool]:
        """(counter, whether its receipt came within a few seconds)."""
        counter, payloads = self.box.send("emergency", emergency(f"Notruf {number} " + "x" * 300, f"C{number}"))
        for _ in range(5):
            for payload in payloads:
                self.radio.deliver(self.box.node_num, envelope.PORTNUM, payload)
            try:
                await until(lambda: not self.box.is_in_custody(counter), 1.5)
            except TimeoutError:
                # The box repeats it, also to a gateway that was just started.
                payloads = self.box.due(20_000)
            else:
                return counter, True
        return counter, False


async def test_full_disk(tmp_path: Path, small_disk: Path) -> None:
    async with RadioPeer() as radio:
        scene = Scene(tmp_path / "gateway", small_disk, radio)
        await scene.gateway.start()
        await radio.wait_for(lambda: radio.configured_clients > 0)
        # Somebody else fills the disk, all but a little.
        ballast = small_disk / "ballast"
        await asyncio.to_thread(fill, small_disk, ballast, 1_400_000)
        shed = 0
        for _ in range(60):
            scene.send_readings(50)
            await asyncio.sleep(0.1)
            shed = int(str((await scene.status())["custody"]["shed"].get("reading", 0)))  # type: ignore[attr-defined]
            if shed:
                break
        assert shed, "readings are refused before the disk is full"
        # Now it is really full.
        await asyncio.to_thread(fill, small_disk, small_disk / "more", 0)
        acknowledged = []
        for number in range(60):
            counter, receipt = await scene.send_call(number)
            # The reserve was freed for them, and readings gave up their pages.
            assert receipt, number
            acknowledged.append(counter)
        assert not (await scene.status())["disk"]["reserve"]
        tally = {row[0]: row[1] for row in await asyncio.to_thread(tallies, scene)}
        assert tally["shed_disk_full"] > 0
        await scene.gateway.kill()
        (small_disk / "more").unlink()
        ballast.unlink()
        await scene.gateway.start()
        counter, receipt = await scene.send_call(1_000)
        assert receipt
        await scene.gateway.stop()
        store = await Store.open(scene.deployment.configuration.gateway.data_dir)
        stored = {row[0] for row in await store.rows("SELECT counter FROM message WHERE kind = 'call'")}
        await store.close()
        assert {*acknowledged, counter} <= stored
    assert "Traceback" not in (tmp_path / "gateway" / "log").read_text()


async def test_file_system_that_turns_read_only(tmp_path: Path, small_disk: Path) -> None:
    async with RadioPeer() as radio:
        scene = Scene(tmp_path / "gateway", small_disk, radio)
        await scene.gateway.start()
        await radio.wait_for(lambda: radio.configured_clients > 0)
        first, receipt = await scene.send_call(1)
        assert receipt
        if not mount("-o", "remount,ro,force", str(small_disk)) and not mount("-o", "remount,ro", str(small_disk)):
            # The open database keeps it writable: put a read-only one in its place for the next start.
            await scene.gateway.stop()
            assert mount("-o", "remount,ro", str(small_disk))
            with pytest.raises(AssertionError, match=r"cannot be used|cannot be written|readonly|read-only"):
                await scene.gateway.start()
        else:
            _, receipt = await scene.send_call(2)
            assert not receipt
        assert mount("-o", "remount,rw", str(small_disk))
        if scene.gateway.process is not None and scene.gateway.process.returncode is None:
            await scene.gateway.stop()
        await scene.gateway.start()
        counter, receipt = await scene.send_call(3)
        assert receipt
        await scene.gateway.stop()
        store = await Store.open(scene.deployment.configuration.gateway.data_dir)
        stored = {row[0] for row in await store.rows("SELECT counter FROM message WHERE kind = 'call'")}
        await store.close()
        assert {first, counter} <= stored
    assert "Traceback" not in (tmp_path / "gateway" / "log").read_text()


def tallies(scene: Scene) -> list[tuple[str, int]]:
    path = scene.deployment.configuration.gateway.data_dir / "gateway.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        found: list[tuple[str, int]] = connection.execute("SELECT reason, count FROM tally").fetchall()
        return found


def fill(disk: Path, path: Path, leave_bytes: int) -> None:
    """Write until only so much is free."""
    with path.open("wb") as file:
        while True:
            statistics = os.statvfs(disk)
            free = statistics.f_bavail * statistics.f_frsize - leave_bytes
            if free <= 0:
                return
            try:
                file.write(b"x" * min(free, 65_536))
                file.flush()
            except OSError:
                return
