# SPDX-License-Identifier: Apache-2.0
"""Texts of stock devices go behind proven calls, and who sends many behind those who send few."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kiezbox_gateway.custody import text_to_new_message
from kiezbox_gateway.store import database, messages, texts
from kiezbox_gateway.store.rows import OutboxClass, Stored
from tests.gateway.store.sample import NOW_MS, call, reading

CALL, TEXT, SURPLUS = OutboxClass.CALL, OutboxClass.TEXT, OutboxClass.SURPLUS


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(database.connect(tmp_path / "x.sqlite")) as made:
        database.migrate(made)
        yield made


def take(connection: sqlite3.Connection, sender: int, packet_id: int, at_ms: int = NOW_MS) -> Stored:
    return messages.take(connection, text_to_new_message(sender, packet_id, b"Hilfe %d" % packet_id, at_ms))


def test_proven_messages_are_never_texts(connection: sqlite3.Connection) -> None:
    for number in range(300):
        take(connection, number, number)
    assert messages.take(connection, call(1)).outbox_class is CALL
    assert messages.take(connection, reading(2)).outbox_class is OutboxClass.READING


def test_bound_for_a_sender_ends_with_the_hour(connection: sqlite3.Connection) -> None:
    found = [take(connection, 7, number, NOW_MS + number).outbox_class for number in range(texts.PER_SENDER_MAX + 3)]
    assert found == [TEXT] * texts.PER_SENDER_MAX + [SURPLUS] * 3
    assert take(connection, 8, 1).outbox_class is TEXT
    # Who goes on and on stays behind; who pauses for an hour does not.
    assert take(connection, 7, 100, NOW_MS + texts.HOUR_MS).outbox_class is SURPLUS
    assert take(connection, 7, 101, NOW_MS + 2 * texts.HOUR_MS + 1).outbox_class is TEXT


def test_bound_for_all_leaves_everybody_a_first_text(connection: sqlite3.Connection) -> None:
    for number in range(texts.ALL_MAX):
        assert take(connection, 1_000 + number, 1).outbox_class is TEXT
    assert take(connection, 1_000, 2).outbox_class is SURPLUS
    assert take(connection, 5, 1).outbox_class is TEXT
    assert take(connection, 5, 2).outbox_class is SURPLUS


def test_one_flood_does_not_use_up_what_others_have(connection: sqlite3.Connection) -> None:
    for number in range(2 * texts.ALL_MAX):
        take(connection, 7, number)
    assert [take(connection, 8, number).outbox_class for number in range(3)] == [TEXT] * 3


def test_surplus_is_stored_and_counted_once(connection: sqlite3.Connection) -> None:
    for _ in range(2):
        for number in range(texts.PER_SENDER_MAX + 4):
            take(connection, 7, number)
    assert connection.execute("SELECT count(*) FROM call").fetchone() == (texts.PER_SENDER_MAX + 4,)
    assert connection.execute("SELECT count FROM tally WHERE reason = 'text_surplus'").fetchone() == (4,)
    again = take(connection, 7, 0)
    assert (again.new, again.outbox_class) == (False, TEXT)
    waiting = messages.waiting(connection, SURPLUS, 0, 10)
    assert [json.loads(row.body)["text"] for row in waiting] == [f"Hilfe {number}" for number in range(6, 10)]
    assert {row.outbox_class for row in waiting} == {SURPLUS}


def test_clock_that_was_ahead_makes_nobody_a_flood(connection: sqlite3.Connection) -> None:
    for number in range(texts.PER_SENDER_MAX):
        take(connection, 7, number, NOW_MS + 365 * 24 * texts.HOUR_MS)
    assert take(connection, 7, 100).outbox_class is TEXT


def test_bound_costs_a_look_into_an_index(connection: sqlite3.Connection) -> None:
    ((*_, plan),) = connection.execute(f"EXPLAIN QUERY PLAN {texts.QUERY}", (7, int(TEXT), 0, 1)).fetchall()
    assert "message_kept (received_ms>? AND received_ms<?)" in plan
