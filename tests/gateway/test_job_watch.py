# SPDX-License-Identifier: Apache-2.0
"""Jobs over days: repeated until confirmed or expired, at once for a box that is back, nothing pointless sent."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiezbox.protocol import events
from kiezbox.protocol.box_endpoint import BoxEndpoint
from kiezbox.protocol.gateway_endpoint import GatewayEndpoint
from kiezbox_gateway import job_watch
from kiezbox_gateway.job_watch import JobWatch
from kiezbox_gateway.store import jobs
from kiezbox_gateway.store.store import Store
from tests.gateway.running import running_gateway
from tests.gateway.waiting import until

BOX = 0x7C3E5100
HOUR_MS = 3_600_000


class Scene:
    """A store, an endpoint with two boxes, and a clock that the test moves."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now_ms = 1_000_000
        self.endpoint = GatewayEndpoint(os.urandom(32), Ed25519PrivateKey.generate().sign, 1, {})
        for node_num in (BOX, BOX + 1):
            self.endpoint.add_box(node_num, bytes(32))
        (persist,) = self.endpoint.poll(self.now_ms)
        self.endpoint.persisted(persist.name, persist.value)
        self.watch = JobWatch(self.endpoint, store)

    async def start(
        self, kind: str, message: dict[str, Any], node_num: int | None, boxes: list[int], hours: int = 24
    ) -> int:
        expires_ms = self.now_ms + hours * HOUR_MS
        number = await self.store.submit(
            lambda connection: jobs.create(
                connection, kind=kind, message=message, node_num=node_num, boxes=boxes, origin="board",
                now_ms=self.now_ms, expires_ms=expires_ms,
            )
        )  # fmt: skip
        self.watch.watch(number, kind, message, node_num, expires_ms, dict.fromkeys(boxes, "queued"))
        return number

    async def pass_time(self, duration_ms: int, step_ms: int = 5_000) -> int:
        """Payloads that were sent meanwhile."""
        sent = 0
        end_ms = self.now_ms + duration_ms
        while self.now_ms < end_ms:
            self.now_ms += step_ms
            for action in self.endpoint.poll(self.now_ms, 1):
                if isinstance(action, events.Persist):
                    self.endpoint.persisted(action.name, action.value)
                else:
                    sent += 1
            await self.watch.keep()
        return sent

    async def states(self, number: int) -> dict[int, tuple[str, int, str | None]]:
        rows = await self.store.rows("SELECT node_num, state, times_sent, detail FROM job_box WHERE job = ?", (number,))
        return {row[0]: (row[1], row[2], row[3]) for row in rows}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Scene]]:
    scenes: list[Scene] = []
    for name in ("monotonic_ms", "unix_ms"):
        monkeypatch.setattr(job_watch, name, lambda: scenes[0].now_ms)
    yield scenes


async def begin(tmp_path: Path, clock: list[Scene]) -> Scene:
    clock.append(Scene(await Store.open(tmp_path)))
    return clock[0]


async def test_job_lives_as_long_as_it_was_meant_to(tmp_path: Path, clock: list[Scene]) -> None:
    scene = await begin(tmp_path, clock)
    number = await scene.start("reply", {"stage": 5, "refers_to": 7, "text": "Hilfe kommt"}, BOX, [BOX])
    first_hours = await scene.pass_time(2 * HOUR_MS, 10_000)
    rest = await scene.pass_time(21 * HOUR_MS, 60_000)
    # Quick at first, then hourly, and still going after most of a day: the box may come back any minute.
    assert 6 <= first_hours <= 11
    assert 18 <= rest <= 24
    assert (await scene.states(number))[BOX][:2] == ("on air", first_hours + rest)
    await scene.pass_time(HOUR_MS + 60_000, 60_000)
    assert (await scene.states(number))[BOX][0] == "expired"
    assert (await scene.states(number))[BOX][1] < 40
    assert len(scene.watch) == 0
    assert await scene.pass_time(3 * HOUR_MS, 60_000) == 0


async def test_stages_of_many_calls_share_messages_and_are_confirmed_one_by_one(
    tmp_path: Path, clock: list[Scene]
) -> None:
    scene = await begin(tmp_path, clock)
    box = BoxEndpoint(BOX, bytes(32), {}, b"box", {})
    for action in box.poll(0):
        box.persisted(action.name, action.value)
    stages = [
        {"code": "A", "refers_to": number, "stage": 3, "station": "Feuerwache", "time_s": 1_767_445_900 + number}
        for number in range(1, 41)
    ]
    numbers = [await scene.start("reply", stage, BOX, [BOX]) for stage in stages]
    told: dict[int, int] = {}
    payloads = 0
    for _ in range(3):
        scene.now_ms += 5_000
        for action in scene.endpoint.poll(scene.now_ms, 1):
            payloads += 1
            told.update({event.counter: event.time_s for event in box.receive(action.payload, scene.now_ms)})
        # Written as on the air for each call, until the box has confirmed the message that held several.
        await scene.watch.keep()
    assert told == {stage["refers_to"]: stage["time_s"] for stage in stages}
    assert payloads == 2
    assert [(await scene.states(number))[BOX][:2] for number in numbers] == [("on air", 1)] * 40
    scene.now_ms += 30_000
    for _ in range(2 * payloads):
        for action in box.poll(scene.now_ms):
            if isinstance(action, events.Send):
                scene.endpoint.receive(BOX, action.payload, scene.now_ms)
    await scene.watch.keep()
    assert [(await scene.states(number))[BOX][:2] for number in numbers] == [("confirmed", 1)] * 40
    assert len(scene.watch) == 0


async def test_answers_to_calls_do_not_count_as_broadcasts(tmp_path: Path, clock: list[Scene]) -> None:
    scene = await begin(tmp_path, clock)
    await scene.start("reply", {"stage": 5, "refers_to": 7, "text": "Hilfe kommt"}, BOX, [BOX])
    assert scene.watch.broadcasts == 0
    await scene.start("mode", {"mode": 2, "epoch": 1, "scope": 0}, None, [BOX, BOX + 1])
    assert scene.watch.broadcasts == 1


async def test_box_that_is_heard_again_gets_its_job_at_once(tmp_path: Path, clock: list[Scene]) -> None:
    scene = await begin(tmp_path, clock)
    await scene.start("reply", {"stage": 5, "refers_to": 7, "text": "Hilfe kommt"}, BOX, [BOX])
    await scene.pass_time(5 * HOUR_MS, 60_000)
    # In the middle of the hour between two attempts.
    await scene.pass_time(10 * 60_000, 60_000)
    assert not scene.watch.note_heard(BOX + 1)
    assert scene.watch.note_heard(BOX)
    assert await scene.pass_time(10_000) == 1
    # It does not confirm and is heard every ten seconds: no more often than the pause allows.
    sent = 0
    for _ in range(6 * 60):
        scene.watch.note_heard(BOX)
        sent += await scene.pass_time(10_000)
    assert 1 <= sent <= 5


async def test_job_for_which_there_is_no_time_waits_its_turn(tmp_path: Path, clock: list[Scene]) -> None:
    """One job a poll: the one that has been due for longest, so none is left behind."""
    scene = await begin(tmp_path, clock)
    numbers = [
        await scene.start("reply", {"stage": 5, "refers_to": n, "text": f"Text {n}"}, BOX, [BOX]) for n in range(1, 21)
    ]
    sent = []
    for _ in range(20):
        sent.append(await scene.pass_time(1_000, 1_000))
        scene.now_ms += 100
    assert sum(sent) == 20
    for number in numbers:
        assert (await scene.states(number))[BOX][:2] == ("on air", 1)


async def test_newer_mode_replaces_the_older(tmp_path: Path, clock: list[Scene]) -> None:
    scene = await begin(tmp_path, clock)
    both = [BOX, BOX + 1]
    old = await scene.start("mode", {"mode": 2, "epoch": 1, "scope": 0}, None, both)
    await scene.pass_time(60_000)
    assert scene.watch.note_mode(BOX, 1)
    new = await scene.start("mode", {"mode": 1, "epoch": 2, "scope": 0}, None, both)
    await scene.pass_time(60_000)
    assert {box: state[0] for box, state in (await scene.states(old)).items()} == {
        BOX: "confirmed", BOX + 1: "expired",
    }  # fmt: skip
    assert (await scene.states(old))[BOX + 1][2] == job_watch.SUPERSEDED
    assert {state[0] for state in (await scene.states(new)).values()} == {"on air"}
    # A mode for one box leaves the others' command alone.
    await scene.start("mode", {"mode": 3, "epoch": 3, "scope": 2, "box": BOX}, None, [BOX])
    await scene.pass_time(60_000)
    assert {box: state[0] for box, state in (await scene.states(new)).items()} == {BOX: "expired", BOX + 1: "on air"}


async def test_later_stage_replaces_an_earlier_one_but_no_answer(tmp_path: Path, clock: list[Scene]) -> None:
    scene = await begin(tmp_path, clock)
    station = await scene.start("reply", {"stage": 3, "refers_to": 7, "station": "Wache"}, BOX, [BOX])
    other = await scene.start("reply", {"stage": 3, "refers_to": 8, "station": "Wache"}, BOX, [BOX])
    first = await scene.start("reply", {"stage": 5, "refers_to": 7, "text": "Hilfe kommt"}, BOX, [BOX])
    second = await scene.start("reply", {"stage": 5, "refers_to": 7, "text": "Es dauert noch"}, BOX, [BOX])
    await scene.pass_time(60_000)
    assert (await scene.states(station))[BOX][::2] == ("expired", job_watch.SUPERSEDED)
    for number in (other, first, second):
        assert (await scene.states(number))[BOX][0] == "on air"


async def test_newer_text_of_a_notice_replaces_the_older_in_its_language(tmp_path: Path, clock: list[Scene]) -> None:
    scene = await begin(tmp_path, clock)
    notice = {"identifier": "n-1", "headline": "Wasser", "text": "Abkochen", "source": "Amt"}
    await scene.start("bulletin", {**notice, "language": "de"}, None, [])
    await scene.start("bulletin", {**notice, "language": "tr", "text": "Kaynatin"}, None, [])
    assert await scene.pass_time(10_000) >= 2
    await scene.start("bulletin", {**notice, "language": "de", "text": "Wieder gut", "action": 1}, None, [])
    await scene.pass_time(10_000)
    open_jobs = [job.message for job in scene.endpoint.jobs.values() if job.open()]
    assert [(job["language"], job["text"]) for job in open_jobs] == [("tr", "Kaynatin"), ("de", "Wieder gut")]
    # Repeated for boxes that were off, until it expires.
    later = await scene.pass_time(23 * HOUR_MS, 60_000)
    assert later >= 2 * 20
    await scene.pass_time(2 * HOUR_MS, 60_000)
    assert await scene.pass_time(3 * HOUR_MS, 60_000) == 0


async def test_reason_of_a_refusal_is_kept(tmp_path: Path, clock: list[Scene]) -> None:
    scene = await begin(tmp_path, clock)
    number = await scene.start("mode", {"mode": 2, "epoch": 1, "scope": 0}, None, [BOX, BOX + 1])
    await scene.pass_time(10_000)
    (job,) = scene.endpoint.jobs.values()
    message = {"refers_to": job.counters[0], "result": 2, "detail": "battery too low"}
    scene.endpoint._downlink.note_result(BOX, message, scene.now_ms)
    await scene.watch.keep()
    states = await scene.states(number)
    assert states[BOX][::2] == ("refused", "battery too low")
    assert states[BOX + 1][0] == "on air"


async def test_radio_that_is_away_uses_up_no_attempt(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, boxes=1) as running:
        port = running.radio.port
        await running.radio.stop()
        await until(lambda: not running.gateway.link.can_send)
        status, body = await running.request("POST", "/api/v1/mode", {"mode": "emergency"})
        assert status == 202
        running.gateway.downlink.wake()
        for job in running.gateway.endpoint.jobs.values():
            job.due_ms = 0
        await running.gateway.downlink.outflow.poll()
        assert [job.attempt for job in running.gateway.endpoint.jobs.values()] == [0]
        await running.radio.listen(port)

        async def confirmed() -> bool:
            running.let_time_pass()
            rows = await running.gateway.store.rows("SELECT state FROM job_box WHERE job = ?", (body["job"],))
            return [row[0] for row in rows] == ["confirmed"]

        await until(confirmed, 30)


async def test_used_up_airtime_holds_commands_and_no_receipt(tmp_path: Path) -> None:
    from tests.gateway.deployment import emergency

    async with running_gateway(tmp_path, boxes=1) as running:
        # The radio says that it has sent for 8 of its 10 per cent, mostly relays.
        running.gateway.link.budget.note_report(8.0, job_watch.monotonic_ms())
        await running.request("POST", "/api/v1/mode", {"mode": "emergency"})
        box = running.boxes[0]
        counter, payloads = box.send("emergency", emergency())
        running.deliver(box, payloads)
        await until(lambda: not box.is_in_custody(counter))
        assert not [event for event in box.events if type(event).__name__ == "ModeCommanded"]
        assert [job.attempt for job in running.gateway.endpoint.jobs.values()] == [0]
        running.gateway.link.budget.note_report(1.0, job_watch.monotonic_ms())
        await until(lambda: any(type(event).__name__ == "ModeCommanded" for event in box.events))
