# SPDX-License-Identifier: Apache-2.0
"""The city of the tests: a real mosquitto on a free loopback port, and a subscriber that writes down what arrives.

The subscriber is aiomqtt, which shares no code with the gateway's own MQTT.
"""

import asyncio
import contextlib
import json
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import aiomqtt

from tests.gateway.waiting import until

MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mosquitto:
    """`start`, `stop` and start again on the same port; the persistence survives a stop."""

    def __init__(self, folder: Path, extra: str = "", port: int | None = None, *, anonymous: bool = True) -> None:
        self.port = port or free_port()
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o777)
        self._configuration = folder / "mosquitto.conf"
        settings = [
            f"listener {self.port} 127.0.0.1",
            f"allow_anonymous {str(anonymous).lower()}",
            "persistence true",
            f"persistence_location {folder}/",
            # With the queue unlimited, mosquitto 2.0.11 hangs up after it has refused a message.
            *([] if "max_queued_messages" in extra else ["max_queued_messages 0"]),
            "max_inflight_messages 0",
            "user root",
            "set_tcp_nodelay true",
            extra,
        ]
        self._configuration.write_text("\n".join(settings) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._process = subprocess.Popen(
            [MOSQUITTO, "-c", str(self._configuration)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise RuntimeError("mosquitto did not start") from None
                time.sleep(0.02)

    def reload(self) -> None:
        """Read access lists again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None


class Subscriber:
    """Collects messages below kiezbox/; `async with Subscriber(url port)`."""

    def __init__(self, port: int, topic: str = "kiezbox/#") -> None:
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self._port = port
        self._topic = topic
        self._task: asyncio.Task[None] | None = None
        self._client: aiomqtt.Client | None = None
        self._identifier = f"city-{port}-{id(self)}"

    async def __aenter__(self) -> "Subscriber":
        ready = asyncio.Event()
        self._task = asyncio.create_task(self._run(ready))
        async with asyncio.timeout(10):
            await ready.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self, ready: asyncio.Event) -> None:
        while True:
            try:
                async with aiomqtt.Client(
                    "127.0.0.1", self._port, identifier=self._identifier, clean_session=False
                ) as client:
                    self._client = client
                    await client.subscribe(self._topic, qos=1)
                    ready.set()
                    async for message in client.messages:
                        assert isinstance(message.payload, bytes)
                        self.messages.append((str(message.topic), json.loads(message.payload)))
            except aiomqtt.MqttError:
                await asyncio.sleep(0.05)

    async def publish(self, topic: str, payload: dict[str, Any] | bytes) -> None:
        assert self._client is not None
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        await self._client.publish(topic, raw, qos=1)

    @property
    def ids(self) -> list[str]:
        return [payload["id"] for _, payload in self.messages if "id" in payload]

    async def wait_for(self, count: int, timeout_s: float = 20.0) -> None:
        """Until that many different ids have arrived."""
        await until(lambda: len(set(self.ids)) >= count, timeout_s)
