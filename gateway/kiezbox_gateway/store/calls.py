# SPDX-License-Identifier: Apache-2.0
"""Calls for help in the store: finding them, moving them through their stages, what city and box are told of it.

Plain functions over a connection, run by `store.writer` inside a transaction.
"""

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from kiezbox_gateway.store import jobs, messages
from kiezbox_gateway.store.rows import NewMessage, OutboxClass, StoreError

STAGE_NAMES = {2: "gateway", 3: "station", 4: "read", 5: "answered"}
JOB_LIFETIME_MS = 24 * 3_600_000
CALL_COLUMNS = (
    "m.sequence, m.id, m.kind, m.node_num, m.counter, m.verified, m.received_ms, m.measured_s, m.body, m.confirmed_ms,"
    " c.code, c.action, c.refers_to, c.packet_id, c.stage, m.class"
)


class NoSuchCallError(StoreError):
    """No call has this code or id, or several have."""

    reason = "no_such_call"


class StageError(StoreError):
    """A call cannot be moved to this stage."""

    reason = "stage"


@dataclass(frozen=True)
class FoundCall:
    """A call with what the desk needs."""

    sequence: int
    id: str
    kind: str
    node_num: int
    counter: int
    verified: bool
    received_ms: int
    measured_s: int | None
    body: dict[str, Any]
    confirmed_ms: int | None
    code: str | None
    action: int
    refers_to: int | None
    packet_id: int | None
    stage: int
    outbox_class: int

    @property
    def surplus(self) -> bool:
        """One of more texts than a sender has: shown behind the others."""
        return self.outbox_class == OutboxClass.SURPLUS


def row_to_call(row: tuple[Any, ...]) -> FoundCall:
    """A row of CALL_COLUMNS."""
    values = list(row)
    values[5], values[8] = bool(row[5]), json.loads(row[8])
    return FoundCall(*values)


def list_query(*, open_only: bool = False) -> str:
    """SQL for the newest calls, surplus texts behind all others; parameter: how many."""
    condition = "WHERE c.stage < 5 AND c.action = 0" if open_only else ""
    return (
        f"SELECT {CALL_COLUMNS} FROM call c JOIN message m ON m.sequence = c.message_sequence"  # noqa: S608  Constants.
        f" {condition} ORDER BY m.class = {int(OutboxClass.SURPLUS)}, c.message_sequence DESC LIMIT ?"
    )


def find(connection: sqlite3.Connection, code_or_id: str) -> FoundCall:
    """The call with this code (the newest that is no amendment) or message id. Raises NoSuchCallError."""
    query = f"SELECT {CALL_COLUMNS} FROM call c JOIN message m ON m.sequence = c.message_sequence"  # noqa: S608  Constants.
    rows = connection.execute(
        f"{query} WHERE c.code = ? COLLATE NOCASE ORDER BY c.action, m.sequence DESC LIMIT 1",
        (code_or_id.strip(),),
    ).fetchall()
    if not rows:
        rows = connection.execute(f"{query} WHERE m.id = ?", (code_or_id,)).fetchall()
    if not rows:
        raise NoSuchCallError("no call has the code or id {call}", call=code_or_id)
    return row_to_call(rows[0])


def advance(
    connection: sqlite3.Connection,
    code_or_id: str,
    stage: int,
    station: str,
    text: str | None,
    now_ms: int,
    origin: str,
    command_id: str | None = None,
) -> tuple[FoundCall, int | None]:
    """Move a call to a stage and tell city and box. Returns the call and the job for its box.

    A stock device is told of answers only; for other stages there is no job (None).

    The same or a later stage may be set again, for a further answer. Raises NoSuchCallError, StageError.
    """
    if stage not in (3, 4, 5):
        raise StageError("a call is moved to stage 3 (station), 4 (read) or 5 (answered)")
    if text and stage != 5:
        raise StageError("only an answer (stage 5) has a text")
    call = find(connection, code_or_id)
    if stage < call.stage:
        raise StageError(
            "the call is at stage {stage} ({name}) already", stage=call.stage, name=STAGE_NAMES[call.stage]
        )
    cursor = connection.execute(
        "INSERT INTO stage (message_sequence, stage, station, at_ms, text) VALUES (?, ?, ?, ?, ?)",
        (call.sequence, stage, station, now_ms, text),
    )
    connection.execute("UPDATE call SET stage = ? WHERE message_sequence = ?", (stage, call.sequence))
    body = {"call": call.id, "code": call.code, "stage": stage, "station": station, "text": text, "origin": origin}
    messages.take(
        connection,
        NewMessage(
            id=f"{call.id}-s{cursor.lastrowid}",
            kind="stage",
            node_num=call.node_num,
            counter=call.counter,
            verified=False,
            received_ms=now_ms,
            measured_s=now_ms // 1000,
            body=json.dumps(body, ensure_ascii=False),
        ),
    )
    jobs.audit(connection, now_ms, origin, "stage", f"{call.id} {stage}")
    if call.packet_id is not None:
        if not text and command_id is None:
            return call, None
        # Without a text the job only remembers the command.
        number = jobs.create(
            connection,
            kind="text",
            message={"text": f"{station}: {text}", "reply_id": call.packet_id} if text else {},
            node_num=call.node_num,
            boxes=[call.node_num] if text else [],
            origin=origin,
            now_ms=now_ms,
            expires_ms=now_ms + (JOB_LIFETIME_MS if text else 0),
            command_id=command_id,
            message_sequence=call.sequence,
        )
        return call, number if text else None
    reply = {
        "code": call.code,
        "refers_to": call.counter,
        "stage": stage,
        "station": station,
        "time_s": now_ms // 1000,
        "text": text,
    }
    number = jobs.create(
        connection,
        kind="reply",
        message={name: value for name, value in reply.items() if value is not None},
        node_num=call.node_num,
        boxes=[call.node_num],
        origin=origin,
        now_ms=now_ms,
        expires_ms=now_ms + JOB_LIFETIME_MS,
        command_id=command_id,
        message_sequence=call.sequence,
    )
    return call, number


def stages(connection: sqlite3.Connection, sequence: int) -> list[dict[str, Any]]:
    """Stages of a call with their times, the gateway's first."""
    received_ms = connection.execute("SELECT received_ms FROM message WHERE sequence = ?", (sequence,)).fetchone()[0]
    found: list[dict[str, Any]] = [{"stage": 2, "station": None, "time_ms": received_ms, "text": None}]
    for row in connection.execute(
        "SELECT stage, station, at_ms, text FROM stage WHERE message_sequence = ? ORDER BY number", (sequence,)
    ):
        found.append({"stage": row[0], "station": row[1], "time_ms": row[2], "text": row[3]})
    return found
