# SPDX-License-Identifier: Apache-2.0
"""Backups while the store is written, restoring, and what a damaged file still gives."""

import asyncio
import os
import random
from contextlib import closing
from pathlib import Path

import pytest

from kiezbox_gateway.store import backup, calls, database, erasure, jobs, recovery
from kiezbox_gateway.store.rows import StoreCorruptError, StoreError
from kiezbox_gateway.store.store import Store
from tests.gateway.store.sample import NOW_MS, call, reading


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def replaced(folder: Path) -> list[Path]:
    return [path for path in files(folder) if path.name.startswith("replaced-") and path.suffix == ".sqlite"]


async def ids(folder: Path) -> set[str]:
    store = await Store.open(folder)
    found = {row[0] for row in await store.rows("SELECT id FROM message")}
    await store.close()
    return found


async def test_backup_beside_writing_is_whole_and_consistent(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await asyncio.gather(*(store.take(reading(number)) for number in range(1, 2000)))
    running = asyncio.ensure_future(asyncio.to_thread(backup.make, tmp_path))
    written = 0
    while not running.done():
        written += 1
        await store.take(reading(10_000 + written))
    path = await running
    assert backup.check(path) == len(database.migrations())
    assert path.stat().st_mode & 0o777 == 0o600
    with closing(database.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM message WHERE counter < 10000").fetchone() == (1999,)
    await store.close()


async def test_restore_carries_newer_messages_over_and_moves_counters_ahead(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await store.take(call(1))
    await store.submit(lambda connection: jobs.save(connection, "down_counter_reserved", 64))
    path = await asyncio.to_thread(backup.make, tmp_path)
    await store.take(call(2, code="NEWER123"))
    await store.close()
    aside, carried = backup.restore(tmp_path, path)
    assert carried == 1
    assert aside is not None
    assert aside.exists()
    store = await Store.open(tmp_path)
    assert await store.rows("SELECT code FROM call ORDER BY 1") == [("K7QX2M9A",), ("NEWER123",)]
    assert (await store.submit(jobs.saved))["down_counter_reserved"] == 1_000_064
    assert (await store.rows("SELECT name FROM incident"))[0][0] == "restored"
    await store.close()


async def test_restore_keeps_answers_given_after_the_backup_and_what_was_erased_stays_erased(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await store.take(call(1, "Zwiebelfisch", code="AAAA2345"))
    await store.take(call(2, "Marabu", code="BBBB2345"))
    await store.submit(lambda connection: calls.advance(connection, "AAAA2345", 3, "Wache", None, NOW_MS, "board"))
    copy = await asyncio.to_thread(backup.make, tmp_path)
    moved = copy.rename(tmp_path / "elsewhere.sqlite")
    await store.submit(lambda connection: calls.advance(connection, "AAAA2345", 4, "Wache", None, NOW_MS + 1, "board"))
    _, number = await store.submit(
        lambda connection: calls.advance(connection, "AAAA2345", 5, "Wache", "Pelikan", NOW_MS + 2, "board")
    )
    await store.submit(
        lambda connection: jobs.update_states(connection, number or 0, {call(1).node_num: "on air"}, 3, NOW_MS + 3)
    )
    await store.submit(lambda connection: erasure.erase_call(connection, "BBBB2345", NOW_MS, unconfirmed_too=True))
    await store.close()
    backup.restore(tmp_path, moved)
    store = await Store.open(tmp_path)
    found = await store.submit(lambda connection: calls.find(connection, "AAAA2345"))
    assert found.stage == 5
    stages = await store.submit(lambda connection: calls.stages(connection, found.sequence))
    assert [(each["stage"], each["text"]) for each in stages] == [(2, None), (3, None), (4, None), (5, "Pelikan")]
    opened = await store.submit(lambda connection: jobs.open_jobs(connection, NOW_MS))
    assert [(job.message["stage"], job.boxes) for job in opened] == [
        (3, {call(1).node_num: "queued"}), (4, {call(1).node_num: "queued"}), (5, {call(1).node_num: "on air"}),
    ]  # fmt: skip
    assert await store.rows("SELECT 1 FROM message WHERE id = ?", (call(2).id,)) == []
    await store.close()
    assert b"Marabu" not in (tmp_path / database.FILE_NAME).read_bytes()


async def test_restore_refuses_what_is_no_backup(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "data")
    await store.take(call(1))
    await store.close()
    before = (tmp_path / "data" / database.FILE_NAME).read_bytes()
    garbage = tmp_path / "garbage"
    garbage.write_bytes(os.urandom(5000))
    with pytest.raises(StoreCorruptError):
        backup.restore(tmp_path / "data", garbage)
    with pytest.raises(StoreError, match="not there"):
        backup.restore(tmp_path / "data", tmp_path / "missing")
    assert (tmp_path / "data" / database.FILE_NAME).read_bytes() == before


@pytest.mark.parametrize("seed", range(6))
async def test_damaged_pages_are_survived(tmp_path: Path, seed: int) -> None:
    """The newest backup takes the damaged file's place, and what is readable beyond it is carried over."""
    chance = random.Random(seed)
    store = await Store.open(tmp_path)
    await asyncio.gather(*(store.take(reading(number)) for number in range(1, 600)))
    await store.take(call(1_000))
    await asyncio.to_thread(backup.make, tmp_path)
    await asyncio.gather(*(store.take(reading(number)) for number in range(2_000, 2_600)))
    await store.take(call(3_000, code="NEWER123"))
    roots = {row[0] for row in await store.rows("SELECT rootpage FROM sqlite_schema")}
    await store.close()
    path = tmp_path / database.FILE_NAME
    raw = bytearray(path.read_bytes())
    pages = len(raw) // 4096
    # The loss of the first page is the next test's; without a table's root page none of its rows can be reached.
    for page in chance.sample([page for page in range(1, pages) if page + 1 not in roots], 3):
        raw[page * 4096 : page * 4096 + 4096] = chance.randbytes(4096)
    path.write_bytes(raw)
    found = await ids(tmp_path)
    in_backup = {reading(number).id for number in range(1, 600)} | {call(1_000).id}
    assert in_backup <= found
    assert len(replaced(tmp_path)) == 1
    # Three pages of 15 to 20 rows each, at most one of them an inner page.
    assert len(found) > len(in_backup)


async def test_header_destroyed(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await store.take(call(1))
    await asyncio.to_thread(backup.make, tmp_path)
    await store.close()
    path = tmp_path / database.FILE_NAME
    path.write_bytes(os.urandom(path.stat().st_size))
    assert await ids(tmp_path) == {call(1).id}


async def test_without_any_backup_an_empty_store_begins_and_keeps_the_damaged_file(tmp_path: Path) -> None:
    (tmp_path / database.FILE_NAME).write_bytes(b"no database " * 1000)
    assert await ids(tmp_path) == set()
    assert len(replaced(tmp_path)) == 1


async def test_copy_before_a_migration(tmp_path: Path) -> None:
    with closing(database.connect(tmp_path / database.FILE_NAME)) as connection:
        database.migrate(connection, upto=1)
    await ids(tmp_path)
    (copy,) = backup.newest_first(tmp_path)
    assert copy.name.startswith("before-schema-2")
    assert backup.check(copy) == 1


async def test_old_backups_go_and_the_newest_stays(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    for name in ("a", "b", "c"):
        backup.make(tmp_path, (tmp_path / "x").with_name(f"{name}.sqlite"))
    await store.close()
    (tmp_path / "backups").mkdir()
    for index, name in enumerate(("a", "b", "c")):
        moved = (tmp_path / f"{name}.sqlite").rename(tmp_path / "backups" / f"{name}.sqlite")
        os.utime(moved, (1_000_000 + index, 1_000_000 + index))
    assert backup.remove_old(tmp_path, 7, 1_000_000 + 30 * 86_400) == 2
    assert [path.name for path in backup.newest_first(tmp_path)] == ["c.sqlite"]


async def test_interrupted_restore_leaves_the_present_file(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await store.take(call(1))
    await store.close()
    (tmp_path / f"{database.FILE_NAME}.partial").write_bytes(b"half")
    assert await ids(tmp_path) == {call(1).id}
    assert [path.name for path in files(tmp_path) if "partial" in path.name] == []


def test_recovery_leaves_an_empty_folder_alone(tmp_path: Path) -> None:
    recovery.make_sound(tmp_path)
    assert list(tmp_path.iterdir()) == []
