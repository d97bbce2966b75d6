# SPDX-License-Identifier: Apache-2.0
"""One thread that writes, and one commit for all that waited while the last one was being synced (group commit).

A transaction here is one plain function over the connection, run in one hop to the thread; through aiosqlite each of
its statements would be a hop of its own, which costs more than the statement. Reading goes through aiosqlite, see
`store.store`.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from kiezbox_gateway.store.database import translate
from kiezbox_gateway.store.rows import StoreError

GROUP_MAX = 1_000

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]
Outcome = tuple[Any, Exception | None]


class Writer:
    """Group commit over one connection. Create inside a running event loop."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[Work, asyncio.Future[Any]]] = deque()
        self._running: asyncio.Future[None] | None = None
        self._closed = False
        self.commits = 0
        self.largest_group = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def submit(self, work: Callable[[sqlite3.Connection], T]) -> "asyncio.Future[T]":
        """Run `work` in a transaction. The future is done when that transaction is on disk, or has a StoreError."""
        future: asyncio.Future[T] = self._loop.create_future()
        if self._closed:
            future.set_exception(StoreError("the store is closed"))
            return future
        self._waiting.append((work, future))
        if self._running is None:
            self._running = asyncio.ensure_future(self._run())
        return future

    async def _run(self) -> None:
        try:
            # One turn of the loop: what arrived together is written together.
            await asyncio.sleep(0)
            while self._waiting:
                group = [self._waiting.popleft() for _ in range(min(len(self._waiting), GROUP_MAX))]
                work = [item[0] for item in group]
                outcomes = await self._loop.run_in_executor(self._thread, self._commit, work)
                for (_, future), (result, error) in zip(group, outcomes, strict=True):
                    if future.cancelled():
                        continue
                    if error is None:
                        future.set_result(result)
                    else:
                        future.set_exception(error)
        finally:
            self._running = None

    def _commit(self, group: list[Work]) -> list[Outcome]:
        self.largest_group = max(self.largest_group, len(group))
        try:
            return [(result, None) for result in self._transact(group)]
        except Exception as error:  # noqa: BLE001  Whatever one function raised must not take the others with it.
            if len(group) == 1:
                return [(None, error)]
        # Something in the group failed: each alone, so that only its own caller learns of it.
        return [outcome for work in group for outcome in self._commit([work])]

    def _transact(self, group: list[Work]) -> list[Any]:
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            results = [work(connection) for work in group]
            connection.execute("COMMIT")
        except BaseException as error:
            try:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            except sqlite3.Error as second:
                raise translate(second) from error
            if isinstance(error, sqlite3.Error):
                raise translate(error) from error
            raise
        self.commits += 1
        return results

    async def outside(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in the thread outside any transaction (checkpoint, vacuum). Raises StoreError."""
        if self._closed:
            raise StoreError("the store is closed")

        def call() -> T:
            try:
                return work(self._connection)
            except sqlite3.Error as error:
                raise translate(error) from error

        return await self._loop.run_in_executor(self._thread, call)

    async def close(self) -> None:
        """Finish what waits, then close the connection."""
        self._closed = True
        while self._running is not None:
            await asyncio.shield(self._running)
        await self._loop.run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown(wait=True)
