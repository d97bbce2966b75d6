# SPDX-License-Identifier: Apache-2.0
from kiezbox.protocol import priority
from kiezbox.protocol.airtime import PRESETS
from kiezbox.protocol.channel import Channel
from kiezbox.protocol.duty import DutyLedger
from kiezbox.protocol.events import Persist
from kiezbox.protocol.frame import BROADCAST, FrameError, Header, decode_header, encode_header
from kiezbox.protocol.mesh import Acknowledged, Drop, MeshNode, PacketReceived, Transmit, UndecryptablePacket
from kiezbox.protocol.packet import ROUTING_APP, TEXT_MESSAGE_APP, Data, decode_data, encode_data, encode_routing

CHANNEL = Channel("Kiezbox", bytes(range(32)))
PRESET = PRESETS["MEDIUM_FAST"]
PRIVATE = 256
SOURCE, US = 0x11, 0x12


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


def test_a_node_says_when_one_more_copy_leaves_everything_as_it_was():
    source, relay = node(0x11), node(0x12)
    source.send(Data(PRIVATE, b"x"), BROADCAST, priority.READING, 0)
    _, sent = frames([source])
    copy = bytearray(sent[0][2])
    relay.receive(bytes(copy), -90, 0, 0)
    assert not relay.undisturbed  # It waits to be relayed.
    copy[12] -= 1
    copy[15] = 0x77
    for number, undisturbed in enumerate((False, True, True)):
        before_ms = relay.next_wakeup_ms(0)
        relay.receive(bytes(copy), -90, 0, 0)
        assert relay.undisturbed == undisturbed, number
        if undisturbed:
            assert relay.next_wakeup_ms(0) == before_ms
    relay.receive(b"short", -90, 0, 0)
    assert not relay.undisturbed


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


def test_a_repeated_question_is_answered_again_and_handed_up_once():
    one = node(US)
    asked = packet(Data(PRIVATE, b"x"), to_node=US, want_ack=True)
    assert len(one.receive(asked, -90, 0, 0)) == 1
    assert answers(frames([one])[1]) == [(b"\x18\x00", 77, 2)]
    assert one.receive(asked, -90, 0, 60_000) == []
    assert answers(frames([one], 60_000)[1]) == [(b"\x18\x00", 77, 0)]
    # A copy that somebody relayed is no repetition.
    assert one.receive(packet(Data(PRIVATE, b"x"), to_node=US, want_ack=True, hops=(3, 2)), -90, 0, 120_000) == []
    assert frames([one], 120_000)[1] == []


def test_an_answer_goes_back_as_far_as_the_question_came_and_two_further():
    for hops, back in (((3, 3), 2), ((7, 4), 5), ((5, 4), 3), ((0, 3), 0)):
        one = node(US)
        one.receive(packet(Data(PRIVATE, b"x"), to_node=US, want_ack=True, hops=hops), -90, 0, 0)
        assert answers(frames([one])[1]) == [(b"\x18\x00", 77, back)], hops


def test_a_private_packet_that_no_key_opens_is_refused():
    other = Channel("Other", bytes(16))
    one = node(US)
    one.receive(packet(Data(PRIVATE, b"x"), to_node=US, want_ack=True, channel=other), -90, 0, 0)
    assert answers(frames([one])[1]) == [(b"\x18\x06", 77, 2)]
    one.receive(packet(Data(PRIVATE, b"x"), to_node=US, packet_id=78, channel=other), -90, 0, 60_000)
    assert frames([one], 60_000)[1] == []


def test_a_real_answer_may_follow_the_implicit_one():
    one = node(SOURCE)
    packet_id = one.send(Data(PRIVATE, b"x"), US, priority.COMMAND, 0, want_ack=True)
    _, sent = frames([one], until_ms=500)
    echo = bytearray(sent[0][2])
    echo[12] -= 1
    assert one.receive(bytes(echo), -90, 0, 600) == [Acknowledged(packet_id, SOURCE, 0)]
    assert one.receive(bytes(echo), -90, 0, 700) == []
    for reason, wanted in ((5, [Acknowledged(packet_id, US, 5)]), (0, [])):
        data = Data(ROUTING_APP, encode_routing(reason), request_id=packet_id)
        events = one.receive(packet(data, SOURCE, US, 900 + reason), -90, 0, 800)
        assert isinstance(events[0], PacketReceived)
        assert events[1:] == wanted
    assert frames([one], 1_000)[1] == []


def test_a_broadcast_asks_nobody_and_is_acknowledged_by_a_relay():
    one = node(SOURCE)
    packet_id = one.send(Data(PRIVATE, b"x"), BROADCAST, priority.COMMAND, 0, want_ack=True)
    _, sent = frames([one], until_ms=9_000)
    assert len(sent) == 2
    assert not decode_header(sent[0][2]).want_ack
    echo = bytearray(sent[0][2])
    echo[12] -= 1
    assert one.receive(bytes(echo), -90, 0, 9_000) == [Acknowledged(packet_id, SOURCE, 0)]
    assert frames([one], 9_000)[1] == []
    assert one.counters["own_heard"] == 1


def test_the_wait_for_an_answer_grows_with_the_traffic():
    quiet, busy = node(SOURCE), node(SOURCE)
    times = []
    for one in (quiet, busy):
        one.send(Data(PRIVATE, b"x"), US, priority.COMMAND, 0, want_ack=True)
        frames([one], until_ms=1_000)
        if one is busy:
            for number in range(1, 6):
                one.receive(packet(bytes(200), source=0x33, packet_id=number, hops=(3, 0)), -90, 0, 1_000)
        _, again = frames([one], 1_000)
        times.append(again[0][0])
    # Five frames of 216 bytes: 5 x 551 ms.
    assert 2_600 <= times[1] - times[0] <= 3_100


def test_before_flash_has_answered_nothing_is_numbered_and_nothing_raised():
    one = MeshNode(US, [CHANNEL], PRESET, entropy=b"e", ledger=DutyLedger(saved={}), saved={}, packet_id_key=b"k")
    assert not one.ready
    assert len(one.receive(packet(Data(PRIVATE, b"x"), to_node=US, want_ack=True), -90, 0, 0)) == 1
    assert one.counters["answer_not_ready"] == 1
    for action in one.poll(0):
        assert isinstance(action, Persist)
        one.persisted(action.name, action.value)
    assert one.ready


def test_what_cannot_be_sent_is_refused_and_changes_nothing():
    one = node(US)
    for data, to_node, hop_limit in (
        (Data(PRIVATE, bytes(232)), BROADCAST, 3),
        (Data(0, b"x"), BROADCAST, 3),
        (Data(PRIVATE), US, 3),
        (Data(PRIVATE), 0, 3),
        (Data(PRIVATE), 1 << 32, 3),
        (Data(PRIVATE), BROADCAST, 8),
        (Data(PRIVATE), BROADCAST, -1),
    ):
        try:
            one.send(data, to_node, priority.READING, 0, hop_limit=hop_limit)
        except FrameError:
            continue
        raise AssertionError((data.portnum, to_node, hop_limit))
    assert one.poll(0) == []
    assert one.next_wakeup_ms(0) is None


def test_a_node_that_cannot_be_is_refused():
    for number, role, hop_limit in ((0, "CLIENT", 3), (BROADCAST, "CLIENT", 3), (5, "REPEATER", 3), (5, "CLIENT", 0)):
        try:
            MeshNode(number, [CHANNEL], PRESET, role, hop_limit)
        except ValueError:
            continue
        raise AssertionError((number, role, hop_limit))


def test_under_load_the_order_is_always_the_same():
    one = node(US)
    readings = [one.send(Data(PRIVATE, b"r"), BROADCAST, priority.READING, 0) for _ in range(2)]
    for packet_id, payload in ((1, b"\x11\x01"), (3, b"\x12\x12"), (4, b"\x13\x10"), (5, b"\x12\x03")):
        one.receive(packet(Data(PRIVATE, payload + bytes(20)), packet_id=packet_id), -90, -20, 0)
    one.receive(packet(Data(3, b"position"), packet_id=2), -90, -20, 0)
    wanted = [one.send(Data(PRIVATE, b"help"), BROADCAST, priority.OWN_EMERGENCY, 0)]
    wanted += [5, 4, 3, 2, 1]
    wanted += readings
    _, sent = frames([one], 10_000)
    assert [decode_header(frame).packet_id for _, _, frame in sent] == wanted


def test_strangers_cannot_displace_a_call_for_help():
    one = node(US)
    call = one.send(Data(PRIVATE, b"help"), BROADCAST, priority.OWN_EMERGENCY, 0)
    for number in range(1, 60):
        one.receive(packet(Data(PRIVATE, b"\x12\x03"), source=0x100 + number, packet_id=number), -90, 0, 0)
        one.receive(packet(Data(3, b"x"), source=0x200 + number, packet_id=number), -90, 0, 0)
    assert len(one.queue) == one.queue.size
    assert one.counters["queue_full"] == 118 + 1 - one.queue.size
    _, sent = frames([one], 10_000, 200)
    assert decode_header(sent[0][2]).packet_id == call


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


def packet(
    data,
    to_node=BROADCAST,
    source=SOURCE,
    packet_id=77,
    hops=(3, 3),
    want_ack=False,
    via_mqtt=False,
    next_hop=0,
    channel=CHANNEL,
):
    """A whole frame as `source` would send it; data: Data, or bytes in its place. hops: start, limit."""
    body = data if isinstance(data, bytes) else encode_data(data)
    header = Header(
        to_node, source, packet_id, hops[1], hops[0], want_ack, via_mqtt, channel.hash, next_hop, source & 0xFF
    )
    return encode_header(header) + channel.crypt(source, packet_id, body)


def answers(sent):
    """What was sent to SOURCE as (error reason payload, answered id, hop limit)."""
    found = []
    for _, _, frame in sent:
        header = decode_header(frame)
        if header.to_node == SOURCE:
            data = decode_data(CHANNEL.open(frame))
            assert data.portnum == ROUTING_APP
            found.append((data.payload, data.request_id, header.hop_limit))
    return found


def test_malformed_frames_are_counted_and_change_nothing():
    one = node(US)
    for frame in (b"", bytes(15), bytes(256), bytes(300), bytes(16), b"\xff" * 16):
        assert one.receive(frame, -90, 0, 0) == []
    assert one.counters == {"frame_truncated": 2, "frame_too_long": 2, "from_invalid": 2}
    assert one.neighbours.nodes == {}
    assert one.next_wakeup_ms(0) is None
    assert one.poll(0) == []


def test_what_came_over_the_internet_is_not_taken_up():
    one = node(US)
    assert one.receive(packet(Data(PRIVATE, b"x"), via_mqtt=True), -90, 0, 0) == []
    assert one.counters == {"via_mqtt": 1}
    # Nor is it remembered: the same packet from the air is taken.
    assert len(one.receive(packet(Data(PRIVATE, b"x")), -90, 0, 0)) == 1
    other = MeshNode(US, [CHANNEL], PRESET, ignore_mqtt=False)
    assert len(other.receive(packet(Data(PRIVATE, b"x"), via_mqtt=True), -90, 0, 0)) == 1


def test_a_hash_that_fits_is_no_key_that_fits():
    one = node(US)
    assert isinstance(one.receive(packet(b"\xff" * 20), -90, 0, 0)[0], UndecryptablePacket)
    assert one.counters == {"wrong_key": 1}
    # Two channels with the same hash: the one that opens it is named.
    twin = Channel("Kiezbox", bytes(reversed(range(32))))
    assert twin.hash == CHANNEL.hash
    two = MeshNode(US, [CHANNEL, twin], PRESET)
    event = two.receive(packet(Data(PRIVATE, b"twin"), channel=twin), -90, 0, 0)[0]
    assert (event.channel_index, event.data.payload) == (1, b"twin")


def test_a_changed_copy_that_comes_first_does_not_stand_for_the_true_one():
    true = packet(Data(PRIVATE, b"\x12\x03 help"))
    flipped = bytearray(true)
    flipped[-5] ^= 1  # within the payload: no key is needed for that
    cut = true[:-4]
    one = node(US)
    assert isinstance(one.receive(cut, -90, -20, 0)[0], UndecryptablePacket)
    assert one.receive(bytes(flipped), -90, -20, 0)[0].data.payload != b"\x12\x03 help"
    assert one.receive(true, -90, -20, 0)[0].data.payload == b"\x12\x03 help"
    assert one.receive(true, -90, -20, 0) == []
    _, sent = frames([one])
    assert true[16:] in [frame[16:] for _, _, frame in sent]
    # The other way round it is noise.
    two = node(US)
    two.receive(true, -90, -20, 0)
    assert two.receive(cut, -90, -20, 0) == []
    assert two.counters == {"conflicting_copy": 1}
    # NodeInfo is altered by honest relays: one copy of it is enough.
    three = node(US)
    three.receive(packet(Data(4, b"user")), -90, -20, 0)
    assert three.receive(packet(Data(4, b"user and more")), -90, -20, 0) == []
    assert three.counters == {"conflicting_copy": 1}


def test_a_frame_may_come_in_any_kind_of_buffer():
    event = node(US).receive(bytearray(packet(Data(PRIVATE, b"x"))), -90, 4.75, 0)[0]
    assert event.data.payload == b"x"
    assert (event.rssi_dbm, event.snr_db) == (-90, 4)


def test_neighbours_are_those_heard_from_themselves():
    one = node(US)
    one.receive(packet(Data(PRIVATE, b"x")), -91, 4, 5)
    one.receive(packet(Data(PRIVATE, b"x"), source=0x33, hops=(3, 2)), -92, 4, 6)
    assert one.neighbours.nodes == {SOURCE: (-91, 4, 5)}


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


def transmitted_of(actions):
    return [action for action in actions if isinstance(action, Transmit)]


def test_a_radio_that_does_not_answer_is_taken_to_have_sent():
    node = MeshNode(1, [CHANNEL], PRESET, entropy=b"seed")
    node.send(Data(256, b"first"), BROADCAST, priority.READING, 0)
    node.send(Data(256, b"second"), BROADCAST, priority.READING, 0)
    [first] = transmitted_of(node.poll(1_000))
    late_ms = node.next_wakeup_ms(1_000)
    assert late_ms > 1_000 + first.time_on_air_us // 1000
    assert transmitted_of(node.poll(late_ms - 1)) == []
    node.poll(late_ms)
    assert node.ledger.spent_ms(late_ms) > 0
    [second] = transmitted_of(node.poll(late_ms + 1_000))
    assert second.packet_id != first.packet_id
    assert node.counters["radio_silent"] == 1
