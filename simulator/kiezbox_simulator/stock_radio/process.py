# SPDX-License-Identifier: Apache-2.0
"""One simulated radio as a process: ether on one side, TCP port on the other, settings in a folder.

    python -m kiezbox_simulator.stock_radio FILE

FILE is JSON: {"node_num": "7c3e51a4", "name": ..., "short_name": ..., "folder": ..., "ether_port": ..., "host":
"127.0.0.1", "port": 4403, "preset": ..., "region": ..., "channel": {"name": ..., "psk_hex": ...}, "hop_limit": ...,
"role": "CLIENT", "speed": 1}. What follows `port` is for a radio whose folder is still empty, but for `speed`; without
a channel it is as it comes out of its packaging. `port` 0 takes a free one. `speed`: so many of the radio's seconds
pass in one of the clock's, for an ether whose time does the same. Prints `READY port=<port>` when it can be used, then
only log lines on standard error. A reboot takes BOOT_S.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from kiezbox.protocol.airtime import PRESETS
from kiezbox.protocol.mesh import ROLES
from kiezbox_simulator.ether.connection import EtherError, EtherRadio
from kiezbox_simulator.stock_radio.device import StockRadio
from kiezbox_simulator.stock_radio.server import ClientPort
from kiezbox_simulator.stock_radio.settings import RadioSettings

BOOT_S = 2.0
"""From reset until the radio answers its client; an ESP32-S3 needs a little longer."""


SPEED_MAX = 1000.0


class RadioError(Exception):
    """The radio cannot start or go on; one sentence."""


@dataclass(frozen=True)
class RadioSpec:
    """The file's content."""

    node_num: int
    name: str
    short_name: str
    folder: Path
    ether_port: int
    host: str
    port: int
    preset: str = "LONG_FAST"
    region: str = "EU_868"
    channel_name: str = ""
    channel_key: bytes | None = None
    hop_limit: int = 3
    role: str = "CLIENT"
    speed: float = 1.0


def read_spec(path: Path) -> RadioSpec:
    """Read the file. Raises RadioError with one sentence."""
    try:
        values: dict[str, Any] = json.loads(path.read_text())
        channel = values.get("channel")
        for name, known in (("preset", tuple(PRESETS)), ("role", ROLES), ("region", ("EU_868", "UNSET"))):
            if values.get(name, known[0]) not in known:
                raise ValueError(f"{name} is one of {', '.join(known)}")
        if not 0.0 < float(values.get("speed", 1.0)) <= SPEED_MAX:
            raise ValueError(f"speed is above 0 and at most {SPEED_MAX:g}")
        return RadioSpec(
            node_num=int(values["node_num"], 16),
            name=str(values["name"]),
            short_name=str(values["short_name"]),
            folder=Path(values["folder"]),
            ether_port=int(values["ether_port"]),
            host=str(values.get("host", "127.0.0.1")),
            port=int(values["port"]),
            preset=str(values.get("preset", "LONG_FAST")),
            region=str(values.get("region", "EU_868")),
            channel_name=str(channel["name"]) if channel else "",
            channel_key=bytes.fromhex(channel["psk_hex"]) if channel else None,
            hop_limit=int(values.get("hop_limit", 3)),
            role=str(values.get("role", "CLIENT")),
            speed=float(values.get("speed", 1.0)),
        )
    except OSError as error:
        raise RadioError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError) as error:
        raise RadioError(f"{path} does not describe a radio: {error}") from None
    except KeyError as error:
        raise RadioError(f"{path} does not describe a radio: {error.args[0]} is missing") from None


def load_settings(spec: RadioSpec) -> RadioSettings:
    """The radio's settings: what its folder holds, or a new radio's."""
    settings = RadioSettings.load(spec.folder)
    if settings is None:
        settings = RadioSettings(spec.node_num, spec.name, spec.short_name, os.urandom(32))
        if spec.channel_key is not None:
            settings.provision(spec.preset, spec.channel_name, spec.channel_key, spec.hop_limit, spec.region, spec.role)
    settings.reboot_count += 1
    settings.save(spec.folder)
    return settings


class RadioProcess:
    """Drives one radio by the clock until cancelled or the ether goes."""

    def __init__(self, spec: RadioSpec) -> None:
        self._spec = spec
        self._wake = asyncio.Event()
        self.client_port = ClientPort(self._now_ms, self._wake.set)

    def _now_ms(self) -> int:
        return int(time.monotonic_ns() / 1_000_000 * self._spec.speed)

    async def run(self, booted: Callable[[int], None]) -> None:
        """Boot, run, and boot again after each reboot. `booted(port)` is called once, when clients can connect.

        Raises RadioError when the port is taken or the ether is not there or goes.
        """
        spec, port = self._spec, self._spec.port
        for boot in count():
            settings = load_settings(spec)
            radio = StockRadio(settings, os.urandom(32), self._now_ms(), int(time.time()) - self._now_ms() // 1000)
            self.client_port.radio = radio
            try:
                port = await self.client_port.start(spec.host, port)
                ether = await EtherRadio.join(spec.ether_port, spec.node_num, spec.name)
                if boot == 0:
                    booted(port)
                try:
                    await self._live(radio, ether)
                finally:
                    await ether.close()
            except EtherError as error:
                raise RadioError(str(error)) from None
            except OSError as error:
                reason = os.strerror(error.errno or 0)
                raise RadioError(f"Port {port} cannot be used: {reason}. Is another demo running?") from None
            finally:
                await self.client_port.stop()
            print("rebooting", file=sys.stderr, flush=True)
            await asyncio.sleep(BOOT_S / spec.speed)

    async def _live(self, radio: StockRadio, ether: EtherRadio) -> None:
        """Until the radio reboots."""
        hear = asyncio.ensure_future(self._hear(radio, ether))
        send: asyncio.Task[None] | None = None
        try:
            while radio.reboot_at_ms is None or self._now_ms() < radio.reboot_at_ms:
                if hear.done():
                    hear.result()
                self._wake.clear()
                transmit = radio.poll(self._now_ms())
                if transmit is not None:
                    send = asyncio.ensure_future(self._send(radio, ether, transmit.frame))
                if radio.unsaved:
                    radio.unsaved = False
                    radio.settings.save(self._spec.folder)
                self.client_port.flush()
                due_ms = radio.next_wakeup_ms(self._now_ms())
                if radio.reboot_at_ms is not None:
                    due_ms = min(due_ms, radio.reboot_at_ms)
                try:
                    async with asyncio.timeout(max(0, due_ms - self._now_ms()) / 1000 / self._spec.speed):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            tasks = [task for task in (hear, send) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _hear(self, radio: StockRadio, ether: EtherRadio) -> None:
        try:
            while True:
                frame, rssi_dbm, snr_db = await ether.receive()
                radio.receive(frame, rssi_dbm, snr_db, self._now_ms())
                self._wake.set()
        finally:
            self._wake.set()

    async def _send(self, radio: StockRadio, ether: EtherRadio, frame: bytes) -> None:
        if await ether.transmit(frame):
            radio.transmitted(self._now_ms())
        else:
            radio.channel_busy(self._now_ms())
        self._wake.set()


async def _main(path: Path) -> None:
    await RadioProcess(read_spec(path)).run(lambda port: print(f"READY port={port}", flush=True))


def main() -> int:
    """Exit status 0 when interrupted, 1 with one sentence when it cannot go on."""
    if len(sys.argv) != 2:
        print("usage: python -m kiezbox_simulator.stock_radio FILE", file=sys.stderr)
        return 2
    try:
        asyncio.run(_main(Path(sys.argv[1])))
    except RadioError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0
