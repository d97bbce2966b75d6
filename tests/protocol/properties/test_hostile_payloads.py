# SPDX-License-Identifier: Apache-2.0
"""Forged, bit-flipped, cut, re-addressed and replayed payloads never change the state of box or gateway.

100,000 tries; KIEZBOX_LONG=1 makes it a million.
"""

import os
import pickle
import random
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiezbox.protocol import broadcast_inbox, events
from kiezbox.protocol.box_endpoint import BoxEndpoint
from kiezbox.protocol.gateway_endpoint import GatewayEndpoint, Progress, Received, Rejected
from kiezbox.protocol.replay import GatewayWindows

TRIES = 500_000 if os.environ.get("KIEZBOX_LONG") else 50_000
NODE, OTHER = 0x4B420001, 0x4B420002
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC_KEY = SIGNER.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
CALL = {"category": 1, "text": "Hilfe, " * 40, "people": 2, "code": "AAAABBBB", "action": 0}


def drain(endpoint: Any, now_ms: int) -> list[bytes]:
    payloads = []
    for _ in range(8):
        for action in endpoint.poll(now_ms):
            if isinstance(action, events.Persist):
                endpoint.persisted(action.name, action.value)
            else:
                payloads.append(action.payload)
    return payloads


def seen_by(windows: GatewayWindows) -> dict[int, tuple[int, int]]:
    """What was seen of each gateway's counters."""
    return {number: (window.highest, window.bits()) for number, window in windows._windows.items()}


def snapshot(endpoint: Any) -> bytes:
    """Everything but what counts and caches."""
    state = dict(vars(endpoint))
    for name in ("counters", "_random", "_keys", "_sign", "_boxes"):
        state.pop(name, None)
    boxes = getattr(endpoint, "_boxes", {})
    state["boxes"] = {
        number: (box.window.highest, box.window.bits(), box.kinds, box.stages, box.owed_stages, box.owed_fragments)
        for number, box in boxes.items()
    }
    inbox = state.pop("inbox", None)
    if inbox is not None:
        state["inbox"] = {key: seen_by(windows) for key, windows in inbox._windows.items()}
        state["down"] = seen_by(endpoint._down)
        state["opened"] = inbox._opened is not None
        state["parts"] = list(inbox._parts)
    return pickle.dumps(state)


def hurt(payload: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """One way to forge, among many."""
    raw = bytearray(payload)
    way = chance.randrange(7)
    if way == 0:
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    elif way == 1:
        for _ in range(chance.randrange(1, 9)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
    elif way == 2:
        raw = raw[: chance.randrange(len(raw))]
    elif way == 3:
        raw += chance.randbytes(chance.randrange(1, 20))
    elif way == 4:
        other = chance.choice(others)
        cut = chance.randrange(min(len(raw), len(other)))
        raw = raw[:cut] + bytearray(other[cut:])
    elif way == 5:
        raw[1] = chance.choice((1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22))
    else:
        raw = bytearray(chance.randbytes(chance.randrange(240)))
    return bytes(raw)


def traffic() -> tuple[list[bytes], list[bytes]]:
    """Payloads that a real pair sent: up from NODE, down to NODE."""
    box = BoxEndpoint(NODE, bytes(32), {1: PUBLIC_KEY}, b"box", {})
    gateway = GatewayEndpoint(b"gateway", SIGNER.sign)
    gateway.add_box(NODE, bytes(32))
    drain(box, 0)
    drain(gateway, 0)
    box.send("emergency", CALL, 0)
    box.send("exercise", dict(CALL, text="kurz"), 0)
    box.send("reading", {"sequence": 1, "samples": [{"battery_mv": 3900}]}, 0)
    box.send("query", {"code": "AAAABBBB"}, 0)
    up = drain(box, 0)
    down = []
    for payload in up:
        found = gateway.receive(NODE, payload, 0)
        if isinstance(found, Received):
            gateway.acknowledge(NODE, found.counter, 2, 0)
    gateway.reply(NODE, {"code": "AAAABBBB", "refers_to": 1, "stage": 5, "text": "Wir kommen " * 30}, 0)
    gateway.command(NODE, "configuration", {"hop_limit": 3}, 0)
    gateway.broadcast("mode", {"mode": 2, "epoch": 4, "scope": 0}, 0)
    gateway.broadcast("bulletin", {"identifier": "x", "text": "Achtung! " * 40}, 0)
    gateway.broadcast("time", {"time_s": 1_767_445_200, "quality": 2}, 0)
    down += drain(gateway, 0)
    assert len(up) >= 4
    assert len(down) >= 7
    return up, down


def test_nothing_forged_changes_a_gateway() -> None:
    chance = random.Random(4711)
    up, down = traffic()
    gateway = GatewayEndpoint(b"gateway")
    gateway.add_box(NODE, bytes(32))
    gateway.add_box(OTHER, bytes([1]) * 32)
    drain(gateway, 0)
    before = snapshot(gateway)
    genuine, lists = set(up), set(down)
    for attempt in range(TRIES):
        payload = hurt(chance.choice(up + down), up, chance)
        from_node = chance.choice((NODE, NODE, OTHER, 0x1234))
        if (from_node == NODE and payload in genuine) or (payload[:1] == b"\x13" and is_a_true_list(payload, lists)):
            continue  # Receipts that another gateway gave are true wherever they come from.
        found = gateway.receive(from_node, payload, attempt)
        assert isinstance(found, Rejected), (from_node, payload.hex(), found)
        if attempt % 1000 == 0:
            assert snapshot(gateway) == before
    for payload in up:
        assert isinstance(gateway.receive(OTHER, payload, 0), Rejected)
        assert isinstance(gateway.receive(0x1234, payload, 0), Rejected)
    assert snapshot(gateway) == before
    assert drain(gateway, TRIES) == []


def test_nothing_forged_changes_a_box(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the check of signatures unlimited, so that each forgery is really judged by it."""
    monkeypatch.setattr(broadcast_inbox.BroadcastInbox, "_spend_check", lambda inbox, now_ms: None)
    chance = random.Random(4712)
    _, down = traffic()
    box = BoxEndpoint(NODE, bytes(32), {1: PUBLIC_KEY}, b"box", {"counter_reserved": 100})
    drain(box, 0)
    box.send("emergency", CALL, 0)
    drain(box, 0)
    box.set_clock(1_767_000_000, 1, 0)
    before = snapshot(box)
    genuine = set(down)
    # A signature costs milliseconds in Python: most of the tries go to what is proven by a tag.
    signed = [payload for payload in down if payload[0] == 0x15]
    tagged = [payload for payload in down if payload[0] != 0x15]
    for attempt in range(TRIES):
        payload = hurt(chance.choice(signed if attempt % 100 == 0 else tagged), tagged, chance)
        if payload in genuine or (payload[:1] == b"\x13" and is_a_true_list(payload, genuine)):
            continue
        assert box.receive(payload, attempt) == [], payload.hex()
        if attempt % 1000 == 0:
            box.inbox._early.clear()
            assert snapshot(box) == before
    assert snapshot(box) == before


def is_a_true_list(payload: bytes, genuine: set[bytes]) -> bool:
    """A list of receipts with whole true entries in front is true so far; what is behind is judged by itself."""
    return any(payload.startswith(true[: 7 + true[6]]) and true[0] == 0x13 for true in genuine)


def test_replays_are_answered_and_change_nothing() -> None:
    chance = random.Random(4713)
    up, down = traffic()
    gateway = GatewayEndpoint(b"gateway")
    gateway.add_box(NODE, bytes(32))
    drain(gateway, 0)
    box = BoxEndpoint(NODE, bytes(32), {1: PUBLIC_KEY}, b"box", {"counter_reserved": 100})
    drain(box, 0)
    first = [gateway.receive(NODE, payload, 0) for payload in up]
    handed_out = {found.counter for found in first if isinstance(found, Received)}
    for counter in handed_out:
        gateway.acknowledge(NODE, counter, 2, 0)
    drain(gateway, 0)
    # Twice, because the other fragments of a long message may stand before its first.
    happened = [event for payload in down + down for event in box.receive(payload, 0)]
    assert len(happened) >= 6
    drain(box, 60_000)
    counters = (seen_by(box._down), {key: seen_by(windows) for key, windows in box.inbox._windows.items()})
    highest = gateway._boxes[NODE].window.highest
    for attempt in range(TRIES // 10):
        found = gateway.receive(NODE, chance.choice(up), attempt)
        assert isinstance(found, (Received, Progress))
        if isinstance(found, Received):
            assert found.counter in handed_out
            assert found.duplicate_hint
        for event in box.receive(chance.choice(down), 0):
            assert isinstance(event, (events.StageChanged, events.ReadingsAcknowledged)), (
                "only receipts may be heard again"
            )
    assert gateway._boxes[NODE].window.highest == highest
    drain(box, 10_000_000)
    assert (seen_by(box._down), {key: seen_by(windows) for key, windows in box.inbox._windows.items()}) == counters
    assert box.orders.epoch == 4
