# SPDX-License-Identifier: Apache-2.0
"""Stages of a call, what city and box are told, jobs over a restart."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kiezbox_gateway.store import calls, database, jobs, messages
from kiezbox_gateway.store.rows import OutboxClass
from tests.gateway.store.sample import BOX, NOW_MS, call


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(database.connect(tmp_path / "x.sqlite")) as made:
        database.migrate(made)
        yield made


def test_stages_go_forward_only_and_each_is_told(connection: sqlite3.Connection) -> None:
    messages.take(connection, call(1))
    calls.advance(connection, "k7qx2m9a", 3, "Wache 1", None, NOW_MS, "board")
    _, number = calls.advance(connection, "K7QX2M9A", 5, "Wache 1", "Wir kommen", NOW_MS + 1, "board")
    with pytest.raises(calls.StageError, match="already"):
        calls.advance(connection, "K7QX2M9A", 4, "Wache 1", None, NOW_MS + 2, "board")
    with pytest.raises(calls.StageError, match="stage 3"):
        calls.advance(connection, "K7QX2M9A", 2, "Wache 1", None, NOW_MS + 2, "board")
    with pytest.raises(calls.StageError, match="only an answer"):
        calls.advance(connection, "K7QX2M9A", 3, "Wache 1", "Text", NOW_MS + 2, "board")
    calls.advance(connection, "K7QX2M9A", 5, "Wache 1", "Noch etwas", NOW_MS + 3, "board")
    found = calls.find(connection, call(1).id)
    assert found.stage == 5
    assert [each["stage"] for each in calls.stages(connection, found.sequence)] == [2, 3, 5, 5]
    told = messages.waiting(connection, OutboxClass.STAGE, 0, 10)
    assert [json.loads(each.body)["stage"] for each in told] == [3, 5, 5]
    assert len({each.id for each in told}) == 3
    open_now = jobs.open_jobs(connection, NOW_MS)
    assert [job.message["stage"] for job in open_now] == [3, 5, 5]
    assert next(job for job in open_now if job.number == number).message["text"] == "Wir kommen"
    assert open_now[0].message["refers_to"] == 1


def test_code_finds_the_call_not_its_amendment(connection: sqlite3.Connection) -> None:
    messages.take(connection, call(1, "erster"))
    messages.take(connection, call(2, "Nachtrag", action=1, refers_to=1))
    assert calls.find(connection, "K7QX2M9A").counter == 1
    with pytest.raises(calls.NoSuchCallError):
        calls.find(connection, "UNKNOWN1")


def test_jobs_are_taken_up_until_confirmed_or_expired(connection: sqlite3.Connection) -> None:
    def create(command_id: str | None = None) -> int:
        return jobs.create(
            connection, kind="mode", message={"mode": 2}, node_num=None, boxes=[BOX, BOX + 1], origin="city",
            now_ms=NOW_MS, expires_ms=NOW_MS + 1000, command_id=command_id,
        )  # fmt: skip

    first = create("city:1")
    assert create("city:1") == first
    jobs.update_states(connection, first, {BOX: "confirmed"}, 1, NOW_MS)
    (job,) = jobs.open_jobs(connection, NOW_MS)
    assert job.boxes == {BOX: "confirmed", BOX + 1: "queued"}
    jobs.update_states(connection, first, {BOX + 1: "confirmed"}, 2, NOW_MS)
    assert jobs.open_jobs(connection, NOW_MS) == []
    second = create()
    assert jobs.expire(connection, NOW_MS + 1000) == 2
    assert jobs.states(connection, second) == {BOX: "expired", BOX + 1: "expired"}
    assert jobs.open_jobs(connection, NOW_MS + 1000) == []


def test_counters_never_go_back(connection: sqlite3.Connection) -> None:
    jobs.save(connection, "down_counter_reserved", 128)
    jobs.save(connection, "down_counter_reserved", 64)
    assert jobs.saved(connection) == {"down_counter_reserved": 128}
    connection.execute("INSERT INTO box (node_num, mode_epoch) VALUES (1, 41)")
    assert [jobs.next_mode_epoch(connection) for _ in range(2)] == [42, 43]


def test_job_list_has_no_words_of_residents(connection: sqlite3.Connection) -> None:
    messages.take(connection, call(1))
    calls.advance(connection, "K7QX2M9A", 5, "Wache", "geheime Antwort", NOW_MS, "board")
    assert "geheim" not in json.dumps(jobs.newest(connection, 10))
    audit = connection.execute("SELECT actor, action, detail FROM audit").fetchall()
    assert audit == [("board", "stage", f"{call(1).id} 5")]


def test_counters_of_a_new_store_or_of_another_number_begin_above_all_that_can_have_been_used(
    connection: sqlite3.Connection,
) -> None:
    day_ms = 86_400_000
    start_ms = jobs.COUNTERS_SINCE_MS
    fresh = jobs.begin_counters(connection, 0, start_ms + 400 * day_ms)["down_counter_reserved"]
    assert fresh == 400 * 86_400 // 4 + 1
    assert jobs.begin_counters(connection, 0, start_ms + 500 * day_ms)["down_counter_reserved"] == fresh
    changed = jobs.begin_counters(connection, 1, start_ms)["down_counter_reserved"]
    assert changed == fresh + jobs.COUNTERS_ON_CHANGE
    assert jobs.begin_counters(connection, 1, start_ms)["down_counter_reserved"] == changed
    assert jobs.begin_counters(connection, 0, start_ms)["down_counter_reserved"] == changed + jobs.COUNTERS_ON_CHANGE


def test_a_store_from_before_gateways_had_numbers_goes_on_as_number_0(connection: sqlite3.Connection) -> None:
    jobs.save(connection, "down_counter_reserved", 640)
    assert jobs.begin_counters(connection, 0, jobs.COUNTERS_SINCE_MS + 10**10)["down_counter_reserved"] == 640


def test_a_clock_that_was_lost_begins_at_1(connection: sqlite3.Connection) -> None:
    assert jobs.begin_counters(connection, 0, 0)["down_counter_reserved"] == 1
