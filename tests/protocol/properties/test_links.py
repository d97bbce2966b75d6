# SPDX-License-Identifier: Apache-2.0
"""The same endpoints over a good, a lossy, a reordering, a duplicating and a terrible link: everything arrives, once in
meaning, and both ends come to rest."""

import random
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiezbox.protocol import events
from kiezbox.protocol.box_endpoint import BoxEndpoint
from kiezbox.protocol.gateway_endpoint import GatewayEndpoint, Received

NODES = [0x4B420001 + n for n in range(4)]
HOUR_MS = 3_600_000


class Link:
    """loss, twice: probabilities; delay_ms: up to this much, each copy its own, so that order is lost."""

    def __init__(self, loss: float, twice: float, delay_ms: int) -> None:
        self.loss = loss
        self.twice = twice
        self.delay_ms = delay_ms


LINKS = {
    "good": Link(0, 0, 0),
    "lossy": Link(0.2, 0, 0),
    "reordering": Link(0, 0, 20_000),
    "duplicating": Link(0, 0.5, 3000),
    "terrible": Link(0.5, 0.3, 20_000),
}


class World:
    def __init__(self, link: Link, seed: int) -> None:
        self.chance = random.Random(seed)
        self.link = link
        self.gateway = GatewayEndpoint(b"gateway")
        self.boxes: dict[int, BoxEndpoint] = {}
        for node in NODES:
            root_key = node.to_bytes(4, "big") * 8
            self.boxes[node] = BoxEndpoint(node, root_key, {}, node.to_bytes(4, "big"), {})
            self.gateway.add_box(node, root_key)
        self.now_ms = 0
        self.air: list[tuple[int, int, bytes]] = []
        self.stored: dict[tuple[int, int], tuple[str, Any]] = {}
        self.stages: dict[tuple[int, int], int] = {}
        self.readings: dict[int, Any] = {}
        self.replies: list[tuple[int, str]] = []
        self.payloads = 0

    def put(self, sender: int, payload: bytes) -> None:
        self.payloads += 1
        for _ in range(2 if self.chance.random() < self.link.twice else 1):
            if self.chance.random() >= self.link.loss:
                delay_ms = 200 + (self.chance.randrange(self.link.delay_ms) if self.link.delay_ms else 0)
                self.air.append((self.now_ms + delay_ms, sender, payload))

    def drive(self, endpoint: Any, sender: int) -> None:
        for action in endpoint.poll(self.now_ms):
            if isinstance(action, events.Persist):
                endpoint.persisted(action.name, action.value)
            else:
                self.put(sender, action.payload)

    def run(self, until_ms: int) -> None:
        while self.now_ms < until_ms:
            for node, box in self.boxes.items():
                self.drive(box, node)
            self.drive(self.gateway, 0)
            due = [due_ms for due_ms, _, _ in self.air]
            for endpoint in (*self.boxes.values(), self.gateway):
                wake_ms = endpoint.next_wakeup_ms(self.now_ms)
                if wake_ms is not None:
                    due.append(wake_ms)
            self.now_ms = max(self.now_ms + 1, min([until_ms, *due]))
            arrived = [entry for entry in self.air if entry[0] <= self.now_ms]
            self.air = [entry for entry in self.air if entry[0] > self.now_ms]
            for _, sender, payload in sorted(arrived, key=lambda entry: entry[0]):
                self.deliver(sender, payload)

    def deliver(self, sender: int, payload: bytes) -> None:
        if sender:
            found = self.gateway.receive(sender, payload, self.now_ms)
            if isinstance(found, Received):
                self.store(found)
            return
        for node, box in self.boxes.items():
            for event in box.receive(payload, self.now_ms):
                if isinstance(event, events.StageChanged):
                    key = (node, event.counter)
                    self.stages[key] = max(event.stage, self.stages.get(key, 0))
                elif isinstance(event, events.ReadingsAcknowledged):
                    self.readings[node] = event
                elif isinstance(event, events.ReplyReceived):
                    self.replies.append((node, event.message["code"]))

    def store(self, found: Received) -> None:
        key = (found.node_num, found.counter)
        if key in self.stored:
            assert self.stored[key] == (found.kind, found.message), "one number, one message"
        else:
            assert not found.duplicate_hint
            self.stored[key] = (found.kind, found.message)
        self.gateway.acknowledge(found.node_num, found.counter, 2, self.now_ms)


@pytest.mark.parametrize("name", LINKS)
@pytest.mark.parametrize("seed", [1, 2])
def test_calls_arrive_once_and_the_boxes_learn_it(name: str, seed: int) -> None:
    world = World(LINKS[name], seed)
    world.run(10)
    sent = {}
    for node, box in world.boxes.items():
        for number in range(4):
            text = "".join(world.chance.choice("abcdefghij ÄÖÜ0123456789") for _ in range((5, 60, 200, 400)[number]))
            call = {"category": 1 + number, "text": text, "people": number, "code": f"{number:08}", "action": 0}
            counter = box.send("exercise" if number == 1 else "emergency", call, world.now_ms)
            sent[(node, counter)] = ("exercise" if number == 1 else "emergency", call)
    world.run(6 * HOUR_MS)
    assert world.stored == sent
    assert world.stages == dict.fromkeys(sent, 2)
    assert all(not box.custody.messages for box in world.boxes.values())
    assert all(box.next_wakeup_ms(world.now_ms) is None for box in world.boxes.values())
    if name == "good":
        assert world.payloads <= 60


@pytest.mark.parametrize("name", LINKS)
def test_readings_that_were_not_heard_are_sent_again_until_none_is_missing(name: str) -> None:
    """The box's outbox is a dict here: it drops what is held and sends again what is named as missing."""
    world = World(LINKS[name], 3)
    world.run(10)
    outbox: dict[int, dict[int, tuple[int, Any]]] = {node: {} for node in NODES}
    for hour in range(12):
        for node, box in world.boxes.items():
            if hour < 8:
                message = {"sequence": hour + 1, "samples": [{"battery_mv": 3900 + hour}]}
                outbox[node][hour + 1] = (box.send("reading", message, world.now_ms), message)
            held = world.readings.get(node)
            if held:
                for sequence in [known for known in outbox[node] if known <= held.upto]:
                    if sequence not in held.gaps:
                        del outbox[node][sequence]
            for counter, message in list(outbox[node].values()) if hour > 7 else []:
                box.send("reading", message, world.now_ms, counter)
        world.run(world.now_ms + HOUR_MS)
    for _ in range(40):
        for node, box in world.boxes.items():
            held = world.readings.get(node)
            for sequence in list(outbox[node]):
                if held and sequence <= held.upto and sequence not in held.gaps:
                    del outbox[node][sequence]
            for counter, message in outbox[node].values():
                box.send("reading", message, world.now_ms, counter)
        world.run(world.now_ms + HOUR_MS)
    assert all(not waiting for waiting in outbox.values())
    for node in NODES:
        stored = {message["sequence"] for (one, _), (_, message) in world.stored.items() if one == node}
        assert stored == set(range(1, 9))


def test_a_gateway_down_for_six_hours_costs_no_reading_and_holds_up_no_call() -> None:
    """A reading every quarter of an hour; what nobody acknowledged for half an hour is sent again, the oldest first,
    one in five minutes. The gateway that comes back knows only what its store held."""
    world = World(LINKS["lossy"], 5)
    world.run(10)
    node, box = next(iter(world.boxes.items()))
    minute_ms = HOUR_MS // 60
    waiting: dict[int, tuple[int, Any, int]] = {}
    call = None
    sent_again = 0
    down = False
    for five in range(16 * 12):
        if five == 2 * 12:
            down = True
            world.link = Link(1, 0, 0)
        if five == 5 * 12:
            call = box.send("emergency", {"category": 1, "text": "Hilfe"}, world.now_ms)
        if five == 8 * 12:
            down = False
            world.link = LINKS["lossy"]
            kept = [message["sequence"] for (one, _), (kind, message) in world.stored.items() if kind == "reading"]
            highest = max(counter for one, counter in world.stored if one == node)
            world.gateway = GatewayEndpoint(b"again")
            for other in NODES:
                world.gateway.add_box(other, other.to_bytes(4, "big") * 8)
            world.gateway.add_box(node, node.to_bytes(4, "big") * 8, highest, kept)
        if five % 3 == 0 and five < 12 * 12:
            message = {"sequence": 1 + five // 3, "samples": [{"battery_mv": 3_800 + five}]}
            waiting[1 + five // 3] = (box.send("reading", message, world.now_ms), message, world.now_ms)
        held = world.readings.get(node)
        if held:
            waiting = {number: one for number, one in waiting.items() if number not in held.held}
        late = [number for number, one in waiting.items() if world.now_ms - one[2] >= 30 * minute_ms]
        if late:
            counter, message, _ = waiting[late[0]]
            waiting[late[0]] = (box.send("reading", message, world.now_ms, counter), message, world.now_ms)
            sent_again += 1
        world.run(world.now_ms + 5 * minute_ms)
        if down and five > 2 * 12:
            assert len(world.stored) <= 2 * 4 + 1
    numbers = sorted(message["sequence"] for _, (kind, message) in world.stored.items() if kind == "reading")
    assert numbers == list(range(1, 49)), "each once, none missing"
    assert not waiting
    assert world.stages[(node, call)] == 2
    assert sent_again < 48 * 5


@pytest.mark.parametrize("name", LINKS)
def test_answers_reach_the_box_and_are_confirmed(name: str) -> None:
    world = World(LINKS[name], 4)
    world.run(10)
    jobs = {}
    for node in NODES:
        for number in range(3):
            message = {"code": f"{node & 15}{number}", "text": "x" * (10, 300, 480)[number]}
            jobs[world.gateway.reply(node, message, world.now_ms)] = (node, message["code"])
    world.run(12 * HOUR_MS)
    assert sorted(set(world.replies)) == sorted(jobs.values())
    if name != "terrible":
        assert len(world.replies) == len(jobs)
        assert all(world.gateway.jobs[job].boxes == {node: "confirmed"} for job, (node, _) in jobs.items())
    assert world.gateway.next_wakeup_ms(world.now_ms) is None


def test_calls_follow_a_gateway_that_was_away_for_an_hour_within_minutes() -> None:
    """The time that it broadcasts at its start is the sign; without it a box repeats every quarter of an hour."""
    signing_key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    waited_ms = {}
    for told in (True, False):
        world = World(Link(0, 0, 0), 7)
        for box in world.boxes.values():
            box.inbox.trust(1, signing_key.public_key().public_bytes_raw())
        world.run(1)
        world.link = Link(1, 0, 0)
        for step in range(5):
            world.run(1 + step * 60_000)
            for box in world.boxes.values():
                box.send("emergency", {"category": 1, "people": step}, world.now_ms)
        world.run(HOUR_MS)
        assert not world.stored
        world.link = Link(0, 0, 0)
        world.gateway = GatewayEndpoint(b"back", signing_key.sign)
        for node in NODES:
            world.gateway.add_box(node, node.to_bytes(4, "big") * 8)
        if told:
            world.gateway.broadcast("time", {"time_s": 1_767_440_000, "quality": 2}, world.now_ms)
        sent_before = world.payloads
        while len(world.stored) < 5 * len(NODES):
            world.run(world.now_ms + 1000)
            assert world.now_ms < 2 * HOUR_MS
        waited_ms[told] = world.now_ms - HOUR_MS
        # Each call once, each receipt once, one time; what collides on a real air is repeated as always.
        assert world.payloads - sent_before <= 2 * 5 * len(NODES) + 1
        assert not any(box.custody.messages for box in world.boxes.values()) or not told
    assert waited_ms[True] <= 62_000
    assert waited_ms[False] > 5 * waited_ms[True]
