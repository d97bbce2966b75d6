# SPDX-License-Identifier: Apache-2.0
"""Erasing removes the bytes: database file, write-ahead log, backups. Looked for in the raw files."""

import asyncio
import random
import sqlite3
from pathlib import Path

import pytest

from kiezbox_gateway.store import backup, calls, erasure, jobs
from kiezbox_gateway.store.rows import StoreError
from kiezbox_gateway.store.store import Store
from tests.gateway.store.sample import NOW_MS, call, reading

SECRET = "Zwiebelfisch im vierten Stock"
ANSWER = "Trupp Pelikan kommt zu Ihnen"
LONG = SECRET + " und " * 4000 + SECRET  # Needs overflow pages.


def files_with(folder: Path, text: str) -> list[str]:
    """Names of files below a folder whose raw bytes hold a text in UTF-8 or UTF-16."""
    wanted = (text.encode(), text.encode("utf-16-le"))
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            raw = path.read_bytes()
            if any(each in raw for each in wanted):
                found.append(path.name)
    return sorted(found)


async def fill(store: Store) -> None:
    """Calls between many other rows, in random order, so that the one to erase shares its pages."""
    chance = random.Random(5)
    wanted = [reading(number) for number in range(1, 400)]
    wanted += [call(1000 + number, f"anderer Text {number} " * 20, code=f"OTHER{number}") for number in range(40)]
    wanted += [call(5000, SECRET), call(5001, LONG, action=1, refers_to=5000)]
    chance.shuffle(wanted)
    for each in wanted:
        await store.take(each)
    await store.submit(lambda connection: calls.advance(connection, call(5000).id, 5, "Wache", ANSWER, NOW_MS, "board"))


async def confirm_all(store: Store) -> None:
    rows = await store.rows("SELECT sequence FROM message")
    await store.confirm([row[0] for row in rows], NOW_MS)


async def erase(store: Store, **options: bool) -> list[str]:
    erased = await store.submit(
        lambda connection: erasure.erase_call(
            connection, call(5000).id, NOW_MS + 1, unconfirmed_too=options.get("unconfirmed_too", False)
        )
    )
    await store.writer.outside(erasure.empty_log)
    await asyncio.to_thread(backup.erase_from_backups, store.folder, erased.ids, NOW_MS + 1)
    return erased.ids


async def test_no_byte_of_an_erased_call_is_left(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await fill(store)
    await confirm_all(store)
    await asyncio.to_thread(backup.make, tmp_path)
    await asyncio.to_thread(backup.make, tmp_path, tmp_path / "backups" / "second.sqlite")
    assert len(files_with(tmp_path, SECRET)) >= 3
    assert files_with(tmp_path, ANSWER)
    others = files_with(tmp_path, "anderer Text 7 ")
    erased = await erase(store)
    assert len(erased) == 3
    assert files_with(tmp_path, SECRET) == []
    assert files_with(tmp_path, ANSWER) == []
    assert len(files_with(tmp_path, "anderer Text 7 ")) >= len(others) - 1  # The log file is empty now.
    # A box that repeats the call does not bring it back.
    assert not (await store.take(call(5000, SECRET))).new
    assert files_with(tmp_path, SECRET) == []
    (row,) = await store.rows("SELECT kind, body FROM message WHERE confirmed_ms IS NULL")
    assert row[0] == "erasure"
    await store.close()
    for path in (tmp_path / "backups").iterdir():
        backup.check(path)


async def test_unconfirmed_call_is_not_lost_by_mistake(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await fill(store)
    with pytest.raises(erasure.ErasureError, match="not confirmed"):
        await erase(store)
    assert files_with(tmp_path, SECRET)
    await erase(store, unconfirmed_too=True)
    assert files_with(tmp_path, SECRET) == []
    await store.close()


async def test_job_of_an_erased_call_is_gone(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await fill(store)
    await confirm_all(store)
    await erase(store)
    assert await store.submit(lambda connection: jobs.open_jobs(connection, NOW_MS)) == []
    await store.close()


async def test_unknown_code_changes_nothing(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await store.take(call(1))
    with pytest.raises(calls.NoSuchCallError):
        await store.submit(lambda connection: erasure.erase_call(connection, "NOCODE", NOW_MS, unconfirmed_too=True))
    assert await store.rows("SELECT count(*) FROM message") == [(1,)]
    await store.close()


async def test_retention_takes_the_old_and_confirmed_only(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    old_ms = NOW_MS - 40 * erasure.DAY_MS
    for number in range(1, 6):
        await store.take(call(number, SECRET, code=f"C{number}", received_ms=old_ms))
        await store.take(reading(100 + number, received_ms=old_ms))
    fresh = await store.take(call(50, "frisch"))
    await confirm_all(store)
    waiting = await store.take(call(60, "wartet", received_ms=old_ms))
    expired = 0
    before_ms = NOW_MS - 30 * erasure.DAY_MS
    while count := await store.submit(
        lambda connection: erasure.expire(connection, ("call", "reading"), before_ms, NOW_MS)
    ):
        expired += count
    await store.writer.outside(erasure.empty_log)
    assert expired == 10
    assert {row[0] for row in await store.rows("SELECT id FROM message")} == {fresh.id, waiting.id}
    assert files_with(tmp_path, SECRET) == []
    assert not (await store.take(call(3, SECRET, code="C3"))).new
    await store.close()


async def test_log_held_by_a_reader_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "CHECKPOINT_TRIES", 2)
    store = await Store.open(tmp_path)
    await store.take(call(1))
    reader = sqlite3.connect(store.path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM message").fetchone()
    await store.take(call(2, code="X"))
    await store.writer.outside(lambda connection: connection.execute("PRAGMA busy_timeout = 10").fetchone())
    with pytest.raises(StoreError, match="another program reads"):
        await store.writer.outside(erasure.empty_log)
    reader.close()
    await store.writer.outside(erasure.empty_log)
    assert files_with(tmp_path, "Hilfe") == [store.path.name]
    await store.close()


def test_kinds_with_words_of_residents_are_known() -> None:
    from kiezbox_gateway.store.rows import CLASS_OF_KIND, PERSONAL_KINDS

    assert set(PERSONAL_KINDS) <= set(CLASS_OF_KIND)
