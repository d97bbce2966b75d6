# SPDX-License-Identifier: Apache-2.0
"""Results of commands: told once per hearing, the latest state of it, a bounded number."""

from kiezbox.protocol.command_results import CommandResults


def test_told_once_per_hearing() -> None:
    results = CommandResults()
    results.note(5, 100, 18, 1)
    assert results.take_due(99) == []
    assert results.next_due_ms() == 100
    assert results.take_due(100) == [{"refers_to": 5, "kind": 18, "result": 1}]
    assert results.take_due(1000) == []
    assert results.next_due_ms() is None
    results.repeat(5, 2000)
    results.repeat(6, 2000)
    assert len(results.take_due(2000)) == 1


def test_what_was_told_a_short_while_ago_is_not_told_again() -> None:
    results = CommandResults()
    results.note(5, 100, 18, 1)
    results.repeat(5, 90_000, 0)  # Still to be told: the first moment stays.
    assert len(results.take_due(200)) == 1
    results.repeat(5, 90_000, 199)
    assert results.next_due_ms() is None
    results.repeat(5, 90_000, 200)
    assert results.next_due_ms() == 90_000


def test_the_owner_concludes() -> None:
    results = CommandResults()
    results.note(5, 100, 20, 0)
    assert results.conclude(5, 2, "hop_limit", 50)
    assert results.take_due(50) == [{"refers_to": 5, "kind": 20, "result": 2, "detail": "hop_limit"}]
    assert not results.conclude(6, 1, "", 50)


def test_the_oldest_is_forgotten() -> None:
    results = CommandResults()
    for counter in range(1, 12):
        results.note(counter, 0, 17, 4, "", 3)
    told = results.take_due(0)
    assert [message["refers_to"] for message in told] == list(range(4, 12))
    assert told[0]["fragments"] == 3
