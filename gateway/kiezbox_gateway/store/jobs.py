# SPDX-License-Identifier: Apache-2.0
"""Messages to boxes in the store, with a state for each box: queued, on air, confirmed, refused, expired.

A job is committed before it is sent, so an answer given a moment before a power cut still goes out after it. Plain
functions over a connection, run by `store.writer` inside a transaction. Sending is in `downlink`.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

OPEN_STATES = ("queued", "on air")
# No gateway uses up counters faster than one in four seconds over months; they last for 68 years.
COUNTERS_SINCE_MS = 1_767_225_600_000
COUNTER_EVERY_MS = 4_000
# More than a restored backup goes ahead, see backup.COUNTERS_AHEAD.
COUNTERS_ON_CHANGE = 2_000_000


@dataclass(frozen=True)
class OpenJob:
    """A job that some box has not answered yet."""

    number: int
    kind: str
    message: dict[str, Any]
    node_num: int | None
    expires_ms: int
    boxes: dict[int, str]


def create(
    connection: sqlite3.Connection,
    *,
    kind: str,
    message: Mapping[str, Any],
    node_num: int | None,
    boxes: Iterable[int],
    origin: str,
    now_ms: int,
    expires_ms: int,
    command_id: str | None = None,
    message_sequence: int | None = None,
) -> int:
    """Store a job and return its number; a command id that is known gives the job it made before."""
    if command_id is not None:
        known = connection.execute("SELECT number FROM job WHERE command_id = ?", (command_id,)).fetchone()
        if known is not None:
            return int(known[0])
    cursor = connection.execute(
        "INSERT INTO job (kind, message, node_num, origin, command_id, message_sequence, created_ms, expires_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            kind,
            json.dumps(message, ensure_ascii=False),
            node_num,
            origin,
            command_id,
            message_sequence,
            now_ms,
            expires_ms,
        ),
    )
    number = cursor.lastrowid or 0
    connection.executemany(
        "INSERT INTO job_box (job, node_num, state, changed_ms) VALUES (?, ?, 'queued', ?)",
        [(number, box, now_ms) for box in boxes],
    )
    return number


def is_known(connection: sqlite3.Connection, command_id: str) -> bool:
    """Whether this command was taken before."""
    return connection.execute("SELECT 1 FROM job WHERE command_id = ?", (command_id,)).fetchone() is not None


def open_jobs(connection: sqlite3.Connection, now_ms: int) -> list[OpenJob]:
    """Jobs to go on with after a start, oldest first.

    Broadcasts that no box answers count as open until they expire.
    """
    rows = connection.execute(
        "SELECT number, kind, message, node_num, expires_ms FROM job WHERE expires_ms > ? AND ("
        " NOT EXISTS (SELECT 1 FROM job_box b WHERE b.job = number)"
        " OR EXISTS (SELECT 1 FROM job_box b WHERE b.job = number AND b.state IN (?, ?))) ORDER BY number",
        (now_ms, *OPEN_STATES),
    ).fetchall()
    return [OpenJob(row[0], row[1], json.loads(row[2]), row[3], row[4], states(connection, row[0])) for row in rows]


def states(connection: sqlite3.Connection, number: int) -> dict[int, str]:
    """State of a job by box."""
    rows = connection.execute("SELECT node_num, state FROM job_box WHERE job = ?", (number,)).fetchall()
    return {row[0]: row[1] for row in rows}


def update_states(
    connection: sqlite3.Connection,
    number: int,
    changed: Mapping[int, str],
    attempts: int,
    now_ms: int,
    details: Mapping[int, str] | None = None,
) -> None:
    """Keep what has changed; `details` says why a box refused."""
    connection.executemany(
        "UPDATE job_box SET state = ?, times_sent = ?, changed_ms = ?, detail = ifnull(?, detail)"
        " WHERE job = ? AND node_num = ?",
        [(state, attempts, now_ms, (details or {}).get(box), number, box) for box, state in changed.items()],
    )


def of_messages(connection: sqlite3.Connection, identifiers: Iterable[str]) -> set[int]:
    """Numbers of the jobs that belong to these messages."""
    found: set[int] = set()
    for identifier in identifiers:
        query = "SELECT j.number FROM job j JOIN message m ON m.sequence = j.message_sequence WHERE m.id = ?"
        found |= {row[0] for row in connection.execute(query, (identifier,)).fetchall()}
    return found


def expire(connection: sqlite3.Connection, now_ms: int) -> int:
    """Mark what was not confirmed in time. Returns how many box states changed."""
    cursor = connection.execute(
        "UPDATE job_box SET state = 'expired', changed_ms = ? WHERE state IN (?, ?)"
        " AND job IN (SELECT number FROM job WHERE expires_ms <= ?)",
        (now_ms, *OPEN_STATES, now_ms),
    )
    return cursor.rowcount


def newest(connection: sqlite3.Connection, limit: int) -> list[dict[str, Any]]:
    """Jobs as the API shows them: without the text of replies."""
    found = []
    for row in connection.execute(
        "SELECT number, kind, node_num, origin, created_ms, expires_ms FROM job ORDER BY number DESC LIMIT ?", (limit,)
    ).fetchall():
        boxes = connection.execute(
            "SELECT node_num, state, times_sent, changed_ms, detail FROM job_box WHERE job = ? ORDER BY node_num",
            (row[0],),
        ).fetchall()
        found.append(
            {
                "number": row[0],
                "kind": row[1],
                "box": None if row[2] is None else f"{row[2]:08x}",
                "origin": row[3],
                "created_ms": row[4],
                "expires_ms": row[5],
                "boxes": [
                    {
                        "box": f"{box[0]:08x}",
                        "state": box[1],
                        "times_sent": box[2],
                        "changed_ms": box[3],
                        "detail": box[4],
                    }
                    for box in boxes
                ],
            }
        )
    return found


def save(connection: sqlite3.Connection, name: str, value: int) -> None:
    """Keep a counter of the protocol; it never goes back."""
    connection.execute(
        "INSERT INTO saved (name, value) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
        (name, value),
    )


def saved(connection: sqlite3.Connection) -> dict[str, int]:
    """All kept counters."""
    return dict(connection.execute("SELECT name, value FROM saved").fetchall())


def begin_counters(connection: sqlite3.Connection, gateway_number: int, now_ms: int) -> dict[str, int]:
    """All kept counters at the start of a gateway with this number (0 to 7).

    A counter used twice under one box's key would give away what both messages say. So a store that is new, or that
    was another number's before, does not begin at 1: it begins above all that a gateway can have used by now.
    """
    known = saved(connection)
    used = known.get("down_counter_reserved", 0)
    changed = gateway_number != known.get("gateway_number", 0)
    if changed or not used:
        ahead = max(0, now_ms - COUNTERS_SINCE_MS) // COUNTER_EVERY_MS
        save(connection, "down_counter_reserved", max(used, ahead) + (COUNTERS_ON_CHANGE if changed else 1))
    connection.execute(
        "INSERT INTO saved (name, value) VALUES ('gateway_number', ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (gateway_number,),
    )
    return saved(connection)


def next_mode_epoch(connection: sqlite3.Connection) -> int:
    """One more than any mode epoch this gateway or a box has seen; kept."""
    row = connection.execute(
        "SELECT max(ifnull((SELECT value FROM saved WHERE name = 'mode_epoch'), 0),"
        " ifnull((SELECT max(mode_epoch) FROM box), 0))"
    ).fetchone()
    epoch = int(row[0]) + 1
    save(connection, "mode_epoch", epoch)
    return epoch


def audit(connection: sqlite3.Connection, now_ms: int, actor: str, action: str, detail: str) -> None:
    """Who did what; `detail` holds ids only."""
    connection.execute(
        "INSERT INTO audit (at_ms, actor, action, detail) VALUES (?, ?, ?, ?)", (now_ms, actor, action, detail)
    )
