# SPDX-License-Identifier: Apache-2.0
"""Signed broadcasts at a whole box endpoint, with signatures from tests/vectors/wire.json."""

import json

from kiezbox.protocol import events
from kiezbox.protocol.box_endpoint import BoxEndpoint
from kiezbox.protocol.gateway_endpoint import GatewayEndpoint

NODE = 0x4B420017


def broadcasts() -> dict:
    for place in ("tests/vectors/wire.json", "../vectors/wire.json"):
        try:
            file = open(place)
            break
        except OSError:
            continue
    found = {}
    with file:
        for line in file:
            if '"type":"broadcast"' in line:
                vector = json.loads(line.strip().rstrip(","))
                payloads = [bytes.fromhex(payload) for payload in vector["payloads"]]
                found[vector["name"]] = (vector["message"], payloads, vector["counter"])
                found["public_key"] = bytes.fromhex(vector["public_key"])
    return found


def box(saved: dict, district: str = "tempelhof-schoeneberg", node_num: int = NODE) -> BoxEndpoint:
    return BoxEndpoint(node_num, bytes(32), {1: broadcasts()["public_key"]}, b"box", saved, district)


def test_mode_is_obeyed_once_persisted_and_answered() -> None:
    message, [payload], counter = broadcasts()["mode"]
    endpoint = box({"counter_reserved": 10})
    assert endpoint.receive(payload, 0) == [events.ModeCommanded(message)]
    actions = endpoint.poll(0)
    assert events.Persist("mode_epoch", 8) in actions
    assert events.Persist("broadcast_epoch_1", counter) in actions
    assert endpoint.inbox.epoch() == counter
    for action in actions:
        endpoint.persisted(action.name, action.value)
    assert endpoint.receive(payload, 1000) == []
    assert endpoint.counters == {"broadcast_repeated": 1}
    sent = [action for action in endpoint.poll(40_000) if isinstance(action, events.Send)]
    assert len(sent) == 1


def test_mode_after_a_reboot_is_not_obeyed_again() -> None:
    _, [payload], counter = broadcasts()["mode"]
    endpoint = box({"broadcast_epoch_1": counter, "mode_epoch": 8})
    assert endpoint.receive(payload, 0) == []
    only_epoch = box({"mode_epoch": 8})
    assert only_epoch.receive(payload, 0) == []


def test_scope() -> None:
    _, [district], _ = broadcasts()["mode"]
    message, [one_box], _ = broadcasts()["mode_one_box"]
    assert box({}, "pankow").receive(district, 0) == []
    assert box({}, node_num=NODE + 1).receive(one_box, 0) == []
    assert box({}).receive(one_box, 0) == [events.ModeCommanded(message)]


def test_expired_mode_is_not_obeyed_where_the_clock_is_known() -> None:
    message, [payload], _ = broadcasts()["mode_one_box"]
    late = box({})
    late.set_clock(message["expires_s"] - 5, 2, 0)
    assert late.receive(payload, 6000) == []
    in_time = box({})
    in_time.set_clock(message["expires_s"] - 5, 2, 0)
    assert in_time.receive(payload, 4000) == [events.ModeCommanded(message)]


def test_only_a_better_time_is_taken() -> None:
    message, [payload], _ = broadcasts()["time"]
    for quality, ahead_s, taken in (
        (0, 0, True),
        (1, 9999, True),
        (2, -500, True),
        (2, 30, True),
        (2, 61, False),
        (3, 0, False),
    ):
        endpoint = box({})
        endpoint.set_clock(message["time_s"] + ahead_s, quality, 0)
        assert (endpoint.receive(payload, 0) == [events.TimeReceived(message)]) == taken, (quality, ahead_s)


def test_long_bulletin_in_any_order() -> None:
    message, payloads, _ = broadcasts()["bulletin"]
    assert len(payloads) == 2
    for order in (payloads, payloads[::-1]):
        endpoint = box({})
        assert endpoint.receive(order[0], 0) == []
        assert endpoint.receive(order[1], 1) == [events.BulletinReceived(message)]


def test_a_false_fragment_is_refused_and_the_true_one_taken() -> None:
    message, payloads, _ = broadcasts()["bulletin"]
    endpoint = box({})
    false = bytearray(payloads[1])
    false[50] ^= 1
    assert endpoint.receive(bytes(false), 0) == []
    assert endpoint.receive(payloads[0], 0) == []
    assert endpoint.receive(bytes(false), 0) == []
    assert endpoint.counters["false_fragment"] == 1
    assert endpoint.receive(payloads[1], 0) == [events.BulletinReceived(message)]


def test_a_flood_of_false_signatures_costs_a_bounded_number_of_checks() -> None:
    _, [payload], _ = broadcasts()["mode"]
    endpoint = box({})
    for attempt in range(200):
        false = bytearray(payload)
        false[20] ^= attempt + 1
        endpoint.receive(bytes(false), attempt * 10)
    assert endpoint.counters["false_signature"] == 4
    assert endpoint.counters["too_many_checks"] >= 190
    assert len(endpoint.receive(payload, 10_000)) == 1, "after a pause a true one passes"


def test_unknown_and_distrusted_keys() -> None:
    _, [payload], _ = broadcasts()["mode"]
    stranger = BoxEndpoint(NODE, bytes(32), {2: broadcasts()["public_key"]}, b"box", {})
    assert stranger.receive(payload, 0) == []
    assert stranger.counters == {"unknown_key": 1}
    endpoint = box({})
    endpoint.inbox.distrust(1)
    assert endpoint.receive(payload, 0) == []


def test_the_same_mode_under_a_new_counter_is_in_force_and_not_commanded_again() -> None:
    _, [payload], _ = broadcasts()["mode"]
    endpoint = box({"mode_epoch": 8, "counter_reserved": 10})
    for action in endpoint.poll(0):
        endpoint.persisted(action.name, action.value)
    assert endpoint.receive(payload, 0) == []
    gateway = GatewayEndpoint(b"gateway")
    gateway.add_box(NODE, bytes(32))
    [payload] = [action.payload for action in endpoint.poll(40_000) if isinstance(action, events.Send)]
    result = gateway.receive(NODE, payload, 40_000).message
    assert result["result"] == 1
    assert result["mode_epoch"] == 8
    assert result["mode"] == 2


def test_a_broadcast_heard_again_is_answered_again_after_a_while() -> None:
    _, [payload], _ = broadcasts()["mode"]
    endpoint = box({"counter_reserved": 10})
    for action in endpoint.poll(0):
        endpoint.persisted(action.name, action.value)
    assert len(endpoint.receive(payload, 0)) == 1
    answers = []
    for heard_ms in (0, 100_000, 200_000, 400_000):
        assert heard_ms == 0 or endpoint.receive(payload, heard_ms) == []
        answers.append(len([one for one in endpoint.poll(heard_ms + 40_000) if isinstance(one, events.Send)]))
    assert answers == [1, 0, 0, 1]


def test_a_mode_that_is_none_is_refused_and_named() -> None:
    endpoint = box({"counter_reserved": 10})
    for action in endpoint.poll(0):
        endpoint.persisted(action.name, action.value)
    gateway = GatewayEndpoint(b"gateway")
    gateway.add_box(NODE, bytes(32))
    for action in gateway.poll(0):
        gateway.persisted(action.name, action.value)
    for message in ({"epoch": 1}, {"mode": 0, "epoch": 2}, {"mode": 5, "epoch": 3}):
        job = gateway.command(NODE, "mode", message, 0)
        for action in gateway.poll(0):
            assert endpoint.receive(action.payload, 0) == []
        for action in endpoint.poll(0):
            if isinstance(action, events.Send):
                gateway.receive(NODE, action.payload, 0)
        assert gateway.jobs[job].boxes == {NODE: "refused"}
        assert gateway.jobs[job].details == {NODE: "mode"}


def test_two_bulletins_whose_fragments_mix() -> None:
    """A fragment that comes before its own first one waits while another broadcast is put together."""
    bulletin, long_payloads, _ = broadcasts()["bulletin"]
    mode, [payload], _ = broadcasts()["mode"]
    endpoint = box({})
    assert endpoint.receive(long_payloads[1], 0) == []
    assert endpoint.receive(payload, 0) == [events.ModeCommanded(mode)]
    assert endpoint.receive(long_payloads[0], 0) == [events.BulletinReceived(bulletin)]


def test_the_same_key_once_more_makes_nothing_new_again() -> None:
    _, payloads, _ = broadcasts()["bulletin"]
    endpoint = box({})
    assert len([event for payload in payloads for event in endpoint.receive(payload, 0)]) == 1
    gateway = GatewayEndpoint(b"gateway")
    gateway.add_box(NODE, bytes(32))
    for action in gateway.poll(0):
        gateway.persisted(action.name, action.value)
    for key in (broadcasts()["public_key"], bytes(range(32))):
        gateway.command(NODE, "configuration", {"key_id": 1, "public_key": key}, 0)
        for action in gateway.poll(0):
            endpoint.receive(action.payload, 0)
        assert [event for payload in payloads for event in endpoint.receive(payload, 10**6)] == []
    assert endpoint.counters["broadcast_repeated"] == 2
    assert endpoint.counters["false_signature"] == 1
