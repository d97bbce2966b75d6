# SPDX-License-Identifier: Apache-2.0
"""Stages that share a message on their way to one box. Other jobs: test_gateway_endpoint.py."""

from kiezbox.protocol import downlink, downlink_job, envelope, events
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
    assert [endpoint.jobs[job].boxes for job in jobs] == [{NODE: downlink_job.ON_AIR}] * 4
    [result] = results(box, 60_000)
    assert isinstance(endpoint.receive(NODE, result, 60_000), Received)
    assert [endpoint.jobs[job].state() for job in jobs] == [downlink_job.CONFIRMED] * 4


def test_stages_that_share_a_message_are_repeated_together_under_new_counters_too() -> None:
    endpoint = gateway()
    jobs = [endpoint.reply(NODE, stage(number, 1_000_000), 0) for number in (1, 2)]
    attempts = []
    now_ms = 0
    while now_ms is not None:
        attempts += [sorted(told(a_box(), [action])) for action in sent(endpoint, now_ms)]
        now_ms = endpoint.next_wakeup_ms(now_ms)
    assert attempts == [[(1, 3, 1_000_000), (2, 3, 1_000_000)]] * downlink_job.ATTEMPTS_MAX
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
    last = endpoint.reply(NODE + 1, stage(1, 1_000_000), 0)
    # Four tell a stage, each by itself; the answer with a text and the one without a time are none of these.
    assert len(sent(endpoint, 0)) == downlink.STAGES_AT_ONCE + 2
    assert sent(endpoint, downlink.STAGE_PAUSE_MS)[0].job == last


def test_a_few_messages_with_stages_go_at_once_and_then_they_keep_a_distance() -> None:
    endpoint = gateway()
    for number in range(1, 7):
        endpoint.add_box(NODE + number, bytes(32))
    jobs = [endpoint.reply(NODE + number, stage(1, 1_000_000), 5_000 + number) for number in range(7)]
    assert [action.job for action in sent(endpoint, 6_000)] == jobs[: downlink.STAGES_AT_ONCE]
    for job in jobs[: downlink.STAGES_AT_ONCE]:
        endpoint.cancel_job(job)
    # What comes meanwhile goes with what waits, and an answer that somebody wrote waits for nobody.
    later = endpoint.reply(NODE + 6, stage(3, 1_000_060), 7_000)
    answer = endpoint.reply(NODE + 6, stage(2, 1_000_100, stage=5, text="Hilfe kommt."), 7_000)
    assert [action.job for action in sent(endpoint, 7_000)] == [answer]
    endpoint.cancel_job(answer)
    now_ms = 7_000
    for step, job in enumerate(jobs[downlink.STAGES_AT_ONCE :], 1):
        now_ms = endpoint.next_wakeup_ms(now_ms)
        assert now_ms == 6_000 + step * downlink.STAGE_PAUSE_MS
        assert [action.job for action in sent(endpoint, now_ms)] == [job]
        assert sent(endpoint, now_ms) == []
        endpoint.cancel_job(job)
    assert endpoint.jobs[later].attempt == 1


def test_a_repetition_takes_along_what_is_new_for_its_box() -> None:
    endpoint = gateway()
    endpoint.reply(NODE, stage(1, 1_000_000), 0)
    assert told(a_box(), sent(endpoint, 0)) == [(1, 3, 1_000_000)]
    for number in range(1, 4):  # The others use up what may go at once.
        endpoint.add_box(NODE + number, bytes(32))
        endpoint.reply(NODE + number, stage(1, 1_000_000), 0)
    sent(endpoint, 1)
    endpoint.reply(NODE, stage(2, 1_000_060), 1_000)
    now_ms = 1_000
    while endpoint.jobs[1].attempt < 2:
        now_ms = endpoint.next_wakeup_ms(now_ms)
        last = sent(endpoint, now_ms)
    assert sorted(told(a_box(), last)) == [(1, 3, 1_000_000), (2, 3, 1_000_060)]
