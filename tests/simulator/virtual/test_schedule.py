# SPDX-License-Identifier: Apache-2.0
"""Rules 1 to 3 at the head of schedule.py."""

from kiezbox_simulator.virtual.schedule import Schedule


def test_events_run_by_time_then_by_insertion_and_never_in_the_past():
    schedule, seen = Schedule(), []
    schedule.at(20, lambda _: schedule.at(5, seen.append, ("late", 20)))
    schedule.at(10, seen.append, "b")
    schedule.at(10, seen.append, "c")
    schedule.at(5, seen.append, "a")
    schedule.at(30, seen.append, "not yet")
    schedule.run(30)
    assert seen == ["a", "b", "c", ("late", 20)]
    assert (schedule.now_us, schedule.next_us()) == (30, 30)


def test_settlers_run_when_an_instant_is_over_and_may_add_to_it():
    schedule, seen = Schedule(), []
    todo = ["x"]

    def settle():
        if not todo:
            return False
        seen.append((schedule.now_us, todo.pop()))
        if schedule.now_us == 10 and len(seen) == 3:
            schedule.at(10, lambda _: todo.append("again"))
        return True

    schedule.add_settler(settle)
    schedule.at(10, lambda _: todo.append("first"))
    schedule.at(10, lambda _: seen.append("event"))
    schedule.at(11, lambda _: seen.append("next"))
    schedule.run(12)
    assert seen == [(0, "x"), "event", (10, "first"), (10, "again"), "next"]
