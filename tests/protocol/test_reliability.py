# SPDX-License-Identifier: Apache-2.0
from kiezbox.protocol.frame import Header
from kiezbox.protocol.packet import ROUTING_APP, Data
from kiezbox.protocol.reliability import WATCHED_MAX, Reliability, owed_answer

FRAME = bytes(16)


def test_three_times_and_then_given_up():
    one = Reliability()
    assert one.watch(7, FRAME, 3, 1_000)
    assert one.next_due_ms() is None
    for attempt in range(3):
        one.sent(7, 1_000 * attempt + 500)
        assert one.due(1_000 * attempt + 499) == []
        found = one.due(1_000 * attempt + 500)
        assert [(item.packet_id, item.exhausted) for item in found] == [(7, attempt == 2)]
        assert one.next_due_ms() is None
    assert one.due(100_000) == []
    assert not one.acknowledge(7)


def test_relayed_ends_the_repeats_and_a_real_answer_may_follow():
    one = Reliability()
    one.watch(7, FRAME, 3, 1_000)
    one.sent(7, 500)
    assert one.relayed(7)
    assert not one.relayed(7)
    one.sent(7, 900)
    assert one.next_due_ms() is None
    assert one.acknowledge(7)
    assert not one.acknowledge(7)
    assert not one.relayed(7)


def test_what_was_never_sent_cannot_be_acknowledged():
    one = Reliability()
    assert not one.acknowledge(1)
    assert not one.relayed(1)


def test_other_traffic_prolongs_the_wait():
    one = Reliability()
    one.watch(7, FRAME, 3, 1_000)
    one.watch(8, FRAME, 3, 1_000)
    one.sent(7, 500)
    one.postpone(250_999)
    assert one.next_due_ms() == 750
    one.sent(8, 600)
    assert one.next_due_ms() == 600


def test_dropped_counts_as_sent_and_is_due_at_once():
    one = Reliability()
    one.watch(7, FRAME, 3, 1_000)
    for attempt in range(3):
        one.dropped(7)
        assert [item.exhausted for item in one.due(0)] == [attempt == 2]


def test_the_ninth_takes_the_place_of_a_relayed_one_or_is_not_watched():
    one = Reliability()
    for number in range(WATCHED_MAX):
        assert one.watch(number, FRAME, 3, 1_000)
    assert not one.watch(90, FRAME, 3, 1_000)
    assert one.relayed(3)
    assert one.watch(91, FRAME, 3, 1_000)
    assert not one.acknowledge(3)
    assert one.acknowledge(91)
    assert one.acknowledge(2)


def header(hop_start, hop_limit, want_ack=True, next_hop=0):
    return Header(1, 2, 3, hop_limit, hop_start, want_ack, False, 8, next_hop, 2)


def test_an_answer_goes_as_far_as_the_packet_came_and_two_further():
    data = Data(256, b"x")
    assert owed_answer(header(3, 3, want_ack=False), data, 5, 1) is None
    assert owed_answer(header(3, 3), data, 5, 1) == (0, 2)
    assert owed_answer(header(5, 3), data, 5, 1) == (0, 4)
    assert owed_answer(header(7, 1), data, 5, 1) == (0, 5)
    assert owed_answer(header(0, 3), data, 5, 1) == (0, 0)
    assert owed_answer(header(2, 5), data, 5, 1) == (0, 5)


def test_what_cannot_be_opened_is_refused():
    assert owed_answer(header(3, 3), None, 5, 1) == (6, 2)
    assert owed_answer(header(3, 3, want_ack=False), None, 5, 1) is None


def test_an_answer_is_answered_over_one_hop_only():
    for data in (Data(ROUTING_APP, b"\x18\x00", request_id=9), Data(1, b"x", reply_id=9)):
        assert owed_answer(header(3, 3), data, 5, 1) == (0, 0)
        assert owed_answer(header(3, 2), data, 5, 1) is None
        assert owed_answer(header(3, 2, next_hop=1), data, 5, 1) == (0, 0)
        assert owed_answer(header(3, 2, next_hop=4), data, 5, 1) is None
