# SPDX-License-Identifier: Apache-2.0
"""Order of classes, window, rate and pauses, with a clock of the test's own."""

import random

from kiezbox_gateway.city.schedule import RETRY_MIN_S, Backoff, Schedule, TokenBucket
from kiezbox_gateway.store.rows import OutboxClass, Waiting

KINDS = {OutboxClass.CALL: "call", OutboxClass.HEALTH: "health", OutboxClass.READING: "reading"}


class Outbox:
    """What the store would give."""

    def __init__(self) -> None:
        self.rows: dict[OutboxClass, list[Waiting]] = {each: [] for each in OutboxClass}
        self.last = 0

    def add(self, outbox_class: OutboxClass, count: int = 1) -> None:
        for _ in range(count):
            self.last += 1
            row = Waiting(
                self.last, str(self.last), KINDS[outbox_class], 1, self.last, True, 0, None, "{}", outbox_class
            )
            self.rows[outbox_class].append(row)

    def serve(self, schedule: Schedule, now_s: float = 0.0) -> list[Waiting]:
        """Everything that may go now."""
        sent: list[Waiting] = []
        while schedule.room():
            wanted = schedule.wants()
            if wanted is not None:
                outbox_class, after, limit = wanted
                schedule.begin_fetch(outbox_class)
                rows = [row for row in self.rows[outbox_class] if row.sequence > after][:limit]
                schedule.fetched(outbox_class, rows, limit)
            taken = schedule.take(now_s)
            for row in taken:
                schedule.in_flight[row.sequence] = row
            sent += taken
            if not taken and schedule.wants() is None:
                break
        return sent

    def confirm(self, schedule: Schedule, rows: list[Waiting]) -> None:
        for row in rows:
            del schedule.in_flight[row.sequence]
            for each in self.rows.values():
                if row in each:
                    each.remove(row)


def test_classes_strictly_in_order_and_window() -> None:
    outbox = Outbox()
    outbox.add(OutboxClass.READING, 300)
    outbox.add(OutboxClass.HEALTH, 3)
    outbox.add(OutboxClass.CALL, 2)
    schedule = Schedule(50, 0, 0.0)
    first = outbox.serve(schedule)
    assert [row.kind for row in first[:6]] == ["call", "call", "health", "health", "health", "reading"]
    assert len(first) == 50
    assert schedule.room() == 0
    outbox.confirm(schedule, first[:10])
    assert [row.sequence for row in outbox.serve(schedule)] == list(range(46, 56))


def test_new_call_overtakes_a_long_backlog() -> None:
    outbox = Outbox()
    outbox.add(OutboxClass.READING, 5_000)
    schedule = Schedule(20, 0, 0.0)
    in_flight = outbox.serve(schedule)
    outbox.add(OutboxClass.CALL)
    schedule.notify(OutboxClass.CALL)
    outbox.confirm(schedule, in_flight[:1])
    assert [row.kind for row in outbox.serve(schedule)] == ["call"]


def test_call_stored_during_a_fetch_is_not_forgotten() -> None:
    schedule = Schedule(20, 0, 0.0)
    wanted = schedule.wants()
    assert wanted is not None
    assert wanted[0] is OutboxClass.CALL
    schedule.begin_fetch(OutboxClass.CALL)
    schedule.notify(OutboxClass.CALL)
    schedule.fetched(OutboxClass.CALL, [], 200)
    assert schedule.wants() == (OutboxClass.CALL, 0, 200)


def test_everything_goes_once_in_order_within_its_class() -> None:
    chance = random.Random(3)
    outbox = Outbox()
    schedule = Schedule(7, 0, 0.0)
    sent: list[Waiting] = []
    for _ in range(400):
        if chance.random() < 0.6:
            outbox_class = chance.choice(list(KINDS))
            outbox.add(outbox_class)
            schedule.notify(outbox_class)
        sent += outbox.serve(schedule)
        flying = list(schedule.in_flight.values())
        outbox.confirm(schedule, chance.sample(flying, chance.randint(0, len(flying))))
    for _ in range(100):
        outbox.confirm(schedule, list(schedule.in_flight.values()))
        sent += outbox.serve(schedule)
    assert sorted(row.sequence for row in sent) == list(range(1, outbox.last + 1))
    for kind in KINDS.values():
        numbers = [row.sequence for row in sent if row.kind == kind]
        assert numbers == sorted(numbers)


def test_refused_class_is_left_out_and_the_others_go_on() -> None:
    outbox = Outbox()
    outbox.add(OutboxClass.CALL, 3)
    outbox.add(OutboxClass.READING, 3)
    schedule = Schedule(1, 0, 0.0)
    refused = outbox.serve(schedule)
    schedule.in_flight.clear()
    schedule.hold(OutboxClass.CALL)
    assert refused[0].kind == "call"
    assert [row.kind for row in outbox.serve(schedule)] == ["reading"]


def test_erased_messages_are_not_sent() -> None:
    outbox = Outbox()
    outbox.add(OutboxClass.CALL, 5)
    schedule = Schedule(1, 0, 0.0)
    outbox.serve(schedule)
    schedule.forget({3, 4})
    schedule.in_flight.clear()
    schedule.window = 10
    assert [row.sequence for row in schedule.take(0.0)] == [2, 5]


def test_readings_keep_the_rate_and_calls_do_not() -> None:
    outbox = Outbox()
    outbox.add(OutboxClass.READING, 1_000)
    outbox.add(OutboxClass.CALL, 100)
    schedule = Schedule(10_000, 50, 0.0)
    sent = outbox.serve(schedule, 0.0)
    assert [row.kind for row in sent].count("call") == 100
    assert [row.kind for row in sent].count("reading") == 50
    assert outbox.serve(schedule, 0.0) == []
    pause_s = schedule.next_s()
    assert pause_s is not None
    assert 0 < pause_s <= 0.02
    assert len(outbox.serve(schedule, 2.0)) == 50
    assert len(outbox.serve(schedule, 2.5)) == 25


def test_pauses_double_to_the_limit_with_jitter() -> None:
    backoff = Backoff(60, random.Random(1))
    pauses = [backoff.pause_s() for _ in range(20)]
    assert RETRY_MIN_S / 2 <= pauses[0] <= RETRY_MIN_S
    assert all(30 <= pause <= 60 for pause in pauses[8:])
    assert len(set(pauses)) == 20
    backoff.reset()
    assert backoff.pause_s() <= RETRY_MIN_S


def test_thousand_gateways_returning_together_are_spread() -> None:
    """After five dark days every gateway is at its longest pause; no second sees more than a few per cent of them."""
    arrivals = []
    for number in range(1_000):
        backoff = Backoff(60, random.Random(number))
        moment_s = 0.0
        while moment_s < 5 * 86_400:
            moment_s += backoff.pause_s()
        arrivals.append(int(moment_s - 5 * 86_400))
    assert max(arrivals.count(second) for second in range(60)) < 60


def test_bucket_without_limit() -> None:
    bucket = TokenBucket(0, 0.0)
    bucket.spend(10**9)
    assert bucket.available(0.0) > 10**8
    assert bucket.next_s() is None
