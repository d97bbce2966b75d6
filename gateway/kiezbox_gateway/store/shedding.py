# SPDX-License-Identifier: Apache-2.0
"""Readings give up their pages inside the database, so that calls for help need no more of a full disk.

Called by the gateway when a call could not be stored.
"""

import sqlite3

import structlog

from kiezbox_gateway.store import messages
from kiezbox_gateway.store.store import Store

# Rows in one transaction, and about what a stored reading occupies.
STEP = 1_000
READING_BYTES = 300

log = structlog.get_logger(part="store")


async def shed_readings(store: Store, wanted_bytes: int) -> int:
    """Empty about so many bytes of pages. Returns how many readings went. Raises StoreError.

    The log is emptied before and after, or it would want to grow instead.
    """
    await store.writer.outside(_restart_log)
    wanted = max(STEP, wanted_bytes // READING_BYTES)
    removed = 0
    while removed < wanted:
        step = await store.submit(lambda connection: messages.shed(connection, STEP))
        removed += step
        if not step:
            break
    await store.writer.outside(_restart_log)
    log.critical("readings_shed", count=removed)
    return removed


def _restart_log(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
