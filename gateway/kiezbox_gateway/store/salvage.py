# SPDX-License-Identifier: Apache-2.0
"""Carrying rows over from a database file that may be damaged: everything that can still be read, page by page.

Where a range of rows cannot be read it is halved until the unreadable row stands alone. Called by `store.backup`.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from kiezbox_gateway.store.rows import PERSONAL_KINDS

RANGE = 4_096
SAMPLES = 256
COLUMNS = {
    "message": "id, kind, class, node_num, counter, verified, received_ms, measured_s, body, confirmed_ms",
    "call": "node_num, counter, code, action, refers_to, packet_id, stage",
    "stage": "stage, station, at_ms, text",
}


def carry_over(damaged: Path, target: sqlite3.Connection) -> int:
    """Add to `target` what it does not have. Returns the number of messages added. Never raises for damage."""
    try:
        source = sqlite3.connect(f"file:{damaged}?mode=ro", uri=True)
    except sqlite3.Error:
        return 0
    with closing(source):
        target.execute("BEGIN IMMEDIATE")
        added = _messages(source, target)
        _jobs(source, target)
        for row in _safely(source, "SELECT name, value FROM saved"):
            target.execute(
                "INSERT INTO saved (name, value) VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
                row,
            )
        for row in _safely(source, "SELECT id, erased_ms FROM tombstone"):
            target.execute("INSERT OR IGNORE INTO tombstone (id, erased_ms) VALUES (?, ?)", row)
        for row in _safely(source, "SELECT node_num, highest_counter, heard_ms FROM box"):
            target.execute(
                "INSERT INTO box (node_num, highest_counter, heard_ms) VALUES (?, ?, ?) ON CONFLICT (node_num)"
                " DO UPDATE SET highest_counter = max(highest_counter, excluded.highest_counter)",
                row,
            )
        target.execute("COMMIT")
    return added


def _messages(source: sqlite3.Connection, target: sqlite3.Connection) -> int:
    added = 0
    (highest,) = next(_safely(source, "SELECT seq FROM sqlite_sequence WHERE name = 'message'"), (0,))
    if not highest:
        (highest,) = next(_safely(source, "SELECT max(sequence) FROM message"), (0,))
    for row in _ranges(source, 0, highest if isinstance(highest, int) else 0):
        # A row from a damaged page may hold anything: only what satisfies the schema is taken.
        try:
            if target.execute("SELECT 1 FROM tombstone WHERE id = ?", (row[1],)).fetchone():
                continue
            cursor = target.execute(
                f"INSERT INTO message ({COLUMNS['message']}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
                " ON CONFLICT (id) DO NOTHING",
                row[1:],
            )
        except sqlite3.Error:
            continue
        if cursor.rowcount != 1:
            # The city's confirmation may be newer than the backup.
            target.execute(
                "UPDATE message SET confirmed_ms = ? WHERE id = ? AND confirmed_ms IS NULL", (row[10], row[1])
            )
            if row[2] in PERSONAL_KINDS:
                _newer_stages(source, target, row[0], row[1])
            continue
        added += 1
        sequence = cursor.lastrowid
        for table in ("call", "stage"):
            query = f"SELECT {COLUMNS[table]} FROM {table} WHERE message_sequence = ?"  # noqa: S608  Constants.
            for part in _safely(source, query, (row[0],)):
                marks = ", ".join("?" * (len(part) + 1))
                target.execute(
                    f"INSERT INTO {table} (message_sequence, {COLUMNS[table]}) VALUES ({marks})",  # noqa: S608
                    (sequence, *part),
                )
    return added


def _newer_stages(source: sqlite3.Connection, target: sqlite3.Connection, sequence: int, identifier: str) -> None:
    """What a person did with a call after the backup was made."""
    (there,) = target.execute("SELECT sequence FROM message WHERE id = ?", (identifier,)).fetchone()
    for part in _safely(source, f"SELECT {COLUMNS['stage']} FROM stage WHERE message_sequence = ?", (sequence,)):  # noqa: S608
        with contextlib.suppress(sqlite3.Error):
            target.execute(
                "INSERT INTO stage (message_sequence, stage, station, at_ms, text) SELECT ?1, ?2, ?3, ?4, ?5"
                " WHERE NOT EXISTS (SELECT 1 FROM stage WHERE message_sequence = ?1 AND stage = ?2 AND at_ms = ?4)",
                (there, *part),
            )
            target.execute("UPDATE call SET stage = max(stage, ?) WHERE message_sequence = ?", (part[0], there))


def _jobs(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Answers and commands that were on their way, with the newest that is known of each box."""
    query = (
        "SELECT j.number, j.kind, j.message, j.node_num, j.origin, j.command_id, j.created_ms, j.expires_ms, m.id"
        " FROM job j LEFT JOIN message m ON m.sequence = j.message_sequence ORDER BY j.number"
    )
    for number, kind, message, node_num, origin, command_id, created_ms, expires_ms, identifier in _safely(
        source, query
    ):
        states = list(
            _safely(
                source, "SELECT node_num, state, times_sent, changed_ms, detail FROM job_box WHERE job = ?", (number,)
            )
        )
        try:
            found = target.execute(
                "SELECT number FROM job WHERE kind = ? AND created_ms = ? AND message = ?", (kind, created_ms, message)
            ).fetchone()
            call = None
            if identifier is not None:
                call = target.execute("SELECT sequence FROM message WHERE id = ?", (identifier,)).fetchone()
                if call is None:
                    # It was erased, and its answers with it.
                    continue
            if found is None:
                cursor = target.execute(
                    "INSERT INTO job (kind, message, node_num, origin, command_id, message_sequence, created_ms,"
                    " expires_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (kind, message, node_num, origin, command_id, call and call[0], created_ms, expires_ms),
                )
                found = (cursor.lastrowid,)
            target.executemany(
                "INSERT INTO job_box (job, node_num, state, times_sent, changed_ms, detail) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (job, node_num) DO UPDATE SET state = excluded.state, times_sent = excluded.times_sent,"
                " changed_ms = excluded.changed_ms, detail = excluded.detail WHERE excluded.changed_ms > changed_ms",
                [(found[0], *state) for state in states],
            )
        except sqlite3.Error:
            continue


def _ranges(source: sqlite3.Connection, after: int, upto: int) -> Iterator[tuple[Any, ...]]:
    """Readable rows of `message` with after < sequence <= upto."""
    if not any(_range(source, each, each + 1) for each in range(after, upto, max(1, (upto - after) // SAMPLES))):
        # The root of the table is gone: no row can be reached, and trying each would take hours.
        return
    begin = after
    while begin < upto:
        end = min(begin + RANGE, upto)
        yield from _range(source, begin, end)
        begin = end


def _range(source: sqlite3.Connection, after: int, upto: int) -> list[tuple[Any, ...]]:
    query = (
        f"SELECT sequence, {COLUMNS['message']} FROM message NOT INDEXED"  # noqa: S608  Constants.
        " WHERE sequence > ? AND sequence <= ?"
    )
    try:
        return source.execute(query, (after, upto)).fetchall()
    except (sqlite3.Error, UnicodeDecodeError):
        if upto - after <= 1:
            return []
    middle = (after + upto) // 2
    return _range(source, after, middle) + _range(source, middle, upto)


def _safely(source: sqlite3.Connection, query: str, parameters: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    try:
        yield from source.execute(query, parameters).fetchall()
    except (sqlite3.Error, UnicodeDecodeError):
        return
