# SPDX-License-Identifier: Apache-2.0
"""Erasing: one person's call on request, everything else when its retention is over.

secure_delete overwrites the freed bytes in the page, and truncating the write-ahead log removes the copies there. An
erased id leaves a tombstone, so that a box repeating the message does not bring it back. Backups are treated alike by
`backup.erase_from_backups`. Plain functions over a connection.
"""

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass

from kiezbox_gateway.store import calls, jobs, messages
from kiezbox_gateway.store.rows import NewMessage, StoreError

# Rows deleted in one transaction, so that a call never waits long behind a clean-up.
STEP = 2_000
CHECKPOINT_TRIES = 100
CHECKPOINT_PAUSE_S = 0.05
TOMBSTONE_DAYS = 400
DAY_MS = 86_400_000


class ErasureError(StoreError):
    """The call cannot be erased as asked."""

    reason = "erasure"


@dataclass(frozen=True)
class Erased:
    """What was erased: message ids, their sequence numbers, the numbers of jobs that hung on them."""

    ids: list[str]
    sequences: set[int]
    jobs: set[int]


def related_ids(connection: sqlite3.Connection, call: calls.FoundCall) -> list[str]:
    """Ids of a call, its amendments and its stages."""
    identifiers = [call.id]
    if call.packet_id is None:
        rows = connection.execute(
            "SELECT m.id FROM call c JOIN message m ON m.sequence = c.message_sequence"
            " WHERE c.node_num = ? AND (c.refers_to = ? OR c.code = ?) AND m.id <> ?",
            (call.node_num, call.counter, call.code, call.id),
        ).fetchall()
        identifiers += [row[0] for row in rows]
    for identifier in list(identifiers):
        rows = connection.execute(
            "SELECT id FROM message WHERE id > ? AND id < ? AND kind = 'stage'", (f"{identifier}-s", f"{identifier}-t")
        ).fetchall()
        identifiers += [row[0] for row in rows]
    return identifiers


def erase_ids(connection: sqlite3.Connection, identifiers: Sequence[str], now_ms: int) -> list[int]:
    """Delete messages with all that hangs on them and leave tombstones. Returns their sequence numbers."""
    sequences = []
    for identifier in identifiers:
        row = connection.execute("SELECT sequence FROM message WHERE id = ?", (identifier,)).fetchone()
        connection.execute("INSERT OR IGNORE INTO tombstone (id, erased_ms) VALUES (?, ?)", (identifier, now_ms))
        if row is None:
            continue
        sequences.append(row[0])
        connection.execute("DELETE FROM stage WHERE message_sequence = ?", row)
        connection.execute("DELETE FROM job WHERE message_sequence = ?", row)
        connection.execute("DELETE FROM call WHERE message_sequence = ?", row)
        connection.execute("DELETE FROM message WHERE sequence = ?", row)
    return sequences


def erase_call(connection: sqlite3.Connection, code_or_id: str, now_ms: int, *, unconfirmed_too: bool) -> "Erased":
    """Erase a call and tell the city. Raises NoSuchCallError, ErasureError."""
    call = calls.find(connection, code_or_id)
    if call.confirmed_ms is None and not unconfirmed_too:
        raise ErasureError("the city has not confirmed this call yet; erasing it now would lose it for everybody")
    identifiers = related_ids(connection, call)
    job_numbers = jobs.of_messages(connection, identifiers)
    sequences = erase_ids(connection, identifiers, now_ms)
    messages.take(
        connection,
        NewMessage(
            id=f"{call.id}-erased",
            kind="erasure",
            node_num=call.node_num,
            counter=call.counter,
            verified=False,
            received_ms=now_ms,
            measured_s=now_ms // 1000,
            body=json.dumps({"ids": identifiers}),
        ),
    )
    return Erased(identifiers, set(sequences), job_numbers)


def expire(connection: sqlite3.Connection, kinds: Sequence[str], before_ms: int, now_ms: int) -> int:
    """Delete up to STEP confirmed messages of these kinds that are older. Returns how many; call again until 0."""
    marks = ", ".join("?" * len(kinds))
    rows = connection.execute(
        f"SELECT sequence, id, kind FROM message WHERE kind IN ({marks}) AND received_ms < ?"  # noqa: S608  Marks.
        " AND confirmed_ms IS NOT NULL ORDER BY sequence LIMIT ?",
        (*kinds, before_ms, STEP),
    ).fetchall()
    personal = [row[1] for row in rows if row[2] in ("call", "exercise", "button")]
    erase_ids(connection, personal, now_ms)
    connection.executemany("DELETE FROM message WHERE sequence = ?", [(row[0],) for row in rows])
    return len(rows)


def forget_old(connection: sqlite3.Connection, now_ms: int) -> None:
    """Tombstones, finished jobs, audit and incidents after their time."""
    connection.execute("DELETE FROM tombstone WHERE erased_ms < ?", (now_ms - TOMBSTONE_DAYS * DAY_MS,))
    connection.execute("DELETE FROM job WHERE expires_ms < ?", (now_ms - 30 * DAY_MS,))
    connection.execute("DELETE FROM audit WHERE at_ms < ?", (now_ms - TOMBSTONE_DAYS * DAY_MS,))
    connection.execute("DELETE FROM incident WHERE at_ms < ?", (now_ms - TOMBSTONE_DAYS * DAY_MS,))


def empty_log(connection: sqlite3.Connection) -> None:
    """Move everything out of the write-ahead log and truncate it. Outside a transaction. Raises ErasureError."""
    for _ in range(CHECKPOINT_TRIES):
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not busy:
            return
        time.sleep(CHECKPOINT_PAUSE_S)
    raise ErasureError("another program reads the database; its write-ahead log could not be emptied, try again")
