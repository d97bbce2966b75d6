# SPDX-License-Identifier: Apache-2.0
"""The same node at both ends of a link: as it should be, lossy, duplicating, reordering, cutting, one byte at a time.

Whatever the link does, a packet is handed up once at most, and what was acknowledged by its destination was handed up.
"""

from kiezbox.protocol import priority
from kiezbox.protocol.airtime import PRESETS
from kiezbox.protocol.channel import Channel
from kiezbox.protocol.duty import DutyLedger
from kiezbox.protocol.mesh import Acknowledged, MeshNode, PacketReceived, Transmit
from kiezbox.protocol.packet import Data
from kiezbox.protocol.random_bits import RandomBits

CHANNEL = Channel("Kiezbox", bytes(range(32)))
PRESET = PRESETS["SHORT_FAST"]
LEFT, RIGHT = 0x7C000011, 0x7C000012
PACKETS = 24
STEP_MS = 8
UNTIL_MS = 150_000


class Link:
    """Carries frames after a delay; `damage` turns one frame into a list of (delay_ms, frame)."""

    def __init__(self, damage):
        self.damage = damage
        self.on_the_way = []
        self.chance = RandomBits(b"link", b"test")

    def carry(self, frame, to_node, now_ms):
        for delay_ms, piece in self.damage(frame, self.chance):
            self.on_the_way.append((now_ms + delay_ms, to_node, piece))

    def arrivals(self, now_ms):
        due = [entry for entry in self.on_the_way if entry[0] <= now_ms]
        if due:
            self.on_the_way = [entry for entry in self.on_the_way if entry[0] > now_ms]
        return due


def run(damage, busy=0):
    """Both ends send PACKETS packets with want_ack. Returns what happened as lists by node number."""
    nodes = {}
    for number in (LEFT, RIGHT):
        nodes[number] = MeshNode(number, [CHANNEL], PRESET, entropy=b"%d" % number, ledger=DutyLedger(10**9))
    link = Link(damage)
    sent = {LEFT: {}, RIGHT: {}}
    received = {LEFT: [], RIGHT: []}
    confirmed = {LEFT: [], RIGHT: []}
    failed = {LEFT: [], RIGHT: []}
    for now_ms in range(0, UNTIL_MS, STEP_MS):
        for _, to_node, frame in link.arrivals(now_ms):
            note(nodes[to_node].receive(frame, -90, 3, now_ms), to_node, received, confirmed, failed)
        for number, peer in ((LEFT, RIGHT), (RIGHT, LEFT)):
            one = nodes[number]
            if now_ms % 4_000 == 0 and len(sent[number]) < PACKETS:
                payload = b"%d/%d" % (number, len(sent[number]))
                sent[number][one.send(Data(256, payload), peer, priority.COMMAND, now_ms, want_ack=True)] = payload
            for action in one.poll(now_ms):
                if isinstance(action, Transmit):
                    if busy and link.chance.below(100) < busy:
                        one.channel_busy(now_ms)
                    else:
                        link.carry(action.frame, peer, now_ms)
                        one.transmitted(now_ms)
                else:
                    note([action], number, received, confirmed, failed)
    for number, peer in ((LEFT, RIGHT), (RIGHT, LEFT)):
        heard = received[peer]
        assert len(set(heard)) == len(heard)
        assert set(heard) <= set(sent[number].values())
        for packet_id in confirmed[number]:
            assert sent[number][packet_id] in heard
        # Each packet has an end, and only one.
        assert sorted(confirmed[number] + failed[number]) == sorted(sent[number])
        assert len(nodes[number].queue) == 0
        assert nodes[number].next_wakeup_ms(UNTIL_MS) is None
    return nodes, received, confirmed, failed


def note(events, number, received, confirmed, failed):
    for event in events:
        if isinstance(event, PacketReceived) and event.data.portnum == 256:
            received[number].append(event.data.payload)
        elif isinstance(event, Acknowledged):
            (failed if event.error_reason else confirmed)[number].append(event.packet_id)


def test_a_link_as_it_should_be():
    nodes, received, confirmed, _ = run(lambda frame, chance: [(0, frame)])
    for number in (LEFT, RIGHT):
        assert len(received[number]) == PACKETS
        assert len(confirmed[number]) == PACKETS
        assert nodes[number].counters["sent"] == 2 * PACKETS


def test_a_fifth_is_lost():
    nodes, received, confirmed, _ = run(lambda frame, chance: [] if chance.below(5) == 0 else [(0, frame)])
    # Three sends of packet and answer: all three fail with 0.36^3, in 4.7 of 100 packets.
    assert len(confirmed[LEFT]) + len(confirmed[RIGHT]) >= PACKETS * 2 * 85 // 100
    assert len(received[LEFT]) >= len(confirmed[RIGHT])
    assert nodes[LEFT].counters["sent"] > 2 * PACKETS


def test_everything_comes_twice_and_more():
    _, received, confirmed, _ = run(lambda frame, chance: [(chance.below(2_000), frame) for _ in range(3)])
    assert len(received[LEFT]) == len(received[RIGHT]) == PACKETS
    assert len(confirmed[LEFT]) == len(confirmed[RIGHT]) == PACKETS


def test_frames_overtake_each_other():
    _, received, confirmed, _ = run(lambda frame, chance: [(chance.below(6_000), frame)])
    assert len(received[LEFT]) == len(received[RIGHT]) == PACKETS
    assert received[RIGHT] != sorted(received[RIGHT])
    assert len(confirmed[LEFT]) == PACKETS


def test_frames_are_cut_and_changed():
    def damage(frame, chance):
        way = chance.below(4)
        if way == 0:
            return [(0, frame[: chance.below(len(frame))])]
        if way == 1:
            hurt = bytearray(frame)
            hurt[16 + chance.below(len(frame) - 16)] ^= 1 << chance.below(8)
            # A radio drops what fails its checksum; the frame comes again whole.
            return [(0, frame + bytes(256)), (0, bytes(4) + frame[4:8] + bytes(7)), (1, frame)]
        return [(0, frame)]

    nodes, _, confirmed, _ = run(damage)
    assert len(confirmed[LEFT]) >= PACKETS * 80 // 100
    assert nodes[LEFT].counters["frame_too_long"] > 0
    assert nodes[LEFT].counters["frame_truncated"] > 0


def test_one_byte_at_a_time_is_no_frame():
    def damage(frame, chance):
        return [(0, frame[index : index + 1]) for index in range(len(frame))]

    nodes, received, confirmed, failed = run(damage)
    assert received == {LEFT: [], RIGHT: []}
    assert confirmed == {LEFT: [], RIGHT: []}
    assert len(failed[LEFT]) == PACKETS
    assert set(nodes[LEFT].counters) == {"sent", "frame_truncated"}


def test_a_channel_that_is_often_busy():
    nodes, received, confirmed, _ = run(lambda frame, chance: [(0, frame)], busy=50)
    assert len(received[LEFT]) == PACKETS
    assert len(confirmed[LEFT]) == PACKETS
    assert nodes[LEFT].counters["channel_busy"] > 10
