# SPDX-License-Identifier: Apache-2.0
"""The object the rest of the gateway holds: one writer, one reading connection, the folder's lock.

Raises StoreError and its kinds; the sqlite3 library's errors end here.
"""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from kiezbox_gateway.store import database, messages, recovery
from kiezbox_gateway.store.rows import NewMessage, OutboxClass, Stored, StoreError, StoreReadOnlyError, Waiting
from kiezbox_gateway.store.writer import Writer

T = TypeVar("T")


class Store:
    """Open with `await Store.open(folder)`, close with `await store.close()`."""

    def __init__(self, folder: Path, lock: int, writer: Writer, reader: aiosqlite.Connection) -> None:
        self.folder = folder
        self.path = folder / database.FILE_NAME
        self.writer = writer
        self.closed = False
        self._lock = lock
        self._reader = reader

    @classmethod
    async def open(cls, folder: Path) -> "Store":
        """Open or create the store in a folder, bringing its schema up to date. Raises StoreError."""
        try:
            await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
            lock = database.lock_folder(folder)
        except OSError as error:
            raise StoreReadOnlyError(
                "{folder} cannot be used: {reason}", folder=folder, reason=error.strerror
            ) from error
        path = folder / database.FILE_NAME
        try:
            await asyncio.to_thread(recovery.make_sound, folder)
            connection = await asyncio.to_thread(database.connect, path)
            try:
                await asyncio.to_thread(database.migrate, connection)
                reader = await aiosqlite.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            os.close(lock)
            raise database.translate(error) from error
        except BaseException:
            os.close(lock)
            raise
        return cls(folder, lock, Writer(connection), reader)

    async def close(self) -> None:
        """Finish writing and release the folder."""
        self.closed = True
        await self._reader.close()
        await self.writer.close()
        with contextlib.suppress(OSError):
            os.close(self._lock)

    def submit(self, work: Callable[[sqlite3.Connection], T]) -> "asyncio.Future[T]":
        """Run `work` in a transaction; the future is done when it is on disk."""
        return self.writer.submit(work)

    def take(self, message: NewMessage) -> "asyncio.Future[Stored]":
        """Take a message into custody; the future is done when it is on disk."""
        return self.writer.submit(lambda connection: messages.take(connection, message))

    async def waiting(self, outbox_class: OutboxClass, after_sequence: int, limit: int) -> list[Waiting]:
        """Unconfirmed messages of one class, oldest first, behind a sequence number."""
        rows = await self.rows(messages.waiting_query(), (int(outbox_class), after_sequence, limit))
        return [messages.waiting_row(row) for row in rows]

    def confirm(self, sequences: Iterable[int], now_ms: int) -> "asyncio.Future[None]":
        """Mark messages as confirmed by the city."""
        return self.writer.submit(lambda connection: messages.confirm(connection, sequences, now_ms))

    async def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Select with the reading connection: committed rows only."""
        try:
            return list(await self._reader.execute_fetchall(query, parameters))
        except sqlite3.Error as error:
            raise database.translate(error) from error
        except ValueError as error:
            raise StoreError("the store is closed") from error
