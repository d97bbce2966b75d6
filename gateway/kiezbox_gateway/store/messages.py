# SPDX-License-Identifier: Apache-2.0
"""Messages in the store: taking in, the outbox towards the city, confirmation, thinning of old readings.

Plain functions over a connection, run by `store.writer` inside a transaction (or by a reader, where they only select).
"""

import hashlib
import sqlite3
from collections.abc import Iterable

from kiezbox_gateway.store import texts
from kiezbox_gateway.store.rows import NewMessage, OutboxClass, Stored, Waiting

INSERT = (
    "INSERT INTO message (id, kind, class, node_num, counter, verified, received_ms, measured_s, body)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
)
UPDATE_BOX = (
    "INSERT INTO box (node_num, highest_counter, heard_ms, received, duplicates, rssi_dbm, snr_cdb, hops)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (node_num) DO UPDATE SET"
    " highest_counter = max(highest_counter, excluded.highest_counter), heard_ms = excluded.heard_ms,"
    " received = received + excluded.received, duplicates = duplicates + excluded.duplicates,"
    " rssi_dbm = ifnull(excluded.rssi_dbm, rssi_dbm), snr_cdb = ifnull(excluded.snr_cdb, snr_cdb),"
    " hops = ifnull(excluded.hops, hops)"
)
WAITING_COLUMNS = "sequence, id, kind, node_num, counter, verified, received_ms, measured_s, body, class"
# Rows looked at in one transaction of thinning, so that a call never waits long behind it.
THINNING_STEP = 5_000


def take(connection: sqlite3.Connection, message: NewMessage) -> Stored:
    """Store a message once. A repeat of the same content is the same message; other content under one id is kept too.

    The latter happens when a box lost its counter (flash replaced): dropping it as a repeat would lose a call.
    """
    stored = _insert(connection, message, message.id)
    if stored is None:
        digest = hashlib.sha256(message.body.encode()).hexdigest()[:8]
        stored = _insert(connection, message, f"{message.id}-x{digest}")
        count(connection, "counter_used_twice")
    assert stored is not None  # noqa: S101  An id with its content's digest has that content.
    if message.node_num and message.verified:
        heard = message.heard
        connection.execute(
            UPDATE_BOX,
            (
                message.node_num,
                message.counter,
                message.received_ms,
                int(stored.new),
                int(not stored.new),
                heard.rssi_dbm if heard else None,
                heard.snr_cdb if heard else None,
                heard.hops if heard else None,
            ),
        )
        if message.kind == "health" and stored.new:
            mode, epoch = message.mode or (None, None)
            connection.execute(
                "UPDATE box SET health = ?, health_ms = ?, mode = ifnull(?, mode), mode_epoch = ifnull(?, mode_epoch)"
                " WHERE node_num = ?",
                (message.body, message.received_ms, mode, epoch, message.node_num),
            )
    return stored


def _insert(connection: sqlite3.Connection, message: NewMessage, identifier: str) -> Stored | None:
    """Stored, or None when the id is taken by other content."""
    outbox_class = texts.outbox_class(connection, message)
    if message.call is not None and is_erased(connection, identifier):
        return Stored(0, identifier, False, outbox_class)
    cursor = connection.execute(
        INSERT,
        (
            identifier,
            message.kind,
            int(outbox_class),
            message.node_num,
            message.counter,
            message.verified,
            message.received_ms,
            message.measured_s,
            message.body,
        ),
    )
    if cursor.rowcount != 1:
        row = connection.execute("SELECT sequence, body, class FROM message WHERE id = ?", (identifier,)).fetchone()
        same = row[1] == message.body or "-x" in identifier
        return Stored(row[0], identifier, False, OutboxClass(row[2])) if same else None
    sequence = cursor.lastrowid or 0
    if outbox_class is OutboxClass.SURPLUS:
        count(connection, "text_surplus")
    if message.call is not None:
        call = message.call
        connection.execute(
            "INSERT INTO call (message_sequence, node_num, counter, code, action, refers_to, packet_id, stage)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 2)",
            (sequence, message.node_num, message.counter, call.code, call.action, call.refers_to, call.packet_id),
        )
    return Stored(sequence, identifier, True, outbox_class)


def is_erased(connection: sqlite3.Connection, identifier: str) -> bool:
    """Whether this message was erased on purpose; a repeat is acknowledged and not stored again."""
    return connection.execute("SELECT 1 FROM tombstone WHERE id = ?", (identifier,)).fetchone() is not None


def waiting(
    connection: sqlite3.Connection, outbox_class: OutboxClass, after_sequence: int, limit: int
) -> list[Waiting]:
    """Oldest unconfirmed messages of one class behind a sequence number."""
    rows = connection.execute(waiting_query(), (int(outbox_class), after_sequence, limit)).fetchall()
    return [waiting_row(row) for row in rows]


def waiting_query() -> str:
    """SQL for (class, after sequence, limit)."""
    return (
        f"SELECT {WAITING_COLUMNS} FROM message INDEXED BY message_waiting"  # noqa: S608  Constant columns.
        " WHERE confirmed_ms IS NULL AND class = ? AND sequence > ? ORDER BY sequence LIMIT ?"
    )


def waiting_row(row: tuple[int, str, str, int, int, int, int, int | None, str, int]) -> Waiting:
    """A row of `waiting_query`."""
    return Waiting(*row[:5], bool(row[5]), *row[6:9], OutboxClass(row[9]))


def confirm(connection: sqlite3.Connection, sequences: Iterable[int], now_ms: int) -> None:
    """The city has these."""
    connection.executemany(
        "UPDATE message SET confirmed_ms = ? WHERE sequence = ? AND confirmed_ms IS NULL",
        [(now_ms, sequence) for sequence in sequences],
    )


def waiting_counts(connection: sqlite3.Connection) -> dict[OutboxClass, int]:
    """How many messages wait for the city, by class."""
    rows = connection.execute(
        "SELECT class, count(*) FROM message WHERE confirmed_ms IS NULL GROUP BY class"
    ).fetchall()
    return {OutboxClass(row[0]): row[1] for row in rows}


def count(connection: sqlite3.Connection, reason: str, amount: int = 1) -> None:
    """Add to a tally that survives restarts."""
    connection.execute(
        "INSERT INTO tally (reason, count) VALUES (?, ?)"
        " ON CONFLICT (reason) DO UPDATE SET count = count + excluded.count",
        (reason, amount),
    )


def shed(connection: sqlite3.Connection, limit: int) -> int:
    """Delete the oldest readings, those the city has first, so that their pages take calls. Returns how many."""
    known = connection.execute(
        "DELETE FROM message WHERE sequence IN (SELECT sequence FROM message"
        " WHERE kind = 'reading' AND confirmed_ms IS NOT NULL ORDER BY sequence LIMIT ?)",
        (limit,),
    ).rowcount
    if known:
        return known
    lost = connection.execute(
        "DELETE FROM message WHERE sequence IN (SELECT sequence FROM message INDEXED BY message_waiting"
        " WHERE confirmed_ms IS NULL AND class = ? ORDER BY sequence LIMIT ?)",
        (int(OutboxClass.READING), limit),
    ).rowcount
    if lost:
        count(connection, "shed_disk_full", lost)
    return lost


def thin(connection: sqlite3.Connection, after_sequence: int, slot_s: int, reason: str) -> tuple[int, int | None]:
    """Among the oldest unconfirmed readings behind a sequence number keep one per box and time slot.

    Returns how many were deleted and where to go on (None: nothing behind). One call looks at THINNING_STEP rows.
    """
    rows = connection.execute(
        "SELECT sequence, node_num, ifnull(measured_s, received_ms / 1000) FROM message INDEXED BY message_waiting"
        " WHERE confirmed_ms IS NULL AND class = ? AND sequence > ? ORDER BY sequence LIMIT ?",
        (int(OutboxClass.READING), after_sequence, THINNING_STEP),
    ).fetchall()
    if not rows:
        return 0, None
    kept: set[tuple[int, int]] = set()
    surplus = []
    for sequence, node_num, time_s in rows:
        slot = (node_num, time_s // slot_s)
        if slot in kept:
            surplus.append((sequence,))
        kept.add(slot)
    connection.executemany("DELETE FROM message WHERE sequence = ?", surplus)
    if surplus:
        count(connection, reason, len(surplus))
    return len(surplus), rows[-1][0]
