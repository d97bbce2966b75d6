# SPDX-License-Identifier: Apache-2.0
"""A whole gateway inside the test's own event loop, between a radio peer and a broker."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from kiezbox.protocol import envelope
from kiezbox_gateway import process
from kiezbox_gateway.gateway import Gateway
from tests.gateway.city_broker import free_port
from tests.gateway.deployment import Box, Deployment
from tests.gateway.radio_peer import RadioPeer
from tests.gateway.waiting import until


class Running:
    """The gateway, its radio, its boxes, and an HTTP session with the token."""

    def __init__(
        self, gateway: Gateway, deployment: Deployment, radio: RadioPeer, port: int, endpoints: list[Box] | None
    ) -> None:
        self.gateway = gateway
        self.deployment = deployment
        self.radio = radio
        self.port = port
        self.boxes = endpoints or [deployment.box(index) for index in range(len(deployment.identities))]
        self.task: asyncio.Task[None] | None = None
        radio.on_packet = self._hear

    def _hear(self, packet: Any) -> None:
        if packet.decoded.portnum == envelope.PORTNUM:
            for box in self.boxes:
                box.hear(packet.decoded.payload)

    def deliver(self, box: Box, payloads: list[bytes]) -> None:
        """Over the air to the gateway's radio."""
        for payload in payloads:
            self.radio.deliver(box.node_num, envelope.PORTNUM, payload)

    def let_time_pass(self, after_ms: int = 31_000) -> None:
        """The boxes send what is due by then; the longest spread of answers is 30 s."""
        for box in self.boxes:
            self.deliver(box, box.due(after_ms))

    async def stored(self, count: int) -> None:
        """Until so many messages of boxes are in the store."""

        async def enough() -> bool:
            rows = await self.gateway.store.rows(
                "SELECT count(*) FROM message WHERE kind NOT IN ('gateway', 'mode', 'stage')"
            )
            return int(rows[0][0]) >= count

        await until(enough)

    async def gateway_has_confirmed_all(self) -> bool:
        """Whether the city has confirmed everything in the store."""
        return not await self.gateway.store.rows("SELECT 1 FROM message WHERE confirmed_ms IS NULL LIMIT 1")

    async def request(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, raw: bytes | None = None
    ) -> tuple[int, Any]:
        """(status, JSON or text)."""
        headers = {"Authorization": f"Bearer {self.deployment.token if token is None else token}"}
        if raw is not None:
            headers["Content-Type"] = "application/json"
        url = f"http://127.0.0.1:{self.port}{path}"
        options = {"data": raw} if raw is not None else {"json": body} if body is not None else {}
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, headers=headers, **options) as answer,
        ):
            text = await answer.text()
            return answer.status, await answer.json() if answer.content_type == "application/json" else text


@contextlib.asynccontextmanager
async def running_gateway(
    folder: Path,
    *,
    city: str | None = None,
    boxes: int = 2,
    deployment: Deployment | None = None,
    endpoints: list[Box] | None = None,
    **settings: Any,
) -> AsyncIterator[Running]:
    """Start it and wait for the radio. Without `city` the city's port is closed. `endpoints` are boxes of before."""
    async with RadioPeer() as radio:
        if deployment is None:
            deployment = Deployment(
                folder, radio=radio.address, city=city or f"mqtt://127.0.0.1:{free_port()}", boxes=boxes, **settings
            )
        else:
            deployment.use_radio(radio.address)
        radio.channels[0].settings.psk = deployment.channel_key
        gateway = await Gateway.start(deployment.configuration)
        ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(process.serve(gateway, on_ready=ready.set_result))
        try:
            port = await ready
            running = Running(gateway, deployment, radio, port, endpoints)
            running.task = task
            await until(lambda: gateway.link.status.state == "ready")
            yield running
        finally:
            task.cancel()
            result = (await asyncio.gather(task, return_exceptions=True))[0]
            if isinstance(result, Exception):
                raise result
