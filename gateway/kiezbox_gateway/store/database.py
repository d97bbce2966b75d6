# SPDX-License-Identifier: Apache-2.0
"""Opening the SQLite file: pragmas, lock, numbered migrations. Called by `store.store`, `backup` and the tests.

WAL with synchronous=FULL: a commit has returned only when its bytes are synced. secure_delete overwrites what is
erased.
"""

import errno
import fcntl
import os
import sqlite3
from importlib import resources
from pathlib import Path

from kiezbox_gateway.store.rows import StoreCorruptError, StoreError, StoreFullError, StoreReadOnlyError

FILE_NAME = "gateway.sqlite"
WAL_PAGES = 4_000
BUSY_TIMEOUT_MS = 10_000


class StoreLockedError(StoreError):
    """Another gateway uses this data folder."""

    reason = "locked"


def translate(error: sqlite3.Error) -> StoreError:
    """The store's own error for one of sqlite3's."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if code is not None else None
    text = f"database: {error}"
    if primary == sqlite3.SQLITE_FULL:
        return StoreFullError(text)
    if primary in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return StoreReadOnlyError(text)
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreCorruptError(text)
    return StoreError(text)


def migrations() -> list[tuple[int, str]]:
    """(number, SQL text) in order; the files are numbered from 0001 without a gap."""
    folder = resources.files("kiezbox_gateway.store") / "migrations"
    files = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    found = [(int(name[:4]), (folder / name).read_text(encoding="utf-8")) for name in files]
    assert [number for number, _ in found] == list(range(1, len(found) + 1))  # noqa: S101  A mistake of ours.
    return found


def statements(text: str) -> list[str]:
    """Single statements of a migration."""
    found, begun = [], ""
    for line in text.splitlines(keepends=True):
        begun += line
        if sqlite3.complete_statement(begun):
            found.append(begun)
            begun = ""
    assert not begun.strip()  # noqa: S101  A mistake of ours.
    return found


def connect(path: Path) -> sqlite3.Connection:
    """A writing connection in autocommit mode with the pragmas set. Raises StoreError."""
    try:
        connection = sqlite3.connect(
            path, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise translate(error) from error
    try:
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "secure_delete = ON",
            "foreign_keys = ON",
            "temp_store = MEMORY",
            f"wal_autocheckpoint = {WAL_PAGES}",
            "journal_size_limit = 0",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
    except sqlite3.Error as error:
        connection.close()
        raise translate(error) from error
    path.chmod(0o600)
    return connection


def version(connection: sqlite3.Connection) -> int:
    """Number of the last migration applied."""
    row = connection.execute("PRAGMA user_version").fetchone()
    return int(row[0])


def migrate(connection: sqlite3.Connection, *, upto: int | None = None) -> int:
    """Apply what is missing, each migration in one transaction. Returns how many. Raises StoreError."""
    available = migrations()
    begun_at = version(connection)
    if begun_at > len(available):
        raise StoreError(
            "the database was written by a newer version (schema {found}); this one knows {known}",
            found=begun_at,
            known=len(available),
        )
    applied = 0
    for number, text in available:
        if number <= begun_at or (upto is not None and number > upto):
            continue
        try:
            connection.execute("BEGIN IMMEDIATE")
            for statement in statements(text):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise translate(error) from error
        applied += 1
    return applied


def lock_folder(folder: Path) -> int:
    """Take the folder for this process; the descriptor returned holds it until closed. Raises StoreLockedError."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise StoreLockedError("another gateway is using {folder}; stop it first", folder=folder) from None
        raise StoreError("{folder} cannot be locked: {reason}", folder=folder, reason=error.strerror) from error
    return descriptor
