# SPDX-License-Identifier: Apache-2.0
"""Work that Ctrl-C or SIGTERM ends at any moment, so that whoever started programs can end them. Called by the demo and
by paced scenarios."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine, Iterator
from typing import Any


class StoppedError(Exception):
    """A signal asked us to stop."""


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[asyncio.Event]:
    """Yields an event that SIGINT and SIGTERM set. To be used inside a running loop of the main thread."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, Any]) -> None:
    """Do `work`, but raise StoppedError as soon as `stop` is set."""
    doing, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((doing, stopping), return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            doing.result()
        else:
            raise StoppedError
    finally:
        for task in (doing, stopping):
            task.cancel()
        await asyncio.gather(doing, stopping, return_exceptions=True)
