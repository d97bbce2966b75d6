# SPDX-License-Identifier: Apache-2.0
"""Schema: every older version becomes the newest without losing a row; pragmas; lock."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kiezbox_gateway.store import database, messages
from kiezbox_gateway.store.rows import StoreCorruptError, StoreError
from tests.gateway.store.sample import NOW_MS

NEWEST = len(database.migrations())


def dump(connection: sqlite3.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")}


def fill(connection: sqlite3.Connection) -> None:
    """Rows as the first schema had them; later migrations must keep their meaning."""
    connection.execute(
        "INSERT INTO message (id, kind, class, node_num, counter, verified, received_ms, measured_s, body)"
        " VALUES ('00000001-00000001', 'call', 0, 1, 1, 1, ?, NULL, ?)",
        (NOW_MS, json.dumps({"text": "Hilfe"})),
    )
    connection.execute("INSERT INTO call VALUES (1, 1, 1, 'CODE1234', 0, NULL, NULL, 2)")
    connection.execute("INSERT INTO stage VALUES (1, 1, 3, 'Wache', ?, NULL)", (NOW_MS,))
    connection.execute("INSERT INTO job (kind, message, node_num, origin, created_ms, expires_ms) VALUES ('reply', '{}', 1, 'board', 1, 2)")  # fmt: skip # noqa: E501
    connection.execute("INSERT INTO job_box (job, node_num, state, changed_ms) VALUES (1, 1, 'queued', 1)")
    connection.execute("INSERT INTO saved VALUES ('down_counter_reserved', 640)")
    connection.execute("INSERT INTO box (node_num, highest_counter) VALUES (1, 17)")


@pytest.mark.parametrize("begun_at", range(1, NEWEST + 1))
def test_every_older_schema_becomes_the_newest(tmp_path: Path, begun_at: int) -> None:
    with closing(database.connect(tmp_path / "old.sqlite")) as old:
        database.migrate(old, upto=begun_at)
        assert database.version(old) == begun_at
        fill(old)
        assert database.migrate(old) == NEWEST - begun_at
        with closing(database.connect(tmp_path / "new.sqlite")) as new:
            assert database.migrate(new) == NEWEST
            assert dump(old) == dump(new)
        (found,) = messages.waiting(old, messages.OutboxClass.CALL, 0, 10)
        assert found.id == "00000001-00000001"
        assert old.execute("SELECT value FROM saved").fetchone() == (640,)
        assert old.execute("SELECT state FROM job_box").fetchone() == ("queued",)
        assert old.execute("PRAGMA foreign_key_check").fetchall() == []
        assert old.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_newer_schema_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    with closing(database.connect(path)) as connection:
        database.migrate(connection)
        connection.execute(f"PRAGMA user_version = {NEWEST + 1}")
        with pytest.raises(StoreError, match="newer version"):
            database.migrate(connection)
        assert database.version(connection) == NEWEST + 1


def test_commits_are_synced_and_deletes_overwrite(tmp_path: Path) -> None:
    with closing(database.connect(tmp_path / "x.sqlite")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA secure_delete").fetchone() == (1,)
        assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    assert (tmp_path / "x.sqlite").stat().st_mode & 0o777 == 0o600


def test_folder_is_for_one_process(tmp_path: Path) -> None:
    first = database.lock_folder(tmp_path)
    with pytest.raises(database.StoreLockedError, match="another gateway"):
        database.lock_folder(tmp_path)
    os.close(first)
    os.close(database.lock_folder(tmp_path))


def test_no_database_is_recognised_as_damage(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    path.write_bytes(b"this is no database at all, " * 100)
    with pytest.raises(StoreCorruptError):
        database.connect(path)
