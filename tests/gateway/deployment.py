# SPDX-License-Identifier: Apache-2.0
"""A gateway's folder as `kiezbox gateway init` and `enroll` make it, and the boxes' end of the protocol."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from kiezbox.protocol import events
from kiezbox.protocol.box_endpoint import BoxEndpoint
from kiezbox_gateway import box_files, configuration, provisioning, secret_files

FIRST_NODE = 0x7C3E5100


class Deployment:
    """`boxes` boxes are enrolled; `box(i)` is the protocol's own box endpoint with the same keys."""

    def __init__(
        self, folder: Path, *, radio: str, city: str, boxes: int = 2, settings: dict[str, str] | None = None
    ) -> None:
        self.folder = folder
        values = {"name": "Testwache", "district": "test", "station": "Feuerwache Test", "port": "0"}
        values |= {"radio": radio, "city": city}
        self.path = provisioning.initialise(folder, values)
        changes = {"retry_max_s = 60.0": "retry_max_s = 1.0", "disk_reserve_mib = 32": "disk_reserve_mib = 1"}
        changes |= {"readings_per_s = 200": "readings_per_s = 0", 'trust = "kernel"': 'trust = "never"'}
        text = self.path.read_text()
        for old, new in (changes | (settings or {})).items():
            assert old in text, old
            text = text.replace(old, new)
        self.path.write_text(text)
        for index in range(boxes):
            box_files.enroll_box(folder / "boxes.toml", FIRST_NODE + index, f"Box {index}")
        self.configuration = configuration.load(self.path)
        self.identities = box_files.read_boxes(self.configuration.boxes.file)
        self.token = secret_files.read_token(self.configuration.web.token_file)
        self.channel_key = secret_files.read_hex_key(self.configuration.radio.channel_key_file, (32,))
        self.public_key = secret_files.district_public_key(
            secret_files.read_district_key(self.configuration.boxes.district_key_file)
        )

    def use_radio(self, address: str) -> None:
        """Another radio from the next start on."""
        lines = [
            f'address = "{address}"' if line.startswith("address = ") else line
            for line in self.path.read_text().split("\n")
        ]
        self.path.write_text("\n".join(lines))
        self.configuration = configuration.load(self.path)

    def box(self, index: int) -> "Box":
        identity = self.identities[index]
        return Box(identity.node_num, identity.root_key, {1: self.public_key})


class Box:
    """A box endpoint that keeps its counters and hands out payloads for the private port."""

    def __init__(
        self, node_num: int, root_key: bytes, public_keys: dict[int, bytes], saved: dict[str, Any] | None = None
    ) -> None:
        self.node_num = node_num
        self.saved = saved or {}
        self.endpoint = BoxEndpoint(node_num, root_key, public_keys, os.urandom(32), self.saved)
        self.events: list[Any] = []
        self.now_ms = 0
        self._persist()

    def _persist(self) -> list[bytes]:
        payloads = []
        for action in self.endpoint.poll(self.now_ms):
            if isinstance(action, events.Persist):
                self.saved[action.name] = action.value
                self.endpoint.persisted(action.name, action.value)
            else:
                payloads.append(action.payload)
        return payloads

    def send(self, kind: str, message: dict[str, Any]) -> tuple[int, list[bytes]]:
        """(counter, payloads of its first transmission)."""
        self._persist()
        counter = self.endpoint.send(kind, message, self.now_ms)
        return counter, self.due(after_ms=1)

    def due(self, after_ms: int) -> list[bytes]:
        """What the box sends when so much time has passed."""
        self.now_ms += after_ms
        payloads: list[bytes] = []
        for _ in range(50):
            found = self._persist()
            if not found:
                break
            payloads += found
        return payloads

    def hear(self, payload: bytes) -> list[Any]:
        """Events of a payload from the gateway."""
        found = self.endpoint.receive(payload, self.now_ms)
        self.events += found
        return found

    def is_in_custody(self, counter: int) -> bool:
        return any(message.counter == counter for message in self.endpoint.custody.messages)


def reading(sequence: int, time_s: int = 1_770_000_000) -> dict[str, Any]:
    return {
        "sequence": sequence,
        "time_s": time_s,
        "clock_quality": 2,
        "interval_s": 300,
        "samples": [{"temperature_cc": 2100 + sequence % 50, "humidity_dpct": 455, "battery_mv": 3901}],
    }


def emergency(text: str = "Sauerstoffgerät ohne Strom", code: str = "K7QX2M9A") -> dict[str, Any]:
    return {
        "category": 1, "text": text, "place": "Testweg 5, 3. Stock", "people": 2, "name": "A. Beispiel", "contact": "",
        "language": "de", "code": code, "time_s": 1_770_000_000, "clock_quality": 2, "action": 0,
    }  # fmt: skip


class GatewayProcess:
    """The gateway as its own process, so that it can be killed."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.process: asyncio.subprocess.Process | None = None
        self.port = 0

    async def start(self, timeout_s: float = 60.0) -> None:
        with (self.deployment.folder / "log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", "from kiezbox_gateway.command import main; main()",
                "gateway", "run", "--config", str(self.deployment.path),
                stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        assert self.process.stdout is not None
        async with asyncio.timeout(timeout_s):
            line = (await self.process.stdout.readline()).decode()
        assert line.startswith("READY "), (line, (self.deployment.folder / "log").read_text()[-2000:])
        self.port = int(line.rsplit(":", 1)[1].strip("/\n"))

    async def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def stop(self) -> int:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(15):
            return await self.process.wait()

    async def nothing_waits(self) -> bool:
        """Whether the city has confirmed everything."""
        return not sum((await self.get("/api/v1/status"))["waiting"].values())

    async def get(self, path: str, body: dict[str, Any] | None = None) -> Any:
        def call() -> Any:
            request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
            request.add_header("Authorization", f"Bearer {self.deployment.token}")
            if body is not None:
                request.data = json.dumps(body).encode()
                request.add_header("Content-Type", "application/json")
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  Loopback.
                return json.load(answer)

        return await asyncio.to_thread(call)
