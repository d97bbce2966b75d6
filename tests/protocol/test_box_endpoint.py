# SPDX-License-Identifier: Apache-2.0
"""A box's endpoint against a gateway's: stages, custody, commands, what is refused."""

from kiezbox.protocol import envelope, events, receipt
from kiezbox.protocol.box_endpoint import BoxEndpoint
from kiezbox.protocol.counter import CounterExhausted
from kiezbox.protocol.gateway_endpoint import GatewayEndpoint, Received, Rejected

NODE = 0x4B420005
ROOT = bytes(range(32))
PUBLIC_KEY = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")

CALL = {
    "category": 1,
    "text": "Meine Nachbarin atmet schwer, dritter Stock",
    "place": "Hauptstraße 12",
    "people": 1,
    "language": "de",
    "code": "K7M2QX4P",
    "time_s": 1_767_400_000,
    "clock_quality": 2,
    "action": 0,
}


def flush(endpoint, now_ms: int) -> list:
    """Poll an endpoint, confirm what it wants persisted, and return the payloads it sends."""
    payloads = []
    for _ in range(20):
        actions = endpoint.poll(now_ms)
        for action in actions:
            if isinstance(action, events.Persist):
                endpoint.persisted(action.name, action.value)
            else:
                payloads.append(action.payload)
        if not actions:
            break
    return payloads


def pair() -> tuple:
    box = BoxEndpoint(NODE, ROOT, {1: PUBLIC_KEY}, b"box", {})
    gateway = GatewayEndpoint(b"gateway")
    gateway.add_box(NODE, ROOT)
    flush(box, 0)
    flush(gateway, 0)
    return box, gateway


def test_no_message_before_flash_reserved_counters() -> None:
    box = BoxEndpoint(NODE, ROOT, {}, b"box", {})
    try:
        box.send("emergency", CALL, 0)
    except CounterExhausted:
        pass
    else:
        raise AssertionError
    assert flush(box, 0) == []
    assert box.send("emergency", CALL, 0) == 1


def test_call_reaches_the_gateway_and_the_receipt_comes_back() -> None:
    box, gateway = pair()
    counter = box.send("emergency", CALL, 1000)
    payloads = flush(box, 1000)
    assert len(payloads) == 1
    assert envelope.clear_kind(payloads[0]) == envelope.EMERGENCY
    assert b"Nachbarin" not in payloads[0]
    received = gateway.receive(NODE, payloads[0], 2000)
    assert received == Received(NODE, counter, "emergency", CALL, False)
    assert flush(gateway, 2000) == [], "nothing is acknowledged before it is stored"
    assert gateway.acknowledge(NODE, counter, receipt.GATEWAY, 2100)
    answers = flush(gateway, 2100)
    assert len(answers) == 1
    assert box.receive(answers[0], 3000) == [events.StageChanged(counter, 2, 0, "", "")]
    assert box.next_wakeup_ms(3000) is None
    assert flush(box, 10_000_000) == []


def test_call_is_repeated_until_the_receipt_with_growing_pauses() -> None:
    box, gateway = pair()
    counter = box.send("emergency", CALL, 0)
    times_ms = []
    now_ms = 0
    while now_ms is not None and len(times_ms) < 12:
        payloads = flush(box, now_ms)
        assert len(payloads) == 1
        received = gateway.receive(NODE, payloads[0], now_ms)
        assert received.counter == counter
        assert received.duplicate_hint == bool(times_ms)
        times_ms.append(now_ms)
        now_ms = box.next_wakeup_ms(now_ms)
    for index in range(len(times_ms) - 1):
        pause_ms = times_ms[index + 1] - times_ms[index]
        expected_ms = min(10_000 << index, 900_000)
        assert expected_ms * 3 // 4 <= pause_ms <= expected_ms * 5 // 4
    assert box.cancel(counter)
    assert not box.cancel(counter)
    assert box.next_wakeup_ms(now_ms) is None


def test_receipt_that_was_lost_is_given_again() -> None:
    box, gateway = pair()
    counter = box.send("exercise", CALL, 0)
    gateway.receive(NODE, flush(box, 0)[0], 0)
    gateway.acknowledge(NODE, counter, 2, 0)
    assert len(flush(gateway, 0)) == 1
    again = gateway.receive(NODE, flush(box, 20_000)[0], 20_000)
    assert again.duplicate_hint
    answers = flush(gateway, 20_000)
    assert len(answers) == 1
    assert box.receive(answers[0], 21_000)[0].stage == 2


def test_long_call_travels_in_fragments_and_only_the_lost_one_again() -> None:
    box, gateway = pair()
    text = "".join(chr(33 + (7 * n * n + 3 * n) % 90) for n in range(500))
    call = dict(CALL, text=text)
    counter = box.send("emergency", call, 0)
    payloads = flush(box, 0)
    assert len(payloads) == 3
    assert gateway.receive(NODE, payloads[0], 100).held == 0b001
    assert gateway.receive(NODE, payloads[2], 200).held == 0b101
    assert gateway.receive(NODE, payloads[2], 300).held == 0b101
    due_ms = gateway.next_wakeup_ms(300)
    answers = flush(gateway, due_ms)
    assert len(answers) == 1
    assert box.receive(answers[0], due_ms) == []
    repaired = flush(box, due_ms + 1000)
    assert repaired == [payloads[1]]
    received = gateway.receive(NODE, repaired[0], due_ms + 2000)
    assert received.message == call
    gateway.acknowledge(NODE, counter, 2, due_ms + 2000)
    assert box.receive(flush(gateway, due_ms + 2000)[0], due_ms + 3000)[0].stage == 2


def test_emergency_is_never_taken_for_an_exercise() -> None:
    box, gateway = pair()
    for sent, other in (("emergency", envelope.EXERCISE), ("exercise", envelope.EMERGENCY)):
        box.send(sent, CALL, 0)
        payload = bytearray(flush(box, 0)[0])
        payload[1] = other
        assert gateway.receive(NODE, bytes(payload), 0) == Rejected("false_tag")
        for message in list(box.custody.messages):
            box.cancel(message.counter)


def test_message_of_one_box_does_not_pass_as_another_ones() -> None:
    box, gateway = pair()
    gateway.add_box(NODE + 1, bytes(range(1, 33)))
    gateway.add_box(NODE + 2, ROOT)
    box.send("emergency", CALL, 0)
    payload = flush(box, 0)[0]
    assert gateway.receive(NODE + 1, payload, 0) == Rejected("false_tag")
    assert gateway.receive(NODE + 2, payload, 0) == Rejected("false_tag"), "even where keys were cloned"
    assert gateway.receive(NODE + 3, payload, 0) == Rejected("unknown_box")


def test_revoked_box_is_refused_and_the_others_are_not() -> None:
    box, gateway = pair()
    gateway.add_box(NODE + 1, bytes(32))
    gateway.revoke_box(NODE)
    box.send("emergency", CALL, 0)
    assert gateway.receive(NODE, flush(box, 0)[0], 0) == Rejected("revoked_box")
    other = BoxEndpoint(NODE + 1, bytes(32), {}, b"other", {})
    flush(other, 0)
    other.send("emergency", CALL, 0)
    assert isinstance(gateway.receive(NODE + 1, flush(other, 0)[0], 0), Received)


def test_reply_brings_station_and_text_and_is_confirmed() -> None:
    box, gateway = pair()
    counter = box.send("emergency", CALL, 0)
    gateway.receive(NODE, flush(box, 0)[0], 0)
    message = {
        "code": "K7M2QX4P",
        "refers_to": counter,
        "stage": 5,
        "station": "FF Schöneberg",
        "time_s": 9,
        "text": "Wir kommen.",
    }
    job = gateway.reply(NODE, message, 0)
    payloads = flush(gateway, 0)
    assert b"kommen" not in payloads[0]
    assert box.receive(payloads[0], 10) == [events.StageChanged(counter, 5, 9, "FF Schöneberg", "Wir kommen.")]
    assert gateway.jobs[job].boxes == {NODE: "on air"}
    assert box.cancel(counter) is False, "an answered call is not repeated"
    results = flush(box, 2000)
    assert gateway.receive(NODE, results[0], 2000).kind == "command_result"
    assert gateway.jobs[job].boxes == {NODE: "confirmed"}
    assert flush(gateway, 10_000_000) == []


def test_repeated_command_is_answered_again_and_not_acted_upon() -> None:
    box, gateway = pair()
    job = gateway.reply(NODE, {"code": "AAAABBBB", "text": "?"}, 0)
    payload = flush(gateway, 0)[0]
    assert len(box.receive(payload, 0)) == 1
    assert len(flush(box, 1000)) == 1, "this answer is lost"
    again = flush(gateway, 40_000)
    assert again == [payload]
    assert box.receive(payload, 40_000) == []
    assert box.counters == {"command_repeated": 1}
    results = flush(box, 80_000)
    gateway.receive(NODE, results[0], 80_000)
    assert gateway.jobs[job].boxes == {NODE: "confirmed"}


def test_command_for_another_box_or_changed_on_the_way_does_nothing() -> None:
    box, gateway = pair()
    gateway.add_box(NODE + 1, bytes(32))
    gateway.reply(NODE + 1, {"code": "AAAABBBB"}, 0)
    assert box.receive(flush(gateway, 0)[0], 0) == []
    assert box.counters == {}
    gateway.reply(NODE, {"code": "AAAABBBB"}, 0)
    payload = flush(gateway, 0)[0]
    for position in range(len(payload)):
        changed = bytearray(payload)
        changed[position] ^= 0x10
        assert box.receive(bytes(changed), 0) == []
    assert len(box.receive(payload, 0)) == 1


def test_root_key_is_rotated_over_the_air() -> None:
    box, gateway = pair()
    counter = box.send("emergency", CALL, 0)
    flush(box, 0)
    new_root = bytes(range(100, 132))
    job = gateway.rotate_box(NODE, new_root, 0)
    assert box.receive(flush(gateway, 0)[0], 0) == []
    assert events.Persist("root_key", new_root.hex()) in box._persist
    for payload in flush(box, 20_000):
        assert isinstance(gateway.receive(NODE, payload, 20_000), Received)
    assert gateway.jobs[job].boxes == {NODE: "confirmed"}
    gateway.acknowledge(NODE, counter, 2, 21_000)
    assert box.receive(flush(gateway, 21_000)[0], 22_000)[0].stage == 2
    old = BoxEndpoint(NODE, ROOT, {}, b"thief", {"counter_reserved": 500})
    flush(old, 0)
    old.send("emergency", CALL, 0)
    assert gateway.receive(NODE, flush(old, 0)[0], 30_000) == Rejected("false_tag")


def test_readings_are_acknowledged_together_with_their_gaps() -> None:
    box, gateway = pair()
    for sequence in range(1, 11):
        counter = box.send("reading", {"sequence": sequence, "samples": [{"temperature_cc": 2000}]}, sequence * 1000)
        payload = flush(box, sequence * 1000)[0]
        if sequence in (4, 7):
            continue
        gateway.receive(NODE, payload, sequence * 1000)
        assert gateway.acknowledge(NODE, counter, 2, sequence * 1000)
    assert flush(gateway, 200_000) == []
    answers = flush(gateway, gateway.next_wakeup_ms(200_000))
    assert len(answers) == 1
    [acknowledged] = box.receive(answers[0], 400_000)
    assert acknowledged.upto == 10
    assert list(acknowledged.gaps) == [4, 7]
    assert [s for s in range(1, 12) if s in acknowledged.gaps] == [4, 7, 11]
    assert [s for s in range(1, 12) if s in acknowledged.held] == [1, 2, 3, 5, 6, 8, 9, 10]


def test_one_frame_acknowledges_calls_of_twelve_boxes() -> None:
    gateway = GatewayEndpoint(b"gateway")
    boxes = []
    for index in range(12):
        root = bytes([index]) * 32
        box = BoxEndpoint(NODE + index, root, {}, bytes([index]), {})
        gateway.add_box(NODE + index, root)
        flush(box, 0)
        counter = box.send("emergency", CALL, 0)
        gateway.receive(NODE + index, flush(box, 0)[0], 0)
        gateway.acknowledge(NODE + index, counter, 2, 0)
        boxes.append((box, counter))
    answers = flush(gateway, 0)
    assert len(answers) == 1
    for box, counter in boxes:
        assert box.receive(answers[0], 1) == [events.StageChanged(counter, 2, 0, "", "")]


def test_rotated_key_is_in_force_after_a_reboot() -> None:
    new_root = bytes(range(100, 132))
    gateway = GatewayEndpoint(b"gateway")
    gateway.add_box(NODE, new_root)
    box = BoxEndpoint(NODE, ROOT, {}, b"box", {"root_key": new_root.hex()})
    flush(box, 0)
    box.send("query", {"code": "AAAABBBB"}, 0)
    assert isinstance(gateway.receive(NODE, flush(box, 0)[0], 0), Received)


def test_configuration_goes_to_the_owner_and_keys_do_not() -> None:
    box, gateway = pair()
    job = gateway.command(NODE, "configuration", {"hop_limit": 4, "key_id": 2, "public_key": PUBLIC_KEY}, 0)
    [received] = box.receive(flush(gateway, 0)[0], 0)
    assert received.message == {"hop_limit": 4}
    assert events.Persist("public_key_2", PUBLIC_KEY.hex()) in box._persist
    box.conclude(received.counter, 2, "hop_limit", 10)
    gateway.receive(NODE, flush(box, 5000)[0], 5000)
    assert gateway.jobs[job].boxes == {NODE: "refused"}
    assert gateway.jobs[job].details == {NODE: "hop_limit"}


def test_keys_of_a_wrong_length_are_refused_and_named() -> None:
    for message, name in (
        ({"root_key": bytes(31)}, "root_key"),
        ({"key_id": 2, "public_key": b"x"}, "public_key"),
        ({"public_key": bytes(32)}, "public_key"),
        ({"key_id": 256, "public_key": bytes(32)}, "public_key"),
    ):
        box, gateway = pair()
        job = gateway.command(NODE, "configuration", message, 0)
        assert box.receive(flush(gateway, 0)[0], 0) == []
        gateway.receive(NODE, flush(box, 5000)[0], 5000)
        assert gateway.jobs[job].details == {NODE: name}


def test_revoked_district_key_stays_revoked_over_a_reboot() -> None:
    box, gateway = pair()
    gateway.command(NODE, "configuration", {"revoked_key_id": 1}, 0)
    assert box.receive(flush(gateway, 0)[0], 0) == []
    [persist] = [action for action in box._persist if action.name == "public_key_1"]
    again = BoxEndpoint(NODE, ROOT, {1: PUBLIC_KEY}, b"box", {persist.name: persist.value})
    broadcast = bytes((0x15, 18, 1, 5, 0, 0, 0, 0)) + bytes(70)
    for endpoint in (box, again):
        assert endpoint.receive(broadcast, 0) == []
        assert endpoint.counters == {"unknown_key": 1}


def test_a_stored_reading_keeps_its_number_when_it_comes_under_another() -> None:
    box, gateway = pair()
    reading = {"sequence": 7, "samples": [{"battery_mv": 3900}]}
    first = box.send("reading", reading, 0)
    gateway.receive(NODE, flush(box, 0)[0], 0)
    again = box.send("reading", reading, 0)
    assert gateway.receive(NODE, flush(box, 0)[0], 0).counter == again, "not stored yet: nothing is known of it"
    gateway.acknowledge(NODE, first, 2, 0)
    box.send("reading", reading, 0)
    assert gateway.receive(NODE, flush(box, 0)[0], 0) == Received(NODE, first, "reading", reading, True)
    restarted = GatewayEndpoint(b"gateway")
    restarted.add_box(NODE, ROOT, 3, readings=[7])
    box.send("reading", reading, 0)
    assert restarted.receive(NODE, flush(box, 0)[0], 0) == Rejected("reading_held")
    assert len(flush(restarted, 300_000)) == 1, "and the box is told"


def test_results_that_find_no_room_are_counted_and_asked_for_again() -> None:
    box, gateway = pair()
    for _ in range(16):
        box.send("emergency", CALL, 0)
    job = gateway.reply(NODE, {"code": "AAAABBBB"}, 0)
    assert len(box.receive(flush(gateway, 0)[0], 0)) == 1
    flush(box, 2000)
    assert box.counters["result_not_sent"] == 1
    for message in list(box.custody.messages):
        box.cancel(message.counter)
    assert box.receive(flush(gateway, 40_000)[0], 40_000) == []
    gateway.receive(NODE, flush(box, 80_000)[0], 80_000)
    assert gateway.jobs[job].boxes == {NODE: "confirmed"}


def test_the_root_key_that_is_in_use_is_not_rotated_to_again() -> None:
    box, gateway = pair()
    job = gateway.rotate_box(NODE, ROOT, 0)
    assert box.receive(flush(gateway, 0)[0], 0) == []
    assert "root_key" not in [action.name for action in box._persist]
    gateway.receive(NODE, flush(box, 5000)[0], 5000)
    assert gateway.jobs[job].boxes == {NODE: "confirmed"}
    assert len(box._keys) == 1


def numbered_gateway(number: int) -> GatewayEndpoint:
    gateway = GatewayEndpoint(b"gateway", number=number)
    gateway.add_box(NODE, ROOT)
    flush(gateway, 0)
    return gateway


def test_a_box_takes_commands_of_two_gateways_and_repeats_neither_s_after_a_restart() -> None:
    saved: dict = {}
    first, second = numbered_gateway(0), numbered_gateway(3)
    payloads = []
    for gateway, code in ((first, "A"), (second, "B")):
        gateway.reply(NODE, {"code": code}, 0)
        payloads += flush(gateway, 0)
    box = BoxEndpoint(NODE, ROOT, {}, b"box", saved)
    for payload, code in zip(payloads, "AB"):
        [event] = box.receive(payload, 0)
        assert event.message == {"code": code}
        assert box.receive(payload, 0) == []
    for action in box.poll(0):
        if isinstance(action, events.Persist):
            saved[action.name] = action.value
    restarted = BoxEndpoint(NODE, ROOT, {}, b"box", saved)
    for payload in payloads:
        assert restarted.receive(payload, 0) == []
    assert restarted.counters == {"command_repeated": 2}
    second.reply(NODE, {"code": "C"}, 0)
    [payload] = flush(second, 0)
    assert len(restarted.receive(payload, 0)) == 1


def test_calls_follow_a_gateway_that_is_heard_again_after_a_silence() -> None:
    box, gateway = pair()
    now_ms = 0
    counters = [box.send("emergency", dict(CALL, people=people), now_ms) for people in range(4)]
    while now_ms < 3_600_000:
        flush(box, now_ms)
        now_ms = box.next_wakeup_ms(now_ms)
    assert min(one.due_ms for one in box.custody.messages) == now_ms
    for one in box.custody.messages:
        one.due_ms = now_ms + 800_000
    gateway.reply(NODE, {"code": "A"}, now_ms)
    [payload] = flush(gateway, now_ms)
    # What nobody has proven, or was heard before, is no sign of a gateway.
    assert box.receive(payload[:-1] + bytes((payload[-1] ^ 1,)), now_ms) == []
    assert box.next_wakeup_ms(now_ms) == now_ms + 800_000
    assert len(box.receive(payload, now_ms)) == 1
    due = [one.due_ms - now_ms for one in box.custody.messages if one.counter in counters]
    assert len(due) == len(set(due)) == 4
    assert all(0 <= each < 60_000 for each in due)
    # A gateway that goes on talking brings nothing forward.
    for one in box.custody.messages:
        one.due_ms = now_ms + 800_000
    gateway.reply(NODE, {"code": "B"}, now_ms + 500_000)
    for payload in flush(gateway, now_ms + 500_000):
        box.receive(payload, now_ms + 500_000)
    assert min(one.due_ms for one in box.custody.messages if one.counter in counters) == now_ms + 800_000
