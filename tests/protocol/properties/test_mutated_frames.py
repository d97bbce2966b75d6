# SPDX-License-Identifier: Apache-2.0
"""Random, mutated, forged and repeated frames: no exception, bounded memory, and a relay sends on only what came in.

100,000 frames; KIEZBOX_LONG=1 makes it a million.
"""

import os
import random

import pytest

from kiezbox.protocol import priority
from kiezbox.protocol.airtime import PRESETS
from kiezbox.protocol.channel import Channel
from kiezbox.protocol.duty import DutyLedger
from kiezbox.protocol.frame import BROADCAST, Header, decode_header, encode_header, fault
from kiezbox.protocol.history import SIZE_DEFAULT
from kiezbox.protocol.mesh import Acknowledged, Drop, MeshNode, PacketReceived, Transmit, UndecryptablePacket
from kiezbox.protocol.packet import Data, encode_data
from kiezbox.protocol.relay_rank import ORIGINS_MAX

FRAMES = 1_000_000 if os.environ.get("KIEZBOX_LONG") else 100_000
US = 0x7C0000A4
CHANNELS = [Channel("Kiezbox", bytes(range(32))), Channel("", b"\x01"), Channel("Kiezbox", bytes(reversed(range(32))))]
FOREIGN = Channel("Nachbar", bytes(range(16)))
PRESET = PRESETS["SHORT_FAST"]
REASONS = {
    "frame_truncated", "frame_too_long", "from_invalid", "via_mqtt", "undecryptable", "wrong_key", "duplicate",
    "conflicting_copy", "own_heard", "routing_malformed", "origin_cap", "better_copy", "relay_cancelled",
    "relay_answered", "queue_full", "not_watched", "relayed", "sent", "channel_busy", "duty_limit", "duty_reserve",
}  # fmt: skip


def make(chance: random.Random) -> bytes:
    """A frame that some node could have sent."""
    header = Header(
        chance.choice([BROADCAST, BROADCAST, US, chance.getrandbits(32)]),
        chance.choice([1, 2, 3, US, 0x7C3E51A4, chance.randrange(1, BROADCAST)]),
        chance.choice([0, 1, 2, chance.getrandbits(32)]),
        chance.randrange(8),
        chance.randrange(8),
        chance.random() < 0.3,
        chance.random() < 0.05,
        0,
        chance.choice([0, 0, 0xA4, chance.randrange(256)]),
        chance.randrange(256),
    )
    data = Data(
        chance.choice([1, 3, 4, 5, 67, 256, 256, 257, chance.randrange(1, 512)]),
        chance.choice([b"", b"\x18\x00", b"\x12\x03", b"\x13\x10", b"\x11\x01", b"\x18"])
        + chance.randbytes(chance.randrange(180)),
        chance.random() < 0.2,
        request_id=chance.choice([0, 0, 1, 2, chance.getrandbits(32)]),
        reply_id=chance.choice([0, 0, 0, 1]),
        bitfield=chance.choice([None, 0, 1, 3]),
    )
    channel = chance.choice([*CHANNELS, FOREIGN])
    header.channel_hash = channel.hash
    return encode_header(header) + channel.crypt(header.from_node, header.packet_id, encode_data(data))


def hurt(frame: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """One way among many in which a frame can be wrong, or come again."""
    way = chance.randrange(10)
    raw = bytearray(frame)
    if way == 0:
        raw = raw[: chance.randrange(len(raw) + 1)]
    elif way == 1:
        raw += chance.randbytes(chance.randrange(300))
    elif way == 2:
        for _ in range(chance.randrange(1, 6)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
    elif way == 3:
        position = chance.randrange(8 * len(raw))
        raw[position // 8] ^= 1 << position % 8
    elif way == 4:
        raw = bytearray(chance.randbytes(chance.randrange(300)))
    elif way == 5 and others:
        other = chance.choice(others)
        raw = raw[:16] + bytearray(other[16:])
    elif way == 6:
        raw[4:8] = chance.choice([bytes(4), b"\xff" * 4, US.to_bytes(4, "little")])
    elif way in (7, 8) and others:
        # An earlier frame as a relay or an attacker would send it again.
        raw = bytearray(chance.choice(others))
        if len(raw) > 15:
            raw[12] = raw[12] & 0xF8 | chance.randrange(8)
            raw[14] = chance.choice([0, 0, raw[14]])
            raw[15] = chance.randrange(256)
    return bytes(raw)


def check_events(events: list[object], frame: bytes) -> None:
    for event in events:
        if isinstance(event, (PacketReceived, UndecryptablePacket)):
            assert fault(frame) == ""
            assert event.header.from_node not in (0, BROADCAST, US)
        else:
            assert isinstance(event, Acknowledged)


def snapshot(node: MeshNode) -> tuple[object, ...]:
    """What a frame can change, but for counters and the load of the channel."""
    history = node._flooding._history
    return (
        bytes(history._keys),
        bytes(history._flags),
        [(item.frame, item.due_ms, item.late, item.given_up) for item in node.queue.items],
        dict(node.neighbours.nodes),
        [(item.packet_id, item.relayed) for item in node._reliability._watched],
    )


@pytest.mark.parametrize("role", ["CLIENT", "CLIENT_MUTE", "ROUTER", "ROUTER_LATE"])
def test_no_frame_does_harm(role: str) -> None:
    chance = random.Random(f"frames {role}")
    node = MeshNode(US, CHANNELS, PRESET, role, entropy=chance.randbytes(16), ledger=DutyLedger(10**9))
    heard: dict[tuple[bytes, bytes], set[int]] = {}
    recent: list[bytes] = []
    delivered: dict[int, int] = {}
    now_ms = 0
    relayed = 0
    for number in range(FRAMES // 4):
        frame = hurt(make(chance), recent, chance)
        if chance.random() < 0.05:
            node.send(Data(256, chance.randbytes(9)), 3, priority.READING, now_ms, chance.random() < 0.5)
        before = dict(node.counters)
        state = snapshot(node)
        events = node.receive(frame, chance.randrange(-140, 0), chance.choice([-20, -3, 7, 12.5]), now_ms)  # type: ignore[arg-type]
        check_events(events, frame)
        reason = fault(frame)
        if reason:
            assert events == []
            assert node.counters == {**before, reason: before.get(reason, 0) + 1}
            assert snapshot(node) == state
        else:
            recent = [*recent[-30:], frame]
            heard.setdefault((frame[:12] + frame[13:14], frame[16:]), set()).add(frame[12])
            if any(isinstance(event, PacketReceived) for event in events) and frame[8:12] != bytes(4):
                content = hash(frame[4:12] + frame[16:])
                # Only after the history may have forgotten it, it may be handed up again.
                assert number - delivered.get(content, -SIZE_DEFAULT) >= SIZE_DEFAULT
                delivered[content] = number
        now_ms += chance.randrange(400)
        if chance.random() < 0.2:
            now_ms += 60_000
        for action in node.poll(now_ms):
            if isinstance(action, Transmit):
                if check_transmit(action, heard):
                    relayed += 1
                if chance.random() < 0.2:
                    node.channel_busy(now_ms)
                else:
                    node.transmitted(now_ms)
            else:
                assert isinstance(action, (Drop, Acknowledged))
        assert len(node.queue) <= node.queue.size
        if number % 1_000 == 0:
            waiting = {item.frame[4:12] for item in node.queue.items}
            heard = {entry: flags for entry, flags in heard.items() if entry[0][4:12] in waiting}
    print(f"{FRAMES // 4} frames at a {role}: {relayed} relayed, counted as {sorted(node.counters.items())}")
    assert set(node.counters) <= REASONS
    assert len(node.neighbours.nodes) <= 16
    assert len(node._flooding._origin_cap._origins) <= ORIGINS_MAX
    assert (relayed > FRAMES // 40) == (role != "CLIENT_MUTE")
    assert delivered


def check_transmit(action: Transmit, heard: dict[tuple[bytes, bytes], set[int]]) -> bool:
    """What goes out is our own, or what came in but for hop limit, next hop and relay node. True for a relay."""
    header = decode_header(action.frame)
    if header.from_node == US:
        return False
    flags = heard[action.frame[:12] + action.frame[13:14], action.frame[16:]]
    assert action.frame[12] + 1 in flags
    assert action.frame[14] == 0
    assert action.frame[15] == US & 0xFF
    assert header.to_node != US
    assert header.packet_id != 0
    return True
