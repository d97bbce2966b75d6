# SPDX-License-Identifier: Apache-2.0
"""Runs a gateway until it is told to stop: its doors (radio, city, web) and what it does for itself, side by side.

The only place that knows all parts. Order of starting: `Gateway.start` opens the store, then the web, then the rest.

A part that fails by a mistake of ours is begun anew and counted, so that it does not take the others with it. When that
happens too often, or the store is damaged, the process ends and the service manager starts it anew.
"""

import asyncio
import signal
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import structlog

from kiezbox_gateway import clock, service, upkeep
from kiezbox_gateway.clock import unix_ms
from kiezbox_gateway.configuration import Configuration
from kiezbox_gateway.gateway import Gateway
from kiezbox_gateway.store.rows import StoreCorruptError
from kiezbox_gateway.web.server import WebServer

CLOCK_FIRST_S = 15.0
FAULT_PAUSE_S = 1.0
# So many failures of one part within this time, and a fresh process is the better medicine.
FAULTS_MAX = 5
FAULTS_WINDOW_S = 600.0

log = structlog.get_logger(part="gateway")


async def serve(gateway: Gateway, *, on_ready: Callable[[int], None] | None = None) -> None:
    """Run until SIGTERM or SIGINT, then close everything. `on_ready` gets the web port.

    Raises OSError when that port cannot be opened, and what ended a part that must not end.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    web = WebServer(gateway)
    tasks: list[asyncio.Task[Any]] = []
    try:
        port = await web.start()
        if on_ready is not None:
            on_ready(port)
        parts: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            ("radio", gateway.link.run),
            ("city", gateway.city.run),
            ("downlink", gateway.downlink.run),
            ("clock", lambda: _tell_time(gateway)),
            ("upkeep", lambda: upkeep.run(gateway)),
            ("service", lambda: service.notify(gateway)),
        ]
        if gateway.uplink is not None:
            parts.append(("uplink", gateway.uplink.run))
        tasks = [asyncio.create_task(stop.wait(), name="stop")]
        tasks += [asyncio.create_task(_keep_running(gateway, name, run), name=name) for name, run in parts]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            _raise_first(task.exception())
    finally:
        for task in (*tasks, *gateway.background):
            task.cancel()
        await asyncio.gather(*tasks, *gateway.background, return_exceptions=True)
        await web.close()
        await gateway.custody.finish()
        await gateway.store.close()


async def _keep_running(gateway: Gateway, name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a part that never ends; begin it anew when it fails. Raises what cannot be helped like that."""
    failed_s: list[float] = []
    while True:
        try:
            await run()
        except Exception as error:
            cause = _innermost(error)
            now_s = time.monotonic()
            failed_s = [moment for moment in failed_s if now_s - moment < FAULTS_WINDOW_S] + [now_s]
            if isinstance(cause, StoreCorruptError) or len(failed_s) >= FAULTS_MAX:
                raise
            # Where, but not what: the text of an exception may hold what a resident wrote.
            frame = traceback.extract_tb(cause.__traceback__)[-1]
            source = f"{Path(frame.filename).name}:{frame.lineno}"
            log.critical("part_failed", failed=name, reason=type(cause).__name__, source=source)
            gateway.faults[name] = gateway.faults.get(name, 0) + 1
        await asyncio.sleep(FAULT_PAUSE_S)


async def _tell_time(gateway: Gateway) -> None:
    settings = gateway.configuration.clock
    await asyncio.sleep(CLOCK_FIRST_S)
    while True:
        quality = await asyncio.to_thread(clock.quality, settings.trust)
        told = bool(quality and gateway.link.can_send)
        if told:
            gateway.downlink.send_time(int(time.time()), quality)
        # Boxes whose calls wait take the first one as the sign that a gateway is there again.
        await asyncio.sleep(settings.interval_s if told else CLOCK_FIRST_S)


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _raise_first(error: BaseException | None) -> None:
    if error is not None:
        raise _innermost(error)


async def run(configuration: Configuration, *, on_ready: Callable[[int], None] | None = None) -> None:
    """Start and run a gateway. See `Gateway.start` and `serve` for what is raised."""
    gateway = await Gateway.start(configuration)
    log.info("started", boxes=len(gateway.boxes), at_ms=unix_ms())
    await serve(gateway, on_ready=on_ready)
    log.info("stopped")
