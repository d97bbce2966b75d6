# SPDX-License-Identifier: Apache-2.0
"""Group commit: done means on disk; one mistake does not take others with it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio

from kiezbox_gateway.store import database
from kiezbox_gateway.store.rows import StoreError, StoreFullError
from kiezbox_gateway.store.writer import Writer


@pytest_asyncio.fixture
async def writer(tmp_path: Path) -> AsyncIterator[Writer]:
    connection = database.connect(tmp_path / "x.sqlite")
    connection.execute("CREATE TABLE t (n INTEGER UNIQUE, text TEXT)")
    made = Writer(connection)
    yield made
    await made.close()


def insert(number: int, text: str = "") -> "object":
    def work(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO t VALUES (?, ?)", (number, text))
        return number

    return work


async def test_done_is_visible_to_another_connection(writer: Writer, tmp_path: Path) -> None:
    assert await writer.submit(insert(7)) == 7  # type: ignore[arg-type]
    with closing(sqlite3.connect(tmp_path / "x.sqlite")) as other:
        assert other.execute("SELECT n FROM t").fetchall() == [(7,)]


async def test_what_waits_together_is_one_commit_in_order(writer: Writer) -> None:
    results = await asyncio.gather(*(writer.submit(insert(number)) for number in range(500)))  # type: ignore[arg-type]
    assert results == list(range(500))
    assert writer.commits <= 3
    assert writer.largest_group >= 400
    order = await writer.submit(lambda connection: connection.execute("SELECT n FROM t ORDER BY rowid").fetchall())
    assert order == [(number,) for number in range(500)]


async def test_one_that_fails_is_alone(writer: Writer) -> None:
    numbers = [1, 2, 2, 3, 3, 4]
    results = await asyncio.gather(
        *(writer.submit(insert(number)) for number in numbers),
        return_exceptions=True,  # type: ignore[arg-type]
    )
    assert [isinstance(result, StoreError) for result in results] == [False, False, True, False, True, False]
    rows = await writer.submit(lambda connection: connection.execute("SELECT n FROM t").fetchall())
    assert sorted(row[0] for row in rows) == [1, 2, 3, 4]


async def test_half_done_work_is_rolled_back(writer: Writer) -> None:
    def work(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO t VALUES (1, '')")
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        await writer.submit(work)
    assert await writer.submit(lambda connection: connection.execute("SELECT count(*) FROM t").fetchone()) == (0,)


async def test_full_disk_is_named_and_the_store_goes_on(writer: Writer) -> None:
    pages = await writer.outside(lambda connection: connection.execute("PRAGMA page_count").fetchone()[0])
    await writer.outside(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages + 2}").fetchone())
    with pytest.raises(StoreFullError):
        await writer.submit(insert(1, "x" * 100_000))  # type: ignore[arg-type]
    await writer.outside(lambda connection: connection.execute("PRAGMA max_page_count = 100000").fetchone())
    assert await writer.submit(insert(1, "x" * 100_000)) == 1  # type: ignore[arg-type]


async def test_closed_writer_refuses(tmp_path: Path) -> None:
    connection = database.connect(tmp_path / "y.sqlite")
    connection.execute("CREATE TABLE t (n INTEGER)")
    made = Writer(connection)
    pending = made.submit(lambda each: each.execute("INSERT INTO t VALUES (1)").rowcount)
    await made.close()
    assert await pending == 1
    with pytest.raises(StoreError, match="closed"):
        await made.submit(lambda each: None)
