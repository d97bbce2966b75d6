# SPDX-License-Identifier: Apache-2.0
"""The referee must see each kind of broken rule: it is shown one of each."""

from types import SimpleNamespace

import pytest

from kiezbox.protocol import envelope
from kiezbox.protocol.channel import Channel
from kiezbox.protocol.frame import BROADCAST, Header, encode_header
from kiezbox.protocol.packet import Data, encode_data
from kiezbox_simulator.scenario.referee import HOUR_US, Call, Referee, words_of

CHANNEL = Channel("Kiezbox", bytes(range(32)))


def call(**changes):
    form = {"text": "Mein Mann hat starke Schmerzen in der Brust", "place": "Akazienstr. 12"}
    return Call("box/1", "box", 7, True, "de", 1, words_of(form), 0, **changes)


def frame(payload, from_node=7, kind=envelope.EMERGENCY, seal=True, counter=1):
    header = encode_header(Header(BROADCAST, from_node, 99, 5, 5, channel_hash=CHANNEL.hash))
    plain = encode_data(Data(envelope.PORTNUM, bytes((0x12, kind)) + counter.to_bytes(4, "little") + payload))
    return header + (CHANNEL.crypt(from_node, 99, plain) if seal else plain)


@pytest.fixture
def referee():
    made = Referee(CHANNEL, [], 10.0, HOUR_US)
    sender = SimpleNamespace(index=0, node_num=7, name="box")

    def show(start_us, content=b"\0" * 40, length_us=200_000, **options):
        data = frame(content, **options)
        transmission = SimpleNamespace(
            sender=sender, start_us=start_us, end_us=start_us + length_us, frame=data, receptions=[]
        )
        made.started(transmission, made.understand(data))

    made.show = show
    return made


def test_a_quiet_run_is_quiet(referee):
    referee.show(0)
    referee.show(300_000)
    referee.finish(HOUR_US)
    assert referee.violations == []


def test_more_than_ten_percent_of_a_sliding_hour(referee):
    for number in range(36):
        referee.show(number * 20_000_000, length_us=10_000_000)
    assert referee.violations == []
    referee.show(36 * 20_000_000, length_us=10_000_000)
    assert "duty" in referee.violations[0]
    referee.show(2 * HOUR_US, length_us=10_000_000)
    assert referee.violation_count == 1
    assert referee.greatest_hour_us[0] == 370_000_000


def test_an_attackers_airtime_is_not_ours(referee):
    referee.lawless = {0}
    for number in range(60):
        referee.show(number * 20_000_000, length_us=10_000_000)
    assert referee.violations == []


def test_the_hour_slides_and_counts_parts_of_frames(referee):
    referee.show(0, length_us=300_000_000)
    referee.show(HOUR_US - 10_000_000, length_us=70_000_000)
    # 300 s minus the 60 s of it that are more than an hour past, plus 70 s.
    assert referee.greatest_hour_us[0] == 310_000_000


def test_two_frames_at_once(referee):
    referee.show(0)
    referee.show(100_000)
    assert "two frames at once" in referee.violations[0]


def test_receiving_while_sending(referee):
    referee.show(0)
    reception = SimpleNamespace(station=SimpleNamespace(index=0, name="box"), fate=0)
    referee.ended(SimpleNamespace(start_us=50_000, end_us=150_000, receptions=[reception]))
    assert "received while it sent" in referee.violations[0]


def test_an_accepted_call_that_never_arrives(referee):
    referee.calls += [call(accepted_us=0), call(accepted_us=2 * HOUR_US), call(accepted_us=0, delivered_us=5)]
    referee.finish(2 * HOUR_US)
    assert len(referee.violations) == 1
    assert "lost" in referee.violations[0]


def test_a_stage_that_is_not_true(referee):
    referee.told_stage(call(), 1, 0)
    assert referee.violations == []
    referee.told_stage(call(), 2, 0)
    assert "truth" in referee.violations[0]


def test_a_reading_before_a_call(referee):
    waiting = call(accepted_us=0)
    referee.accepted(waiting)
    referee.show(1_000_000, kind=envelope.READING)
    assert referee.violations == []  # Already with the radio when the call came.
    referee.show(5_000_000, kind=envelope.READING)
    assert "order" in referee.violations[0]
    referee.show(6_000_000)
    assert waiting.first_sent_us == 6_000_000
    referee.show(7_000_000, kind=envelope.READING)
    assert referee.violation_count == 1


def test_a_call_that_nobody_typed(referee):
    referee.forged("0b000001", 7, 5)
    assert "origin" in referee.violations[0]


def test_a_repetition_of_an_older_call_is_not_the_new_call(referee):
    referee.accepted(call(accepted_us=0))
    referee.show(1_000_000, counter=5)
    waiting = call(accepted_us=2_000_000)
    referee.accepted(waiting)
    referee.show(3_000_000, counter=5)
    assert waiting.first_sent_us is None
    referee.show(9_000_000, kind=envelope.READING, counter=6)
    assert "order" in referee.violations[0]


def test_a_call_may_be_on_the_air_before_the_page_is_with_its_person(referee):
    referee.show(900_000, counter=8)
    quick = call(accepted_us=1_000_000)
    referee.accepted(quick)
    assert quick.first_sent_us == 900_000
    referee.show(9_000_000, kind=envelope.READING, counter=9)
    assert referee.violations == []
    later = call(accepted_us=20_000_000)
    later.asked_us = 19_000_000
    referee.accepted(later)
    referee.show(29_000_000, kind=envelope.READING, counter=10)
    assert "order" in referee.violations[0]


@pytest.mark.parametrize("seal", [True, False])
def test_words_of_a_call_in_the_air_or_under_the_channel_key(referee, seal):
    referee.accepted(call(accepted_us=0))
    referee.show(10, b"..." + b"Mein Mann hat starke" + b"...", seal=seal)
    assert "secrecy" in referee.violations[0]
