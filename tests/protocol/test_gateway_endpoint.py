# SPDX-License-Identifier: Apache-2.0
"""The gateway's endpoint by itself: jobs and their states, what is refused, what is asked for when."""

from kiezbox.protocol import downlink, downlink_job, envelope, events
from kiezbox.protocol.box_keys import BoxKeys
from kiezbox.protocol.gateway_endpoint import OTHERS_SPREAD_MS, GatewayEndpoint, Progress, Received, Rejected
from kiezbox.protocol.messages import MessageError, encode
from kiezbox.protocol.replay import GATEWAY_SHIFT

NODE = 0x4B420001
KEYS = BoxKeys(bytes(32))


def gateway(sign=None) -> GatewayEndpoint:
    endpoint = GatewayEndpoint(b"gateway", sign)
    endpoint.add_box(NODE, bytes(32))
    for action in endpoint.poll(0):
        endpoint.persisted(action.name, action.value)
    return endpoint


def sent(endpoint: GatewayEndpoint, now_ms: int) -> list:
    return [action for action in endpoint.poll(now_ms) if isinstance(action, events.Send)]


def reading(counter: int, sequence: int = 1) -> bytes:
    body = encode(envelope.READING, {"sequence": sequence, "samples": [{"battery_mv": 1}]})
    return envelope.encode_uplink(KEYS, NODE, envelope.READING, counter, 0, 1, body)


def test_nothing_goes_down_before_counters_are_reserved() -> None:
    endpoint = GatewayEndpoint(b"gateway")
    endpoint.add_box(NODE, bytes(32))
    endpoint.reply(NODE, {"code": "A"}, 0)
    [persist] = endpoint.poll(0)
    assert persist.name == "down_counter_reserved"
    assert sent(endpoint, 1) == []
    endpoint.persisted(persist.name, persist.value)
    assert len(sent(endpoint, 2)) == 1


def test_a_job_that_nobody_answers_is_repeated_with_new_counters_and_expires() -> None:
    endpoint = gateway()
    job = endpoint.reply(NODE, {"code": "A"}, 0)
    assert endpoint.jobs[job].boxes == {NODE: downlink_job.QUEUED}
    counters = []
    now_ms = 0
    while now_ms is not None:
        for action in endpoint.poll(now_ms):
            if isinstance(action, events.Persist):
                endpoint.persisted(action.name, action.value)
            else:
                assert action.job == job
                counters.append(int.from_bytes(action.payload[6:10], "little"))
        now_ms = endpoint.next_wakeup_ms(now_ms)
        if endpoint.jobs[job].attempt == 1:
            assert endpoint.jobs[job].boxes == {NODE: downlink_job.ON_AIR}
    assert counters == [1] * 4 + [2] * 4 + [3] * 4
    endpoint.poll(10**9)
    assert endpoint.jobs[job].boxes == {NODE: downlink_job.EXPIRED}
    assert endpoint.jobs[job].state() == downlink_job.EXPIRED


def test_jobs_that_may_not_go_yet_keep_their_attempts_and_their_turn() -> None:
    endpoint = gateway()
    jobs = [endpoint.reply(NODE, {"code": str(number)}, number) for number in range(3)]
    assert endpoint.poll(10, 0) == []
    assert [endpoint.jobs[job].attempt for job in jobs] == [0, 0, 0]
    order = [action.job for now_ms in range(10, 14) for action in endpoint.poll(now_ms, 1)]
    assert order == jobs


def test_a_cancelled_job_is_not_sent_again() -> None:
    endpoint = gateway()
    job = endpoint.reply(NODE, {"code": "A"}, 0)
    sent(endpoint, 0)
    endpoint.cancel_job(job)
    assert endpoint.next_wakeup_ms(1) is None
    assert sent(endpoint, 10**9) == []


def test_a_revoked_box_gets_nothing_and_holds_up_nobody() -> None:
    endpoint = gateway(sign=lambda message: bytes(64))
    endpoint.add_box(NODE + 1, bytes(32))
    job = endpoint.broadcast("mode", {"mode": 2, "epoch": 1, "scope": 0}, 0)
    reply = endpoint.reply(NODE, {"code": "A"}, 0)
    endpoint.revoke_box(NODE)
    assert endpoint.jobs[job].boxes == {NODE + 1: downlink_job.QUEUED}
    assert not endpoint.jobs[reply].open()
    assert endpoint.receive(NODE, reading(1), 0) == Rejected("revoked_box")
    assert not endpoint.acknowledge(NODE, 1, 2, 0)
    endpoint.add_box(NODE, bytes(32))
    assert isinstance(endpoint.receive(NODE, reading(1), 0), Received)


def test_once_most_boxes_have_answered_a_mode_the_others_are_asked_one_by_one() -> None:
    endpoint = gateway(sign=lambda message: bytes(64))
    for number in range(1, 20):
        endpoint.add_box(NODE + number, bytes(32))
    job = endpoint.broadcast("mode", {"mode": 2, "epoch": 1, "scope": 0}, 0)
    schemes: list[list[int]] = []
    asked: set[int] = set()
    now_ms: int | None = 0
    while now_ms is not None and len(schemes) < 7:
        payloads = [action.payload for action in sent(endpoint, now_ms)]
        schemes.append([payload[0] & 15 for payload in payloads])
        for payload in payloads:
            box = envelope.Envelope(payload).box
            if payload[0] & 15 == envelope.DOWNLINK:
                asked.add(box - NODE)
        if len(schemes) == downlink_job.TO_ALL + 1:
            for node_num in range(NODE, NODE + 14):
                endpoint._downlink.note_result(
                    node_num, {"refers_to": endpoint.jobs[job].counters[0], "result": 1}, now_ms
                )
        now_ms = endpoint.next_wakeup_ms(now_ms)
    # As long as fewer than half have answered, everybody is asked, and under the same counter.
    assert schemes[: downlink_job.TO_ALL + 1] == [[envelope.BROADCAST]] * (downlink_job.TO_ALL + 1)
    assert schemes[downlink_job.TO_ALL + 1 :] == [[envelope.DOWNLINK] * downlink.ASKED_AT_ONCE] * 3
    assert asked == set(range(14, 20))
    for counter in endpoint.jobs[job].counters[1:]:
        for node_num in range(NODE + 14, NODE + 20):
            endpoint._downlink.note_result(node_num, {"refers_to": counter, "result": 1}, 0)
    assert endpoint.jobs[job].state() == downlink_job.CONFIRMED


def test_mode_for_one_box_waits_for_that_box_only() -> None:
    endpoint = gateway(sign=lambda message: bytes(64))
    endpoint.add_box(NODE + 1, bytes(32))
    job = endpoint.broadcast("mode", {"mode": 2, "epoch": 1, "scope": 2, "box": NODE + 1}, 0)
    assert endpoint.jobs[job].boxes == {NODE + 1: downlink_job.QUEUED}


def test_bulletins_are_repeated_and_times_are_not() -> None:
    endpoint = gateway(sign=lambda message: bytes(64))
    bulletin = endpoint.broadcast("bulletin", {"identifier": "x", "text": "Achtung"}, 0)
    time = endpoint.broadcast("time", {"time_s": 1, "quality": 2}, 0)
    attempts = {bulletin: 0, time: 0}
    now_ms = 0
    while now_ms is not None:
        for action in sent(endpoint, now_ms):
            attempts[action.job] += 1
        now_ms = endpoint.next_wakeup_ms(now_ms)
    assert attempts == {bulletin: downlink.BROADCAST_ATTEMPTS, time: 1}


def test_a_time_that_had_to_wait_is_not_sent() -> None:
    endpoint = GatewayEndpoint(b"gateway", lambda message: bytes(64))
    endpoint.add_box(NODE, bytes(32))
    late = endpoint.broadcast("time", {"time_s": 1, "quality": 2}, 0)
    [persist] = endpoint.poll(0)
    now_ms = downlink_job.TIME_LATE_MS + 1
    endpoint.persisted(persist.name, persist.value)
    assert sent(endpoint, now_ms) == []
    assert endpoint.jobs[late].state() == downlink_job.EXPIRED
    in_time = endpoint.broadcast("time", {"time_s": 7, "quality": 2}, now_ms)
    [action] = sent(endpoint, now_ms + downlink_job.TIME_LATE_MS)
    assert action.job == in_time


def test_errors_change_nothing() -> None:
    endpoint = gateway()
    for call in (
        lambda: endpoint.broadcast("mode", {"mode": 1, "epoch": 1}, 0),
        lambda: endpoint.reply(NODE + 9, {"code": "A"}, 0),
        lambda: endpoint.reply(NODE, {"code": "A", "nonsense": 1}, 0),
        lambda: endpoint.command(NODE, "reading", {}, 0),
        lambda: endpoint.command(NODE, "receipt", {}, 0),
        lambda: endpoint.add_box(NODE, bytes(31)),
    ):
        try:
            call()
        except (ValueError, KeyError, MessageError):
            continue
        raise AssertionError
    assert endpoint.jobs == {}
    assert endpoint.next_wakeup_ms(0) is None


def test_counters_far_below_the_highest_are_refused() -> None:
    endpoint = gateway()
    assert isinstance(endpoint.receive(NODE, reading(5000), 0), Received)
    assert isinstance(endpoint.receive(NODE, reading(5000 - 4095, 2), 0), Received)
    assert endpoint.receive(NODE, reading(5000 - 4096, 3), 0) == Rejected("counter_too_old")
    restarted = GatewayEndpoint(b"gateway")
    restarted.add_box(NODE, bytes(32), highest_counter=5000)
    assert restarted.receive(NODE, reading(900), 0) == Rejected("counter_too_old")
    assert not restarted.receive(NODE, reading(4999), 0).duplicate_hint, "after a restart the store decides"


def test_proven_rubbish_is_refused_and_named() -> None:
    endpoint = gateway()
    payload = envelope.encode_uplink(KEYS, NODE, envelope.READING, 1, 0, 1, b"\x08")
    assert endpoint.receive(NODE, payload, 0) == Rejected("protobuf_truncated")
    first = envelope.encode_uplink(KEYS, NODE, envelope.READING, 2, 0, 2, b"x")
    other = envelope.encode_uplink(KEYS, NODE, envelope.READING, 2, 1, 3, b"x")
    assert endpoint.receive(NODE, first, 0) == Progress(NODE, 2, "reading", 1, 2)
    assert endpoint.receive(NODE, other, 0) == Rejected("fragment_mismatch")
    assert endpoint.receive(NODE, b"\x13\x10", 0) == Rejected("not_an_uplink")
    assert endpoint.counters == {"protobuf_truncated": 1, "fragment_mismatch": 1, "not_an_uplink": 1}


def test_a_box_that_names_absurd_numbers_costs_nothing() -> None:
    endpoint = gateway()
    for counter, sequence in ((1, 1), (2, 0xFFFFFFFF), (3, 0xFFFFFFFE), (4, 7)):
        found = endpoint.receive(NODE, reading(counter, sequence), 0)
        assert isinstance(found, Received)
        assert endpoint.acknowledge(NODE, counter, 2, 0)
    box = endpoint._boxes[NODE]
    assert box.upto == 0xFFFFFFFF
    assert box.holds_reading(0xFFFFFFFE)
    assert not box.holds_reading(0xFFFFFFFD)
    assert box._held < 1 << 250


def test_each_key_that_a_box_may_have_taken_over_is_accepted() -> None:
    """Two rotations, and the box has heard the first: it is not locked out."""
    endpoint = gateway()
    newer = [bytes((n,)) * 32 for n in range(1, 7)]
    endpoint.rotate_box(NODE, newer[0], 0)
    endpoint.rotate_box(NODE, newer[1], 0)
    endpoint.rotate_box(NODE, newer[1], 0)
    assert len(endpoint._boxes[NODE].keys) == 3
    body = encode(envelope.QUERY, {"code": "A"})
    sealed = envelope.seal(BoxKeys(newer[0]), NODE, envelope.QUERY, 1, body)
    payload = envelope.encode_uplink(BoxKeys(newer[0]), NODE, envelope.QUERY, 1, 0, 1, sealed)
    assert isinstance(endpoint.receive(NODE, payload, 0), Received)
    assert len(endpoint._boxes[NODE].keys) == 2, "the old one is gone, the newer one may still come"
    for key in newer:
        endpoint.rotate_box(NODE, key, 0)
    assert len(endpoint._boxes[NODE].keys) == 5
    try:
        endpoint.rotate_box(NODE, b"short", 0)
    except ValueError:
        return
    raise AssertionError


def test_a_reply_is_never_broadcast() -> None:
    endpoint = gateway(lambda message: bytes(64))
    try:
        endpoint.broadcast("reply", {"code": "A", "refers_to": 1, "stage": 2}, 0)
    except MessageError as error:
        assert error.reason == "kind_not_for_scheme"
        return
    raise AssertionError


def test_what_eight_fragments_cannot_hold_is_refused_at_once() -> None:
    """A box would refuse the ninth, so the job could never end well."""
    endpoint = gateway(lambda message: bytes(64))
    wide = "\u3042"
    for call, fits, too_long in (
        (lambda message: endpoint.command(NODE, "bulletin", message, 0), 1696, 1697),
        (lambda message: endpoint.broadcast("bulletin", message, 0), 1664, 1665),
    ):
        message = {"headline": wide * 166, "text": wide * 166, "instruction": wide * 166, "identifier": "x" * 64}
        message["source"] = "y" * (fits - len(encode(envelope.BULLETIN, message)) - 2)
        if len(message["source"]) > 64:
            message["area"] = message["source"][66:]
            message["source"] = "y" * 64
        assert len(encode(envelope.BULLETIN, message)) == fits
        job = call(message)
        assert endpoint.jobs[job].open()
        message["identifier"] = "x" * 63
        message["language"] = ""
        assert len(encode(envelope.BULLETIN, message)) == too_long
        try:
            call(message)
        except MessageError as error:
            assert error.reason == "message_too_long"
        else:
            raise AssertionError
    for action in sent(endpoint, 0):
        assert action.payload[7 if action.payload[0] == 0x15 else 10] & 15 <= 7


def call(counter: int) -> bytes:
    body = encode(envelope.EMERGENCY, {"category": 1, "code": "ABCDEFGH"})
    sealed = envelope.seal(KEYS, NODE, envelope.EMERGENCY, counter, body)
    return envelope.encode_uplink(KEYS, NODE, envelope.EMERGENCY, counter, 0, 1, sealed)


def hear(endpoint: GatewayEndpoint, payload: bytes, now_ms: int) -> None:
    received = endpoint.receive(NODE, payload, now_ms)
    assert isinstance(received, Received)
    endpoint.acknowledge(NODE, received.counter, 2, now_ms)


def test_what_another_gateway_has_told_a_box_is_not_told_twice() -> None:
    first, second = gateway(), gateway()
    for endpoint in (first, second):
        hear(endpoint, call(1), 0)
        hear(endpoint, reading(2), 0)
    [told] = sent(first, 0)
    assert second.receive(0, told.payload, 400) == Rejected("not_an_uplink")
    assert sent(second, 10**7) == []
    assert second.next_wakeup_ms(10**7) is None
    # From now on they leave each other a moment, for calls too.
    hear(second, call(3), 10_000)
    due_ms = second.next_wakeup_ms(10_000)
    assert due_ms is not None
    assert 10_000 <= due_ms <= 10_000 + OTHERS_SPREAD_MS
    assert len(sent(second, due_ms)) == 1


def test_a_call_that_comes_again_is_answered_by_every_gateway() -> None:
    first, second = gateway(), gateway()
    for endpoint in (first, second):
        hear(endpoint, call(1), 0)
    [told] = sent(first, 0)
    second.receive(0, told.payload, 0)
    for endpoint in (first, second):
        hear(endpoint, call(1), 10_000)
    second.receive(0, told.payload, 10_001)  # Sent again by somebody who means harm.
    assert len(sent(second, 10_001 + OTHERS_SPREAD_MS)) == 1


def test_readings_that_another_gateway_does_not_hold_stay_owed() -> None:
    first, second = gateway(), gateway()
    hear(first, reading(1, 1), 0)
    hear(second, reading(2, 2), 0)
    [told] = sent(first, 10**7)
    second.receive(0, told.payload, 10**7)
    assert len(sent(second, 10**7)) == 1


def test_receipts_that_nobody_proved_settle_nothing() -> None:
    endpoint = gateway()
    hear(endpoint, call(1), 0)
    other = GatewayEndpoint(b"other")
    other.add_box(NODE, bytes(range(32)))
    body = encode(envelope.EMERGENCY, {"category": 1, "code": "ABCDEFGH"})
    keys = BoxKeys(bytes(range(32)))
    sealed = envelope.seal(keys, NODE, envelope.EMERGENCY, 1, body)
    hear(other, envelope.encode_uplink(keys, NODE, envelope.EMERGENCY, 1, 0, 1, sealed), 0)
    [told] = sent(other, 0)
    assert endpoint.receive(0, told.payload, 0) == Rejected("false_tag")
    assert len(sent(endpoint, 0)) == 1


def test_a_call_is_taken_however_long_it_had_to_wait() -> None:
    """For weeks no gateway was there, and the box went on with its readings: its call is older than the window."""
    endpoint = gateway()
    for number in range(600):
        endpoint.receive(NODE, reading(5000 + number, 1 + number), 0)
    for heard_before in (False, True):
        found = endpoint.receive(NODE, call(7), 0)
        assert isinstance(found, Received)
        assert found.kind == "emergency"
        assert found.duplicate_hint == heard_before
    assert endpoint.acknowledge(NODE, 7, 2, 0)
    assert len(sent(endpoint, 0)) == 1
    assert endpoint.receive(NODE, reading(7), 0) == Rejected("counter_too_old")
    assert len(endpoint._boxes[NODE].kinds) <= 512


def numbered(number: int, sign=None) -> GatewayEndpoint:
    endpoint = GatewayEndpoint(b"gateway", sign, number=number)
    endpoint.add_box(NODE, bytes(32))
    for action in endpoint.poll(0):
        endpoint.persisted(action.name, action.value)
    return endpoint


def test_gateways_of_a_district_never_use_the_same_counter() -> None:
    payloads = []
    for number in range(8):
        endpoint = numbered(number, lambda message: bytes(64))
        endpoint.reply(NODE, {"code": "A"}, 0)
        endpoint.broadcast("time", {"time_s": 1, "quality": 2}, 0)
        for action in sent(endpoint, 0):
            payloads.append(envelope.Envelope(action.payload))
    counters = [payload.counter for payload in payloads]
    assert len(set(counters)) == len(counters) == 16
    assert {counter >> GATEWAY_SHIFT for counter in counters} == set(range(8))
    for number in (-1, 8):
        try:
            GatewayEndpoint(b"gateway", number=number)
        except ValueError:
            pass
        else:
            raise AssertionError


def test_the_last_counter_of_a_gateway_is_the_end_and_not_the_next_one_s_first() -> None:
    endpoint = GatewayEndpoint(b"gateway", None, 1, {"down_counter_reserved": (1 << GATEWAY_SHIFT) - 1}, 2)
    endpoint.add_box(NODE, bytes(32))
    jobs = [endpoint.reply(NODE, {"code": str(number)}, 0) for number in range(2)]
    for action in endpoint.poll(0):
        endpoint.persisted(action.name, action.value)
    [action] = sent(endpoint, 1)
    assert envelope.Envelope(action.payload).counter == (3 << GATEWAY_SHIFT) - 1
    assert endpoint.jobs[jobs[1]].boxes == {NODE: downlink_job.QUEUED}


def test_another_gateway_under_the_same_number_is_noticed() -> None:
    first, second, third = numbered(1), numbered(1), numbered(2)
    for _ in range(2):
        first.reply(NODE, {"code": "A"}, 0)
    for action in sent(first, 0):
        assert third.receive(1, action.payload, 0) == Rejected("not_an_uplink")
        assert second.receive(1, action.payload, 0) == Rejected("not_an_uplink")
        assert first.receive(1, action.payload, 0) == Rejected("not_an_uplink")
        changed = action.payload[:-1] + bytes((action.payload[-1] ^ 1,))
        assert third.receive(1, changed, 0) == Rejected("not_an_uplink")
    assert second.counters["gateway_number_taken"] == 2
    assert "gateway_number_taken" not in first.counters
    assert "gateway_number_taken" not in third.counters


def test_keys_are_never_broadcast() -> None:
    endpoint = gateway(lambda message: bytes(64))
    for name in ("root_key", "public_key", "channel_psk"):
        try:
            endpoint.broadcast("configuration", {"hop_limit": 3, name: bytes(32)}, 0)
        except MessageError as error:
            assert error.reason == "only_for_one_box"
        else:
            raise AssertionError
    assert endpoint.jobs == {}
    endpoint.broadcast("configuration", {"hop_limit": 3}, 0)


def test_a_call_that_cannot_be_decoded_is_handed_out_and_its_receipt_ends_its_repetition() -> None:
    endpoint = gateway()
    for counter, kind in ((1, envelope.EMERGENCY), (2, envelope.EXERCISE), (3, envelope.BUTTON)):
        body = bytes((1 << 3, 2)) + bytes((4 << 3 | 5, 1))
        sealed = envelope.seal(KEYS, NODE, kind, counter, body)
        payload = envelope.encode_uplink(KEYS, NODE, kind, counter, 0, 1, sealed)
        found = endpoint.receive(NODE, payload, 0)
        assert isinstance(found, Received)
        assert found.message["raw_body"] == body
        assert found.kind == envelope.KIND_NAMES[kind]
        assert endpoint.acknowledge(NODE, counter, 2, 0)
        assert len(sent(endpoint, 0)) == 1
    assert found.message["time_s"] == 2
    sealed = envelope.seal(KEYS, NODE, envelope.QUERY, 4, b"\x0a\xff")
    payload = envelope.encode_uplink(KEYS, NODE, envelope.QUERY, 4, 0, 1, sealed)
    assert endpoint.receive(NODE, payload, 0) == Rejected("protobuf_truncated")
