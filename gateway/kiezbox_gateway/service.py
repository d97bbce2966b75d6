# SPDX-License-Identifier: Apache-2.0
"""The service manager's side: readiness and watchdog of systemd (sd_notify(3)), without a library.

The watchdog is fed only while a write to the store comes back in time, so a gateway that hangs is started anew.
"""

import asyncio
import os
import socket

from kiezbox_gateway.gateway import Gateway
from kiezbox_gateway.store.rows import StoreError


def tell(state: str) -> None:
    """Send one state to the service manager, if there is one."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify_socket:
        try:
            notify_socket.sendto(state.encode(), address)
        except OSError:
            return


async def notify(gateway: Gateway) -> None:
    """Say ready, then feed the watchdog at half its interval."""
    tell("READY=1")
    interval_us = os.environ.get("WATCHDOG_USEC", "")
    if not interval_us.isdigit():
        await asyncio.Event().wait()
    pause_s = int(interval_us) / 2_000_000
    while True:
        try:
            async with asyncio.timeout(pause_s):
                await gateway.store.submit(lambda connection: connection.execute("SELECT 1").fetchone())
        except (TimeoutError, StoreError):
            tell("STATUS=the store does not answer")
        else:
            tell("WATCHDOG=1")
        await asyncio.sleep(pause_s)
