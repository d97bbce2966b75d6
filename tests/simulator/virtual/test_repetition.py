# SPDX-License-Identifier: Apache-2.0
"""Which frames a box need not be woken for: copies by relays of what it had, and nothing else."""

import random

import pytest

from kiezbox.protocol.frame import BROADCAST, Header, encode_header
from kiezbox.protocol.history import SIZE_DEFAULT, History
from kiezbox_simulator.virtual.repetition import TRUSTED, Repetitions

OWN, SENDER = 0x0B000001, 0x0B000002


def frame(packet_id=7, hop_limit=3, hop_start=3, body=b"sealed", to_node=BROADCAST, from_node=SENDER, **fields):
    return encode_header(Header(to_node, from_node, packet_id, hop_limit, hop_start, **fields)) + body


@pytest.fixture
def repetitions():
    return Repetitions(OWN)


def test_a_relays_copy_of_what_the_box_had_is_a_repetition_and_the_first_is_none(repetitions):
    assert not repetitions.is_one(frame())
    assert repetitions.is_one(frame(hop_limit=2, relay_node=5))
    assert repetitions.is_one(frame(hop_limit=2, relay_node=6))
    assert not repetitions.is_one(frame(packet_id=8, hop_limit=2))


def test_a_copy_with_more_hops_left_than_any_before_is_handed_over_once(repetitions):
    assert [repetitions.is_one(frame(hop_limit=hops, hop_start=5)) for hops in (2, 3, 3, 2, 4, 4)] == [
        False, False, True, True, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "changed",
    [
        {"hop_limit": 3},
        {"hop_start": 0},
        {"body": b"others"},
        {"channel_hash": 9},
        {"next_hop": 4},
        {"via_mqtt": True},
        {"want_ack": True},
        {"to_node": OWN},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_whatever_could_make_a_box_act_is_handed_over(repetitions, changed):
    assert not repetitions.is_one(frame())
    assert not repetitions.is_one(frame(**{"hop_limit": 2} | changed))


@pytest.mark.parametrize("first", [{"next_hop": 4}, {"to_node": OWN}, {"packet_id": 0}, {"from_node": OWN}])
def test_what_is_not_for_everybody_or_is_ones_own_never_waits(repetitions, first):
    assert [repetitions.is_one(frame(**{"hop_limit": 2, "hop_start": 5} | first)) for _ in range(3)] == [False] * 3


def test_an_id_under_which_two_contents_came_is_trusted_no_more(repetitions):
    repetitions.is_one(frame())
    repetitions.is_one(frame(hop_limit=2, body=b"forged"))
    assert not repetitions.is_one(frame(hop_limit=2))


def test_what_was_heard_long_ago_wakes_the_box_each_time(repetitions):
    for packet_id in range(1, TRUSTED + 2):
        assert not repetitions.is_one(frame(packet_id))
    assert [repetitions.is_one(frame(1, hop_limit=2)) for _ in range(2)] == [False, False]
    assert repetitions.is_one(frame(TRUSTED, hop_limit=2))


def test_what_the_box_has_long_forgotten_is_new_again(repetitions):
    for packet_id in range(1, SIZE_DEFAULT + 2):
        repetitions.is_one(frame(packet_id))
    assert [repetitions.is_one(frame(1, hop_limit=2)) for _ in range(2)] == [False, True]


@pytest.mark.parametrize("seed", range(5))
def test_a_box_knows_whatever_need_not_wake_it(repetitions, seed):
    chance = random.Random(seed)
    history = History()
    newest = repeated = 0
    for _ in range(6_000):
        if chance.random() < 0.3:
            newest += 1
        # Mostly soon after, but some relays were minutes late.
        back = int(chance.expovariate(1 / 15)) if chance.random() < 0.7 else chance.randrange(900)
        packet = frame(max(1, newest - back), hop_limit=2)
        place = history.find(packet[4:12], b"..")
        if repetitions.is_one(packet):
            assert place >= 0
            repeated += 1
        if place < 0:
            history.add(packet[4:12], b"..", 2)
    assert repeated > 1_500


@pytest.mark.parametrize("length", [0, 1, 15, 256])
def test_what_is_no_frame_is_handed_over_and_not_remembered(repetitions, length):
    assert [repetitions.is_one(b"\xff" * length) for _ in range(2)] == [False, False]
