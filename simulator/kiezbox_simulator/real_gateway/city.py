# SPDX-License-Identifier: Apache-2.0
"""The city's end: an MQTT subscriber that writes down every message in the order of arrival.

It counts what really came out of the broker, with a library the gateway does not use. Whether a message came once is
judged by its id.
"""

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiomqtt

from kiezbox_simulator.program import Program, Programs, free_port, python_module

CONNECT_PAUSE_S = 0.1


class CityError(Exception):
    """The city's broker cannot be used; one sentence."""


@dataclass(frozen=True)
class Arrival:
    """One message that arrived. `number` counts from 0; `since_start_s` is seconds since the subscriber began."""

    number: int
    since_start_s: float
    topic: str
    message: dict[str, Any]

    @property
    def id(self) -> str:
        """The message id, the same for each repeat."""
        return str(self.message.get("id"))

    @property
    def kind(self) -> str:
        """call, reading, health ..."""
        return str(self.message.get("kind"))

    @property
    def box(self) -> str:
        """Node number of the box in hexadecimal."""
        return str(self.message.get("box"))


@dataclass
class City:
    """Subscribes to one district and keeps doing so whenever there is a broker. `arrivals` in order."""

    host: str
    port: int
    district: str
    arrivals: list[Arrival] = field(default_factory=list)
    malformed: int = 0
    subscribed: asyncio.Event = field(default_factory=asyncio.Event)
    started_s: float = field(default_factory=time.monotonic)
    _task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Subscribe from now on."""
        self._task = asyncio.ensure_future(self._run())

    async def command(self, kind: str, message: dict[str, Any]) -> None:
        """Say something to the gateways, as docs/asyncapi.yaml has it. Raises CityError if the broker is not there."""
        try:
            async with aiomqtt.Client(self.host, self.port, timeout=5) as client:
                await client.publish(f"kiezbox/v1/{self.district}/command/{kind}", json.dumps(message), qos=1)
        except aiomqtt.MqttError as error:
            raise CityError(f"the city's broker did not take a command: {error}") from None

    async def stop(self) -> None:
        """Unsubscribe."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(aiomqtt.MqttError):
                async with aiomqtt.Client(self.host, self.port, timeout=5) as client:
                    await client.subscribe(f"kiezbox/v1/{self.district}/#", qos=1)
                    self.subscribed.set()
                    async for message in client.messages:
                        self._take(str(message.topic), message.payload)
            self.subscribed.clear()
            await asyncio.sleep(CONNECT_PAUSE_S)

    def _take(self, topic: str, payload: object) -> None:
        try:
            message = json.loads(payload if isinstance(payload, (bytes, str)) else b"")
            if not isinstance(message, dict):
                raise ValueError("no object")
        except ValueError:
            self.malformed += 1
            return
        since_start_s = round(time.monotonic() - self.started_s, 3)
        self.arrivals.append(Arrival(len(self.arrivals), since_start_s, topic, message))

    def of_kind(self, kind: str) -> list[Arrival]:
        """Arrivals of one kind."""
        return [arrival for arrival in self.arrivals if arrival.kind == kind]

    def repeated(self) -> list[str]:
        """Ids that arrived more than once."""
        ids = [arrival.id for arrival in self.arrivals]
        return sorted({each for each in ids if ids.count(each) > 1})


async def start_broker(programs: Programs) -> tuple[Program, int]:
    """A broker of our own on a free port. Raises ProgramError."""
    port = free_port()
    broker = programs.add("broker", python_module("kiezbox_simulator.broker", str(port)))
    broker.start()
    await broker.ready()
    return broker, port


def broker_address(url: str) -> tuple[str, int]:
    """Host and port of mqtt://host[:port]. Raises CityError."""
    try:
        parts = urlsplit(url)
        port = parts.port or 1883
    except ValueError:
        raise CityError(f"{url!r} is no broker: CITY_MQTT takes mqtt://host:port") from None
    if parts.scheme != "mqtt" or not parts.hostname or parts.path.strip("/") or parts.username:
        raise CityError(f"{url!r} is no broker: CITY_MQTT takes mqtt://host:port")
    return parts.hostname, port


async def probe(host: str, port: int) -> None:
    """Connect once as MQTT client. Raises CityError if there is no broker."""
    try:
        async with aiomqtt.Client(host, port, timeout=5):
            return
    except aiomqtt.MqttError:
        raise CityError(
            f"No MQTT broker answers at mqtt://{host}:{port}. Start one, or leave CITY_MQTT out for the built-in one."
        ) from None
