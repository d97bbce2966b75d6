# SPDX-License-Identifier: Apache-2.0
"""Stages that share a message on their way to one box. Other jobs: test_gateway_endpoint.py."""

from kiezbox.protocol import downlink, envelope, events
from kiezbox.protocol.box_endpoint import BoxEndpoint
from kiezbox.protocol.gateway_endpoint import GatewayEndpoint, Received

NODE = 0x4B420001


def gateway() -> GatewayEndpoint:
    endpoint = GatewayEndpoint(b"gateway")
    endpoint.add_box(NODE, bytes(32))
    for action in endpoint.poll(0):
        endpoint.persisted(action.name, action.value)
    return endpoint


def sent(endpoint: GatewayEndpoint, now_ms: int) -> list:
    return [action for action in endpoint.poll(now_ms) if isinstance(action, events.Send)]


def stage(counter: int, time_s: int, **more) -> dict:
    return {"code": "A", "refers_to": counter, "stage": 3, "station": "Feuerwache", "time_s": time_s} | more


def told(box: BoxEndpoint, actions: list) -> list:
    found = [event for action in actions for event in box.receive(action.payload, 0)]
    return [(event.counter, event.stage, event.time_s) for event in found]


def results(box: BoxEndpoint, now_ms: int) -> list:
    return [action.payload for action in box.poll(now_ms) if isinstance(action, events.Send)]


def a_box() -> BoxEndpoint:
    box = BoxEndpoint(NODE, bytes(32), {}, b"box", {})
    for action in box.poll(0):
        box.persisted(action.name, action.value)
    return box


def test_stages_of_one_box_share_a_message_and_its_confirmation() -> None:
    endpoint = gateway()
    box = a_box()
    jobs = [endpoint.reply(NODE, stage(number, 1_000_000 - 60 * number), 0) for number in range(1, 5)]
    [action] = sent(endpoint, 0)
    assert sorted(told(box, [action])) == [(number, 3, 1_000_000 - 60 * number) for number in range(1, 5)]
    assert sent(endpoint, 1) == []
    assert [endpoint.jobs[job].boxes for job in jobs] == [{NODE: downlink.ON_AIR}] * 4
    [result] = results(box, 60_000)
    assert isinstance(endpoint.receive(NODE, result, 60_000), Received)
    assert [endpoint.jobs[job].state() for job in jobs] == [downlink.CONFIRMED] * 4


def test_stages_that_share_a_message_are_repeated_together_under_new_counters_too() -> None:
    endpoint = gateway()
    jobs = [endpoint.reply(NODE, stage(number, 1_000_000), 0) for number in (1, 2)]
    attempts = []
    now_ms = 0
    while now_ms is not None:
        attempts += [sorted(told(a_box(), [action])) for action in sent(endpoint, now_ms)]
        now_ms = endpoint.next_wakeup_ms(now_ms)
    assert attempts == [[(1, 3, 1_000_000), (2, 3, 1_000_000)]] * downlink.ATTEMPTS_MAX
    assert endpoint.jobs[jobs[0]].counters == endpoint.jobs[jobs[1]].counters == [1, 2, 3]


def test_one_of_several_stages_can_be_cancelled() -> None:
    endpoint = gateway()
    jobs = [endpoint.reply(NODE, stage(number, 1_000_000), 0) for number in (1, 2, 3)]
    endpoint.cancel_job(jobs[0])
    [action] = sent(endpoint, 0)
    assert sorted(told(a_box(), [action])) == [(2, 3, 1_000_000), (3, 3, 1_000_000)]


def test_what_one_frame_cannot_hold_goes_in_the_next() -> None:
    endpoint = gateway()
    name = "Leitstelle der Berliner Feuerwehr, Voltairestraße"
    for number in range(1, 31):
        endpoint.reply(NODE, stage(1_000_000 + number, 1_767_445_900 + number, station=name), 0)
    actions = sent(endpoint, 0)
    assert all(len(action.payload) <= envelope.PAYLOAD_LENGTH_MAX for action in actions)
    assert sorted(told(a_box(), actions)) == [(1_000_000 + n, 3, 1_767_445_900 + n) for n in range(1, 31)]
    assert len(actions) == 2


def test_only_what_is_alike_shares_a_message() -> None:
    endpoint = gateway()
    endpoint.add_box(NODE + 1, bytes(32))
    endpoint.reply(NODE, stage(1, 1_000_000), 0)
    endpoint.reply(NODE, stage(2, 1_000_000, stage=4), 0)
    endpoint.reply(NODE, stage(3, 1_000_000, station="Wache 2"), 0)
    endpoint.reply(NODE, stage(4, 1_000_000, stage=5, text="Hilfe kommt."), 0)
    endpoint.reply(NODE, stage(5, 0), 0)
    endpoint.reply(NODE + 1, stage(1, 1_000_000), 0)
    assert len(sent(endpoint, 0)) == 6


def test_the_more_stages_are_on_their_way_the_longer_a_further_one_waits_for_others() -> None:
    endpoint = gateway()
    for number in range(1, 15):
        endpoint.add_box(NODE + number, bytes(32))
    # One for each box, all unconfirmed: the first few go at once.
    for number in range(15):
        endpoint.reply(NODE + number, stage(1, 1_000_000), 0)
    assert len(sent(endpoint, 0)) == downlink.STAGES_AT_ONCE + 1
    last = endpoint.reply(NODE, stage(2, 1_000_000), 1_000)
    due_ms = endpoint.jobs[last].due_ms
    assert due_ms == downlink.STAGE_PAUSE_MS * (15 - downlink.STAGES_AT_ONCE)
    # What comes meanwhile goes with it, and an answer that somebody wrote waits for nobody.
    later = endpoint.reply(NODE, stage(3, 1_000_060), 20_000)
    assert endpoint.jobs[later].due_ms == due_ms
    answer = endpoint.reply(NODE, stage(2, 1_000_100, stage=5, text="Hilfe kommt."), 20_000)
    assert endpoint.jobs[answer].due_ms == 20_000
