# SPDX-License-Identifier: Apache-2.0
"""A whole box: frames in and out, Meshtastic below and Kiezbox above, against a gateway behind a mesh node."""

import gc

from kiezbox.protocol import events
from kiezbox.protocol.airtime import PRESETS
from kiezbox.protocol.box_node import BoxNode
from kiezbox.protocol.channel import Channel
from kiezbox.protocol.gateway_endpoint import GatewayEndpoint
from kiezbox.protocol.mesh import Drop, MeshNode, PacketReceived, Transmit
from kiezbox.protocol.packet import Data

CHANNEL = Channel("Kiezbox", bytes(range(32)))
PRESET = PRESETS["MEDIUM_FAST"]
ROOT = b"\x11" * 32
NODE = 0x4B420001
GATEWAY = 0x4B42FFFF
CALL = {"category": 2, "text": "Es brennt im Keller", "people": 3, "action": 0}


class Air:
    """Box, gateway's radio and gateway on one clock; a frame that one sends the other hears at its end."""

    def __init__(self, saved: dict) -> None:
        self.flash = saved
        self.box = BoxNode(
            NODE, ROOT, CHANNEL, PRESET, {}, b"box", dict(saved), long_name="Kiezbox 1", short_name="KB1"
        )
        self.radio = MeshNode(GATEWAY, [CHANNEL], PRESET, entropy=b"radio")
        self.gateway = GatewayEndpoint(b"gateway")
        self.gateway.add_box(NODE, ROOT)
        self.now_ms = 1000
        self.events = []
        self.received = []
        self.names = []
        self.telemetry = []
        self.deaf = False
        self.frames = 0

    def run(self, until_ms: int) -> None:
        while self.now_ms < until_ms:
            self._box()
            self._gateway()
            wake_ms = [until_ms]
            for node in (self.box, self.radio, self.gateway):
                wake = node.next_wakeup_ms(self.now_ms)
                if wake is not None:
                    wake_ms.append(wake)
            self.now_ms = max(self.now_ms + 1, min(wake_ms))

    def _box(self) -> None:
        for action in self.box.poll(self.now_ms):
            if isinstance(action, events.Persist):
                self.flash[action.name] = action.value
                self.box.persisted(action.name, action.value)
            elif isinstance(action, Transmit):
                self.frames += 1
                self.now_ms += action.time_on_air_us // 1000
                self.box.transmitted(self.now_ms)
                for event in [] if self.deaf else self.radio.receive(action.frame, -80, 6, self.now_ms):
                    if isinstance(event, PacketReceived) and event.data.portnum == 256:
                        found = self.gateway.receive(event.header.from_node, event.data.payload, self.now_ms)
                        self.received.append(found)
                        self.gateway.acknowledge(NODE, found.counter, 2, self.now_ms)
                    elif isinstance(event, PacketReceived) and event.data.portnum == 4:
                        self.names.append(event.data.payload)
                    elif isinstance(event, PacketReceived) and event.data.portnum == 67:
                        self.telemetry.append(event.data.payload)
            else:
                assert isinstance(action, Drop)

    def _gateway(self) -> None:
        for action in self.gateway.poll(self.now_ms):
            if isinstance(action, events.Persist):
                self.gateway.persisted(action.name, action.value)
            else:
                self.radio.send(Data(256, action.payload), 0xFFFFFFFF, action.priority, self.now_ms)
        for action in self.radio.poll(self.now_ms):
            if isinstance(action, Transmit):
                self.now_ms += action.time_on_air_us // 1000
                self.radio.transmitted(self.now_ms)
                self.events += self.box.receive(action.frame, -80, 6, self.now_ms)


def test_call_and_receipt_over_frames() -> None:
    air = Air({})
    air.run(2000)
    counter = air.box.send("emergency", CALL, air.now_ms)
    air.run(9000)
    assert [found.message for found in air.received] == [CALL]
    assert events.StageChanged(counter, 2, 0, "", "") in air.events
    assert air.flash["counter_reserved"] > counter


def test_nodeinfo_names_the_box_once_soon_after_the_start() -> None:
    air = Air({})
    air.run(120_000)
    assert len(air.names) == 1
    assert b"Kiezbox 1" in air.names[0]
    assert b"KB1" in air.names[0]


def test_stock_apps_are_told_what_the_box_measures_and_who_it_is_when_they_ask() -> None:
    air = Air({})
    air.box.measured({"temperature_cc": 2150})
    air.run(4 * 3_600_000)
    told = [payload for payload in air.telemetry if payload[:1] == b"\x1a"]
    assert told
    assert told[0] == b"\x1a\x05\x0d\x00\x00\xac\x41"  # 21.5 degrees as a float
    names = len(air.names)
    air.radio.send(Data(4, b"", want_response=True), NODE, 4, air.now_ms)
    air.run(air.now_ms + 10_000)
    assert len(air.names) == names + 1


def test_call_waits_for_a_gateway_that_comes_hours_later() -> None:
    air = Air({})
    air.run(2000)
    air.deaf = True
    air.box.send("emergency", CALL, air.now_ms)
    air.run(4 * 3_600_000)
    assert air.received == []
    assert 15 <= air.frames <= 40
    air.deaf = False
    air.run(air.now_ms + 1_200_000)
    assert air.received[-1].message == CALL
    assert len(air.received) == 1
    assert [event.stage for event in air.events] == [2]


def test_reboot_never_repeats_a_counter() -> None:
    flash = {}
    seen = set()
    for _ in range(5):
        air = Air(flash)
        air.run(3000)
        for _ in range(3):
            counter = air.box.send("emergency", CALL, air.now_ms)
            assert counter not in seen
            seen.add(counter)
        air.run(9000)
        assert len(air.received) >= 3
        air = None  # Nothing of the old life is left when the next begins.


def test_emergency_does_not_wait_behind_readings() -> None:
    air = Air({})
    air.run(2000)
    for sequence in range(1, 13):
        air.box.send("reading", {"sequence": sequence, "samples": [{"battery_mv": 3900}]}, air.now_ms)
    air._box()
    air.box.send("emergency", CALL, air.now_ms)
    air.run(air.now_ms + 15_000)
    kinds = [found.kind for found in air.received]
    assert "emergency" in kinds[:2]
    assert kinds.count("reading") == 12


def test_many_emergencies_wait_in_custody_and_leave_room_in_the_queue() -> None:
    air = Air({})
    air.run(2000)
    for sequence in range(1, 9):
        air.box.send("reading", {"sequence": sequence, "samples": [{"battery_mv": 3900}]}, air.now_ms)
        air._box()
    wanted = {air.box.send("emergency", CALL, air.now_ms) for _ in range(6)}
    stored: set = set()
    most = 0
    while air.now_ms < 40_000:
        air.run(air.now_ms + 50)
        stored |= newly_stored(air)
        most = max(most, len([item for item in air.box.mesh.queue.items if item.rank == 0]))
    # Four, and one call is one frame: neither the readings before them nor one another keep them from going out.
    assert most == 4
    assert wanted == stored
    assert air.box.counters.get("queue_full", 0) == 0


def test_foreign_frames_are_handed_up_and_rubbish_is_counted() -> None:
    air = Air({})
    air.run(2000)
    other = MeshNode(0x1234, [CHANNEL], PRESET, entropy=b"x")
    other.send(Data(1, b"Hallo"), 0xFFFFFFFF, 4, air.now_ms)
    frame = None
    for later_ms in range(air.now_ms, air.now_ms + 5000, 50):
        for action in other.poll(later_ms):
            if isinstance(action, Transmit):
                frame = action.frame
        if frame:
            break
    [event] = air.box.receive(frame, -100, -3, air.now_ms)
    assert isinstance(event, PacketReceived)
    assert event.data.payload == b"Hallo"
    assert air.box.receive(b"\x00" * 5, -100, -3, air.now_ms) == []
    other.transmitted(air.now_ms)
    other.send(Data(256, b"\x15\x12xx\x01"), 0xFFFFFFFF, 4, air.now_ms + 5000)
    for later_ms in range(air.now_ms + 5000, air.now_ms + 15_000, 50):
        for action in other.poll(later_ms):
            if isinstance(action, Transmit):
                assert air.box.receive(action.frame, -100, -3, later_ms) == []
                other.transmitted(later_ms)
    assert air.box.counters["envelope_truncated"] == 1


def ready_box() -> BoxNode:
    box = BoxNode(NODE, ROOT, CHANNEL, PRESET, {}, b"box", {}, nodeinfo_interval_ms=0, telemetry_interval_ms=0)
    for action in box.poll(0):
        box.persisted(action.name, action.value)
    return box


def test_own_messages_that_a_flood_pushed_out_of_the_queue_hold_up_no_later_one() -> None:
    box = ready_box()
    for index in range(4):
        box.send("reading", {"sequence": 1 + index, "samples": [{"battery_mv": 1}]}, 0)
        for action in box.poll(0):
            if isinstance(action, events.Persist):
                box.persisted(action.name, action.value)
            else:
                box.channel_busy(0)
    sender = MeshNode(2, [CHANNEL], PRESET, entropy=b"sender")
    call = bytes((0x12, 3)) + bytes(40)
    sender_ms = 0
    # More drops than are kept for the next poll, so that most of them are told by the counters only.
    for index in range(40):
        sender.send(Data(256, call + bytes((index,))), 0xFFFFFFFF, 0, sender_ms)
        while True:
            sender_ms += 100
            frames = [action.frame for action in sender.poll(sender_ms) if isinstance(action, Transmit)]
            if frames:
                sender.transmitted(sender_ms)
                box.receive(frames[0], -100, 0, 0)
                break
    assert box.counters["queue_full"] > 16
    now_ms = 100_000
    box.send("reading", {"sequence": 9, "samples": [{"battery_mv": 1}]}, now_ms)
    frames = 0
    while box.mesh.queue.items or frames == 0:
        for action in box.poll(now_ms):
            if isinstance(action, Transmit):
                frames += 1
                box.transmitted(now_ms)
            elif isinstance(action, events.Persist):
                box.persisted(action.name, action.value)
        now_ms += 1_000
        assert now_ms < 1_000_000
    assert box.endpoint.custody.messages == []


def test_a_long_call_does_not_run_out_of_packet_numbers_half_way() -> None:
    box = ready_box()
    sent = 0
    for now_ms in range(0, 10_000_000, 2_000):
        if not box.endpoint.custody.messages:
            box.send("query", {"code": "AAAABBBB"}, now_ms)
        for action in box.poll(now_ms):
            if isinstance(action, Transmit):
                sent += 1
                box.transmitted(now_ms)
            elif isinstance(action, events.Persist) and action.name != "packet_counter":
                box.persisted(action.name, action.value)
    # Flash never held the second block of packet numbers.
    assert 200 < sent < 256
    assert not box.mesh.ready
    assert box.mesh._ids._counter.available() >= 8


def test_what_flash_refused_is_asked_for_again_and_nothing_is_lost() -> None:
    box = BoxNode(NODE, ROOT, CHANNEL, PRESET, {}, b"box", {}, nodeinfo_interval_ms=0, telemetry_interval_ms=0)
    refusals: dict = {}
    frames = 0
    now_ms = 0
    counter = None
    while now_ms < 100_000:
        if counter is None and box.endpoint._counter.available():
            counter = box.send("emergency", CALL, now_ms)
        for action in box.poll(now_ms):
            if isinstance(action, Transmit):
                frames += 1
                box.transmitted(now_ms)
            elif refusals.get(action.name, 0) < 3:
                refusals[action.name] = refusals.get(action.name, 0) + 1
                box.not_persisted(action.name, action.value)
            else:
                box.persisted(action.name, action.value)
        now_ms += 500
    assert refusals == {"counter_reserved": 3, "packet_counter": 3, "duty_reserved_ms": 3}
    assert frames > 1


def test_a_key_that_flash_refused_is_not_in_use_until_it_is_kept() -> None:
    air = Air({})
    air.run(60_000)
    air.gateway.rotate_box(NODE, b"\x22" * 32, air.now_ms)
    wanted = []
    for action in air.gateway.poll(air.now_ms):
        if isinstance(action, events.Send):
            air.box.endpoint.receive(action.payload, air.now_ms)
    for _ in range(3):
        wanted += [action for action in air.box.poll(air.now_ms) if isinstance(action, events.Persist)]
        for action in [one for one in wanted if one.name in ("root_key", "down_counter")]:
            air.box.not_persisted(action.name, action.value)
    assert [action.name for action in wanted].count("root_key") == 3
    assert air.box.endpoint._keys[0].is_of(ROOT)
    air.box.persisted("root_key", "22" * 32)
    assert air.box.endpoint._keys[0].is_of(b"\x22" * 32)


def test_readings_hold_back_before_anything_is_refused() -> None:
    """Strangers' traffic fills the hour: the factor goes up to 8 while every rank may still send, readings too."""
    box = ready_box()
    ledger = box.mesh.ledger
    seen = []
    for minute in range(58):
        now_ms = minute * 60_000
        factor = box.reading_factor(now_ms)
        if not seen or seen[-1] != factor:
            seen.append(factor)
        for rank in range(6):
            # Far below 10 % of an hour, one more LongFast frame of each rank is within its share.
            wanted_ms = 2_200
            refused = wanted_ms > ledger.room_ms(rank, now_ms)
            assert not refused or (rank == 5 and factor == 8), (minute, rank, factor)
        if ledger.room_ms(5, now_ms) < 2_200:
            break
        ledger.spend(4_000, now_ms, 4)
    else:
        raise AssertionError
    assert seen == [1, 2, 4, 8]
    assert ledger.room_ms(4, now_ms) > 20_000
    assert box.reading_factor(now_ms + 3_700_000) == 4


def newly_stored(air: Air) -> set:
    """Calls that the gateway has had since this was asked last; nothing is kept, as box and gateway share a heap."""
    found = {one.counter for one in air.received if one.kind == "emergency"}
    for kept in (air.received, air.events, air.names, air.telemetry):
        kept.clear()
    if found:
        gc.collect()
    return found


def test_of_more_calls_than_there_are_places_each_goes_out_and_none_is_lost() -> None:
    """Nobody hears the box for an hour. Its outbox, a dict here, resumes what was parked as places become free."""
    air = Air({})
    air.run(40_000)
    air.deaf = True
    outbox = {}
    sent = set()
    box = air.box
    send = box._hand_over

    def hand_over(data: Data, rank: int, now_ms: int) -> None:
        if data.portnum == 256 and data.payload[1] == 3:
            sent.add(int.from_bytes(data.payload[2:6], "little"))
        send(data, rank, now_ms)

    box._hand_over = hand_over
    deferred = False
    for number in range(19):
        counter = box.take_counter()
        outbox[counter] = {"category": 2, "code": "%08d" % number, "action": 0}
        gc.collect()  # Two nodes and a gateway in a box's heap: what is left must not lie in pieces.
        box.send("emergency", outbox[counter], air.now_ms, counter, True)
        deferred = box.parked() or deferred
        air.run(air.now_ms + 150_000)
    assert sent == set(outbox)
    assert deferred
    assert len(box.endpoint.custody.messages) == 16
    air.deaf = False
    done: set = set()
    for _ in range(600):
        done |= newly_stored(air)
        for counter in outbox:
            if counter not in done and not box.holds(counter) and len(box.endpoint.custody.messages) < 16:
                box.resume("emergency", outbox[counter], counter, 1, air.now_ms)
        air.run(air.now_ms + 6_000)
    assert done | newly_stored(air) == set(outbox)
    assert box.endpoint.custody.messages == []
