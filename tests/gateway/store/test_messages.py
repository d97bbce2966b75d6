# SPDX-License-Identifier: Apache-2.0
"""Taking in, the outbox and its thinning."""

import dataclasses
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kiezbox_gateway.store import database, messages
from kiezbox_gateway.store.rows import Heard, OutboxClass
from tests.gateway.store.sample import BOX, NOW_MS, call, reading


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(database.connect(tmp_path / "x.sqlite")) as made:
        database.migrate(made)
        yield made


def test_repeat_is_recognised_and_counted(connection: sqlite3.Connection) -> None:
    first = messages.take(connection, reading(1))
    again = messages.take(connection, dataclasses.replace(reading(1), received_ms=NOW_MS + 5_000))
    assert first.new
    assert not again.new
    assert first.sequence == again.sequence
    assert connection.execute("SELECT received, duplicates, highest_counter FROM box").fetchone() == (1, 1, 1)


def test_other_content_under_the_same_number_is_kept_too(connection: sqlite3.Connection) -> None:
    """A box that lost its counter: its call for help must not pass for a repeat of an old one."""
    messages.take(connection, call(5, "alter Notruf"))
    second = messages.take(connection, call(5, "neuer Notruf"))
    assert second.new
    assert second.id.startswith(f"{BOX:08x}-00000005-x")
    assert not messages.take(connection, call(5, "neuer Notruf")).new
    assert not messages.take(connection, call(5, "alter Notruf")).new
    assert connection.execute("SELECT count(*) FROM call").fetchone() == (2,)


def test_outbox_order_and_confirmation(connection: sqlite3.Connection) -> None:
    stored = [messages.take(connection, each) for each in (reading(1), call(2), reading(3), call(4, code="B"))]
    assert [each.counter for each in messages.waiting(connection, OutboxClass.CALL, 0, 10)] == [2, 4]
    assert [each.counter for each in messages.waiting(connection, OutboxClass.READING, 0, 1)] == [1]
    messages.confirm(connection, [stored[1].sequence], NOW_MS)
    assert [each.counter for each in messages.waiting(connection, OutboxClass.CALL, 0, 10)] == [4]
    assert messages.waiting_counts(connection) == {OutboxClass.CALL: 1, OutboxClass.READING: 2}


def test_fetch_uses_the_index_of_what_waits(connection: sqlite3.Connection) -> None:
    plan = connection.execute(f"EXPLAIN QUERY PLAN {messages.waiting_query()}", (0, 0, 10)).fetchall()
    assert "message_waiting" in plan[0][3]
    assert not any("TEMP B-TREE" in row[3] for row in plan)


def test_sequence_numbers_are_never_used_twice(connection: sqlite3.Connection) -> None:
    last = messages.take(connection, reading(1)).sequence
    connection.execute("DELETE FROM message")
    assert messages.take(connection, reading(2)).sequence > last


def test_erased_call_stays_erased_and_is_acknowledged(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO tombstone VALUES (?, ?)", (call(9).id, NOW_MS))
    assert not messages.take(connection, call(9)).new
    assert connection.execute("SELECT count(*) FROM message").fetchone() == (0,)


def test_health_updates_the_box(connection: sqlite3.Connection) -> None:
    health = dataclasses.replace(
        reading(3), kind="health", body='{"battery_mv": 3900}', mode=(2, 7), heard=Heard(-101, 525, 3)
    )
    messages.take(connection, health)
    row = connection.execute("SELECT mode, mode_epoch, health, rssi_dbm, snr_cdb, hops FROM box").fetchone()
    assert row == (2, 7, '{"battery_mv": 3900}', -101, 525, 3)


def test_thinning_keeps_one_per_box_and_slot_and_touches_nothing_else(connection: sqlite3.Connection) -> None:
    begin_s = 1_780_000_000 // 3600 * 3600
    for index in range(60):
        for box in (BOX, BOX + 1):
            messages.take(connection, reading(index + 1, box, begin_s + index * 120))
    messages.take(connection, call(900))
    confirmed = messages.take(connection, reading(901, BOX, begin_s)).sequence
    messages.confirm(connection, [confirmed], NOW_MS)
    removed, after = messages.thin(connection, 0, 3600, "thinned_test")
    assert removed == 120 - 2 * 2
    assert messages.thin(connection, after or 0, 3600, "thinned_test") == (0, None)
    assert messages.waiting_counts(connection) == {OutboxClass.CALL: 1, OutboxClass.READING: 4}
    assert connection.execute("SELECT count FROM tally WHERE reason = 'thinned_test'").fetchone() == (116,)
    assert connection.execute("SELECT 1 FROM message WHERE sequence = ?", (confirmed,)).fetchone()
