# SPDX-License-Identifier: Apache-2.0
"""Before the store is opened: is its file sound, and if not, the newest sound backup takes its place.

What can still be read in the damaged file is carried over; the damaged file itself is kept beside it. Also keeps a copy
before a migration. Called by `Store.open` with the folder locked.
"""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import structlog

from kiezbox_gateway.store import backup, database
from kiezbox_gateway.store.rows import StoreCorruptError, StoreError

log = structlog.get_logger(part="store")


def make_sound(folder: Path) -> None:
    """Check, repair, and back up before a migration. Raises StoreError when nothing helps."""
    path = folder / database.FILE_NAME
    # What an interrupted restore left behind was never in use.
    for leftover in folder.glob(f"{database.FILE_NAME}{backup.PARTIAL}*"):
        leftover.unlink()
    if not path.exists() or not path.stat().st_size:
        return
    try:
        found = _version(path)
    except StoreCorruptError as error:
        log.critical("store_damaged", detail=str(error))
        repair(folder)
        return
    if 0 < found < len(database.migrations()):
        target = (
            folder
            / backup.FOLDER_NAME
            / time.strftime(f"before-schema-{found + 1}-%Y%m%dT%H%M%SZ.sqlite", time.gmtime())
        )
        target.parent.mkdir(mode=0o700, exist_ok=True)
        if not target.exists():
            backup.make(folder, target)


def _version(path: Path) -> int:
    """Schema version of a sound file; the check also plays a left write-ahead log back."""
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            result = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if result != "ok":
                raise StoreCorruptError(str(result))
            return database.version(connection)
    except sqlite3.Error as error:
        raise database.translate(error) from error


def repair(folder: Path) -> None:
    """Restore the newest sound backup, or begin an empty store, and carry over what is readable. Raises StoreError."""
    for candidate in backup.newest_first(folder):
        try:
            aside, carried = backup.restore(folder, candidate)
        except StoreError as error:
            log.error("backup_not_usable", file=candidate.name, reason=error.reason)
            continue
        log.critical("store_restored", file=candidate.name, carried_over=carried, kept=aside.name if aside else None)
        return
    empty = folder / "empty.sqlite"
    empty.unlink(missing_ok=True)
    with closing(database.connect(empty)) as connection:
        database.migrate(connection)
        connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    aside, carried = backup.restore(folder, empty)
    empty.unlink()
    log.critical("store_begun_anew", carried_over=carried, kept=aside.name if aside else None)
