# SPDX-License-Identifier: Apache-2.0
"""Backups of the store: made while it runs, checked before they count, used when the file is damaged.

A backup is one SQLite file, written by VACUUM INTO under another name, synced, and renamed when it is whole. After a
restore the counters of the protocol are moved ahead, because boxes refuse numbers they may have seen.
"""

import json
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from kiezbox_gateway.disk import sync_folder
from kiezbox_gateway.store import database, erasure, salvage
from kiezbox_gateway.store.rows import StoreCorruptError, StoreError

FOLDER_NAME = "backups"
SUFFIX = ".sqlite"
PARTIAL = ".partial"
REPLACED = "replaced-"
# A line of JSON for each backup that was made elsewhere.
COPIES = "copies"
# More than a gateway can have used since any backup that is kept.
COUNTERS_AHEAD = {"down_counter_reserved": 1_000_000, "mode_epoch": 10_000}


def check(path: Path) -> int:
    """Schema version of a sound database file. Raises StoreCorruptError, StoreError."""
    if not path.is_file():
        raise StoreError("{path} is not there", path=path)
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            result = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if result != "ok":
                raise StoreCorruptError("{path} is damaged: {result}", path=path, result=result)
            found = database.version(connection)
            if not found:
                raise StoreError("{path} is not a database of this gateway", path=path)
            connection.execute("SELECT count(*) FROM saved").fetchone()
            return found
    except sqlite3.Error as error:
        raise database.translate(error) from error


def make(folder: Path, target: Path | None = None) -> Path:
    """Back up the store of a data folder and return the file. Safe while the gateway runs. Raises StoreError."""
    source = folder / database.FILE_NAME
    if target is None:
        backups = folder / FOLDER_NAME
        backups.mkdir(mode=0o700, exist_ok=True)
        target = backups / (time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()) + SUFFIX)
    if target.exists():
        raise StoreError("{target} exists already", target=target)
    partial = target.with_name(target.name + PARTIAL)
    partial.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=10)) as connection:
            connection.execute("VACUUM INTO ?", (str(partial),))
        partial.chmod(0o600)
        check(partial)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        if target.parent.resolve() != (folder / FOLDER_NAME).resolve():
            _note_copy(folder, target.resolve())
        partial.rename(target)
        sync_folder(target.parent)
    except sqlite3.Error as error:
        partial.unlink(missing_ok=True)
        raise database.translate(error) from error
    except (OSError, StoreError) as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, StoreError):
            raise
        raise StoreError("{target} cannot be written: {reason}", target=target, reason=error.strerror) from error
    return target


def newest_first(folder: Path) -> list[Path]:
    """The backups of a data folder."""
    backups = folder / FOLDER_NAME
    if not backups.is_dir():
        return []
    return sorted(backups.glob(f"*{SUFFIX}"), key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)


def remove_old(folder: Path, keep_days: int, now_s: float) -> int:
    """Remove old backups, files once replaced, and what an interrupted one left. The newest backup always stays."""
    removed = 0
    for path in folder.glob(f"{REPLACED}*"):
        if path.stat().st_mtime < now_s - keep_days * 86_400:
            path.unlink()
            removed += 1
    for path in newest_first(folder)[1:]:
        if path.stat().st_mtime < now_s - keep_days * 86_400:
            path.unlink()
            removed += 1
    backups = folder / FOLDER_NAME
    for path in backups.glob(f"*{PARTIAL}") if backups.is_dir() else []:
        if path.stat().st_mtime < now_s - 3_600:
            path.unlink()
    return removed


def _note_copy(folder: Path, target: Path) -> None:
    """Remember a backup made elsewhere before it is there, so that erasing knows of it."""
    with (folder / COPIES).open("a", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(json.dumps(str(target)) + "\n")
        file.flush()
        os.fsync(file.fileno())


def copies(folder: Path) -> list[Path]:
    """Backups that were made elsewhere, whether they are still there or not."""
    try:
        lines = (folder / COPIES).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [Path(json.loads(line)) for line in dict.fromkeys(lines) if line]


def erase_from_backups(folder: Path, identifiers: list[str], now_ms: int) -> list[Path]:
    """Erase messages from every backup, also those made elsewhere. Raises StoreError.

    Returns the copies that could not be reached: moved, on a medium that is not there, or not writable. A file that was
    replaced because it was damaged cannot be erased from safely; it is removed as a whole.
    """
    for path in folder.glob(f"{REPLACED}*"):
        path.unlink()
    for path in newest_first(folder):
        _erase_from(path, identifiers, now_ms)
    not_reached = []
    for path in copies(folder):
        try:
            check(path)
            _erase_from(path, identifiers, now_ms)
        except (StoreError, OSError):
            not_reached.append(path)
    return not_reached


def _erase_from(path: Path, identifiers: list[str], now_ms: int) -> None:
    with closing(database.connect(path)) as connection:
        try:
            database.migrate(connection)
            connection.execute("BEGIN IMMEDIATE")
            erasure.erase_ids(connection, identifiers, now_ms)
            connection.execute("COMMIT")
            erasure.empty_log(connection)
            connection.execute("PRAGMA journal_mode = DELETE").fetchone()
        except sqlite3.Error as error:
            raise database.translate(error) from error


def restore(folder: Path, source: Path) -> tuple[Path | None, int]:
    """Put a backup in the place of the store, and carry over from the present file what the backup does not have.

    Returns (where the present file was moved to, how many messages were carried over). The caller holds the folder's
    lock. Raises StoreError; then the present file is where it was.
    """
    check(source)
    present = folder / database.FILE_NAME
    new = folder / (database.FILE_NAME + PARTIAL)
    _remove(new)
    carried = 0
    try:
        with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as connection:
            connection.execute("VACUUM INTO ?", (str(new),))
        with closing(database.connect(new)) as connection:
            database.migrate(connection)
            if present.exists():
                carried = salvage.carry_over(present, connection)
            connection.execute("BEGIN IMMEDIATE")
            # Erased after this backup was made: it stays erased.
            erased = [row[0] for row in connection.execute("SELECT id FROM tombstone").fetchall()]
            erasure.erase_ids(connection, erased, time.time_ns() // 1_000_000)
            for name, ahead in COUNTERS_AHEAD.items():
                connection.execute("UPDATE saved SET value = value + ? WHERE name = ?", (ahead, name))
            connection.execute(
                "INSERT INTO incident (at_ms, name, detail) VALUES (?, 'restored', ?)",
                (time.time_ns() // 1_000_000, f"from {source.name}, {carried} carried over"),
            )
            connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.Error as error:
        _remove(new)
        raise database.translate(error) from error
    aside = None
    if present.exists():
        aside = folder / time.strftime(f"{REPLACED}%Y%m%dT%H%M%SZ.sqlite", time.gmtime())
        present.rename(aside)
        for suffix in ("-wal", "-shm"):
            beside = present.with_name(present.name + suffix)
            if beside.exists():
                beside.rename(aside.with_name(aside.name + suffix))
    new.rename(present)
    sync_folder(folder)
    return aside, carried


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
