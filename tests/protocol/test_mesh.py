# SPDX-License-Identifier: Apache-2.0
from kiezbox.protocol import priority
from kiezbox.protocol.airtime import PRESETS
from kiezbox.protocol.channel import Channel
from kiezbox.protocol.duty import DutyLedger
from kiezbox.protocol.frame import BROADCAST, decode_header
from kiezbox.protocol.mesh import Acknowledged, Drop, MeshNode, PacketReceived, Transmit, UndecryptablePacket
from kiezbox.protocol.packet import TEXT_MESSAGE_APP, Data

CHANNEL = Channel("Kiezbox", bytes(range(32)))
PRESET = PRESETS["MEDIUM_FAST"]
PRIVATE = 256


def node(number, role="CLIENT", ledger=None, channel=CHANNEL, hop_limit=5):
    return MeshNode(number, [channel], PRESET, role, hop_limit, b"entropy %d" % number, ledger)


def frames(nodes, start_ms=0, until_ms=60_000, links=None):
    """Let nodes talk; `links` maps a node number to those who hear it (default: everybody). Returns (events, sent)."""
    events = []
    sent = []
    for now_ms in range(start_ms, start_ms + until_ms, 20):
        for one in nodes:
            for action in one.poll(now_ms):
                if isinstance(action, Transmit):
                    sent.append((now_ms, one.node_num, action.frame))
                    one.transmitted(now_ms)
                    for other in nodes:
                        if other is not one and (links is None or other.node_num in links[one.node_num]):
                            for event in other.receive(action.frame, -90, 5, now_ms):
                                events.append((other.node_num, event))
                elif not isinstance(action, Drop):
                    events.append((one.node_num, action))
    return events, sent


def received(events, number):
    return [event for who, event in events if who == number and isinstance(event, PacketReceived)]


def test_a_packet_crosses_a_line_of_six_and_is_delivered_once_to_each():
    nodes = [node(number) for number in range(0x11, 0x17)]
    links = {number: (number - 1, number + 1) for number in range(0x11, 0x17)}
    packet_id = nodes[0].send(Data(PRIVATE, b"help"), BROADCAST, priority.OWN_EMERGENCY, 0)
    events, sent = frames(nodes, links=links)
    for number in range(0x12, 0x17):
        packets = received(events, number)
        assert len(packets) == 1
        assert packets[0].data.payload == b"help"
        assert packets[0].header.packet_id == packet_id
    last = received(events, 0x16)[0].header
    assert (last.hop_start, last.hop_limit, last.relay_node) == (5, 1, 0x15)
    assert len(sent) == 6


def test_the_hop_limit_ends_it():
    nodes = [node(number, hop_limit=2) for number in range(0x11, 0x16)]
    links = {number: (number - 1, number + 1) for number in range(0x11, 0x16)}
    nodes[0].send(Data(PRIVATE, b"x"), BROADCAST, priority.READING, 0)
    events, sent = frames(nodes, links=links)
    assert len(received(events, 0x14)) == 1
    assert received(events, 0x15) == []
    assert len(sent) == 3


def test_a_relayed_copy_differs_in_hop_limit_and_relay_node_only():
    first, second = node(0x11), node(0x12)
    first.send(Data(PRIVATE, b"x"), BROADCAST, priority.READING, 0)
    _, sent = frames([first, second])
    original, copy = sent[0][2], sent[1][2]
    assert [index for index in range(len(copy)) if copy[index] != original[index]] == [12, 15]
    assert decode_header(copy).relay_node == 0x12


def test_client_gives_up_its_copy_when_another_was_faster_and_router_does_not():
    for role, count in (("CLIENT", 0), ("ROUTER", 1), ("ROUTER_LATE", 1)):
        source, late = node(0x11), node(0x12, role)
        source.send(Data(PRIVATE, b"x"), BROADCAST, priority.READING, 0)
        frame = None
        now_ms = 0
        while frame is None:
            now_ms += 20
            for action in source.poll(now_ms):
                if isinstance(action, Transmit):
                    frame = action.frame
        late.receive(frame, -90, 10, now_ms)
        other = bytearray(frame)
        other[12] -= 1
        other[15] = 0x77
        assert late.receive(bytes(other), -90, 10, now_ms) == []
        _, sent = frames([late], now_ms)
        assert len(sent) == count, role
        assert late.counters["duplicate"] == 1


def test_mute_does_not_relay_and_next_hop_is_honoured():
    source, mute, other = node(0x11), node(0x12, "CLIENT_MUTE"), node(0x13)
    source.send(Data(PRIVATE, b"x"), BROADCAST, priority.READING, 0)
    _, sent = frames([source])
    frame = bytearray(sent[0][2])
    mute.receive(bytes(frame), -90, 0, 0)
    frame[14] = 0x99
    other.receive(bytes(frame), -90, 0, 0)
    assert frames([mute, other])[1] == []


def test_what_cannot_be_opened_is_relayed_as_it_came():
    stranger = node(0x11, channel=Channel("Other", b"\x01" * 16))
    ours = node(0x12)
    stranger.send(Data(TEXT_MESSAGE_APP, b"hi"), BROADCAST, priority.STRANGER, 0)
    events, sent = frames([stranger, ours])
    assert isinstance(events[0][1], UndecryptablePacket)
    assert sent[1][2][16:] == sent[0][2][16:]
    assert ours.counters["undecryptable"] == 1


def test_want_ack_is_answered_and_ends_the_repetition():
    source, target = node(0x11), node(0x12)
    packet_id = source.send(Data(PRIVATE, b"x"), 0x12, priority.COMMAND, 0, want_ack=True)
    events, sent = frames([source, target])
    acknowledged = [event for who, event in events if who == 0x11 and isinstance(event, Acknowledged)]
    assert acknowledged == [Acknowledged(packet_id, 0x12, 0)]
    assert len([one for one in sent if one[1] == 0x11]) == 1


def test_without_an_answer_it_is_sent_three_times_and_given_up():
    source = node(0x11)
    packet_id = source.send(Data(PRIVATE, b"x"), 0x12, priority.COMMAND, 0, want_ack=True)
    events, sent = frames([source])
    assert len(sent) == 3
    assert len({frame for _, _, frame in sent}) == 1
    assert events == [(0x11, Acknowledged(packet_id, 0x11, 5))]
    assert 4_500 < sent[1][0] - sent[0][0] < 8_000


def test_hearing_a_relay_is_an_implicit_acknowledgement():
    source, relay = node(0x11), node(0x12)
    packet_id = source.send(Data(PRIVATE, b"x"), 0x99, priority.COMMAND, 0, want_ack=True)
    events, sent = frames([source, relay])
    assert (0x11, Acknowledged(packet_id, 0x11, 0)) in events
    assert len([one for one in sent if one[1] == 0x11]) == 1


def test_malformed_frames_are_counted_and_change_nothing():
    one = node(0x11)
    assert one.receive(b"", -90, 0, 0) == []
    assert one.receive(bytes(15), -90, 0, 0) == []
    assert one.receive(bytes(256), -90, 0, 0) == []
    assert one.receive(bytes(16), -90, 0, 0) == []
    assert one.receive(b"\xff" * 16, -90, 0, 0) == []
    assert one.counters == {"frame_truncated": 2, "frame_too_long": 1, "from_invalid": 2}
    assert frames([one])[1] == []


def test_when_the_hour_is_spent_relays_are_dropped_and_own_frames_wait():
    ledger = DutyLedger(limit_ms=1_000, reserve_pct=40)
    source, relay = node(0x11), node(0x12, ledger=ledger)
    ledger.spend(700, 0)
    source.send(Data(PRIVATE, b"x" * 50), BROADCAST, priority.READING, 0)
    relay.send(Data(PRIVATE, b"own"), BROADCAST, priority.READING, 0)
    _, sent = frames([source, relay])
    assert [one[1] for one in sent] == [0x11]
    assert relay.counters["duty_reserve"] >= 2
    relay.send(Data(PRIVATE, b"help"), BROADCAST, priority.OWN_EMERGENCY, 60_000)
    _, sent = frames([relay], 60_000)
    assert len(sent) == 1


def test_a_busy_channel_means_another_moment():
    one = node(0x11)
    one.send(Data(PRIVATE, b"x"), BROADCAST, priority.READING, 0)
    now_ms = 0
    tries = 0
    while tries < 3:
        now_ms += 10
        assert now_ms < 60_000
        for action in one.poll(now_ms):
            if isinstance(action, Transmit):
                tries += 1
                assert one.poll(now_ms) == []
                one.channel_busy(now_ms)
    assert one.counters["channel_busy"] == 3
    assert len(frames([one], now_ms)[1]) == 1


def test_emergencies_overtake_readings_in_the_queue():
    one = node(0x11)
    for index in range(5):
        one.send(Data(PRIVATE, b"reading %d" % index), BROADCAST, priority.READING, 0)
    urgent = one.send(Data(PRIVATE, b"help"), BROADCAST, priority.OWN_EMERGENCY, 0)
    _, sent = frames([one], 5_000)
    assert decode_header(sent[0][2]).packet_id == urgent
    assert len(sent) == 6


def test_packet_ids_are_neither_repeated_nor_counted_up():
    one = node(0x11)
    numbers = []
    for _ in range(300):
        numbers.append(one.send(Data(PRIVATE, b"x"), BROADCAST, priority.READING, 0))
    assert len(set(numbers)) == 300
    steps = {numbers[index + 1] - numbers[index] for index in range(299)}
    assert len(steps) > 290
