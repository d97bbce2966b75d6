# SPDX-License-Identifier: Apache-2.0
"""Runs a gateway until it is told to stop: its doors (radio, city, web) and what it does for itself, side by side.

The only place that knows all parts. Order of starting: `Gateway.start` opens the store, then the web, then the rest.
"""

import asyncio
import signal
import time
from collections.abc import Callable
from typing import Any

import structlog

from kiezbox_gateway import clock, service, upkeep
from kiezbox_gateway.clock import unix_ms
from kiezbox_gateway.configuration import Configuration
from kiezbox_gateway.gateway import Gateway
from kiezbox_gateway.web.server import WebServer

CLOCK_FIRST_S = 15.0

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
        tasks = [
            asyncio.create_task(work, name=name)
            for name, work in (
                ("stop", stop.wait()),
                ("radio", gateway.link.run()),
                ("city", gateway.city.run()),
                *([("uplink", gateway.uplink.run())] if gateway.uplink is not None else []),
                ("downlink", gateway.downlink.run()),
                ("clock", _tell_time(gateway)),
                ("upkeep", upkeep.run(gateway)),
                ("service", service.notify(gateway)),
            )
        ]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            # A part that ends is a fault of ours, or a damaged store; the service manager starts the whole anew.
            _raise_first(task.exception())
    finally:
        for task in (*tasks, *gateway.background):
            task.cancel()
        await asyncio.gather(*tasks, *gateway.background, return_exceptions=True)
        await web.close()
        await gateway.custody.finish()
        await gateway.store.close()


async def _tell_time(gateway: Gateway) -> None:
    settings = gateway.configuration.clock
    await asyncio.sleep(CLOCK_FIRST_S)
    while True:
        quality = await asyncio.to_thread(clock.quality, settings.trust)
        if quality and gateway.link.status.state == "ready":
            gateway.downlink.send_time(int(time.time()), quality)
        await asyncio.sleep(settings.interval_s)


def _raise_first(error: BaseException | None) -> None:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if error is not None:
        raise error


async def run(configuration: Configuration, *, on_ready: Callable[[int], None] | None = None) -> None:
    """Start and run a gateway. See `Gateway.start` and `serve` for what is raised."""
    gateway = await Gateway.start(configuration)
    log.info("started", boxes=len(gateway.boxes), at_ms=unix_ms())
    await serve(gateway, on_ready=on_ready)
    log.info("stopped")
