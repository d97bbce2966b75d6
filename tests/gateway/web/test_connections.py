# SPDX-License-Identifier: Apache-2.0
"""Slow and idle clients are cut off, and many of them keep nobody else out."""

import asyncio
import time
from pathlib import Path

import pytest

from kiezbox_gateway.web import connections, request
from tests.gateway.running import running_gateway


async def ends(reader: asyncio.StreamReader, timeout_s: float = 10.0) -> bytes:
    """What the server still says before it ends the connection."""
    async with asyncio.timeout(timeout_s):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


async def test_a_client_that_sends_nothing_or_trickles_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "FIRST_S", 0.5)
    async with running_gateway(tmp_path) as running:
        silent, silent_writer = await asyncio.open_connection("127.0.0.1", running.port)
        trickling, trickling_writer = await asyncio.open_connection("127.0.0.1", running.port)
        begun_s = time.monotonic()

        async def trickle() -> None:
            for byte in b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"x" * 1000:
                trickling_writer.write(bytes([byte]))
                await asyncio.sleep(0.05)

        task = asyncio.create_task(trickle())
        assert await ends(silent) == b""
        assert await ends(trickling) == b""
        assert time.monotonic() - begun_s < 5
        task.cancel()
        for writer in (silent_writer, trickling_writer):
            writer.close()
        assert (await running.request("GET", "/healthz"))[0] == 200


async def test_a_body_that_does_not_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "BODY_TIMEOUT_S", 0.3)
    async with running_gateway(tmp_path) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(
            b"POST /api/v1/mode HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 30\r\n"
            b"Authorization: Bearer " + running.deployment.token.encode() + b"\r\n\r\n{"
        )
        async with asyncio.timeout(5):
            assert b" 408 " in await reader.readline()
        writer.close()


async def test_a_client_that_does_not_read_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REQUEST_S", 0.5)
    async with running_gateway(tmp_path) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(5):
            assert b" 200 " in await reader.readline()
        await ends(reader)
        writer.close()


async def test_many_idle_connections_keep_nobody_out(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        idle = [
            await asyncio.open_connection("127.0.0.1", running.port) for _ in range(connections.CONNECTIONS_MAX * 2)
        ]
        assert (await running.request("GET", "/healthz"))[0] == 200
        # Those quiet for longest went first.
        assert await ends(idle[0][0]) == b""
        with pytest.raises(TimeoutError):
            await ends(idle[-1][0], 0.2)
        for _, writer in idle:
            writer.close()
