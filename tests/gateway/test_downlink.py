# SPDX-License-Identifier: Apache-2.0
"""Modes, answers, bulletins and questions down to real box endpoints; jobs over a restart."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from kiezbox_gateway import alarms, job_watch, outflow
from kiezbox_gateway.clock import monotonic_ms
from kiezbox_gateway.store import calls, jobs
from tests.gateway.deployment import emergency
from tests.gateway.running import Running, running_gateway
from tests.gateway.waiting import until


def of_kind(running: Running, index: int, name: str) -> list[Any]:
    return [event for event in running.boxes[index].events if type(event).__name__ == name]


async def job_states(running: Running, number: int) -> set[str]:
    found = await running.gateway.store.submit(lambda connection: jobs.states(connection, number))
    return set(found.values())


async def confirmed_by_device(running: Running, number: int) -> bool:
    return await job_states(running, number) == {"confirmed"}


async def test_mode_reaches_every_box_and_each_confirms(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, boxes=3) as running:
        status, body = await running.request("POST", "/api/v1/mode", {"mode": "emergency"})
        assert (status, body["epoch"]) == (202, 1)

        async def confirmed() -> bool:
            running.let_time_pass()
            return await job_states(running, body["job"]) == {"confirmed"}

        await until(confirmed)
        for index in range(3):
            (event,) = of_kind(running, index, "ModeCommanded")
            assert event.message["mode"] == 2
            assert event.message["expires_s"] > event.message["issued_s"]
        _, found = await running.request("GET", "/api/v1/jobs")
        assert found["jobs"][0]["kind"] == "mode"
        assert {box["state"] for box in found["jobs"][0]["boxes"]} == {"confirmed"}
        rows = await running.gateway.store.rows("SELECT kind FROM message WHERE kind = 'mode' AND confirmed_ms IS NULL")
        assert rows == [("mode",)]


async def test_mode_that_ends_by_itself(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        now_s = int(time.time())
        for wrong_s in (now_s - 10, now_s + 60, now_s + 31 * 86_400):
            status, body = await running.request("POST", "/api/v1/mode", {"mode": "emergency", "until_s": wrong_s})
            assert (status, "30 days" in body["error"]) == (422, True)
        for wrong in (-1, 0, 1 << 32, "18:30", 1.5):
            status, _ = await running.request("POST", "/api/v1/mode", {"mode": "emergency", "until_s": wrong})
            assert status == 422
        assert await running.gateway.store.rows("SELECT count(*) FROM job") == [(0,)]
        until_s = now_s + 3_600
        status, body = await running.request("POST", "/api/v1/mode", {"mode": "emergency", "until_s": until_s})
        assert status == 202
        await until(lambda: bool(of_kind(running, 0, "ModeCommanded")))
        (event,) = of_kind(running, 0, "ModeCommanded")
        assert event.message["until_s"] == until_s
        # Nobody is told of a mode that has ended.
        assert event.message["expires_s"] <= until_s
        rows = await running.gateway.store.rows("SELECT body FROM message WHERE kind = 'mode'")
        assert json.loads(rows[0][0])["until_s"] == until_s
        _, found = await running.request("GET", "/api/v1/audit")
        assert f"until {until_s}" in found["audit"][0]["detail"]


async def test_mode_for_one_box(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        box = f"{running.boxes[1].node_num:08x}"
        status, body = await running.request("POST", "/api/v1/mode", {"mode": "exercise", "scope": "box", "box": box})
        assert status == 202

        async def confirmed() -> bool:
            running.let_time_pass()
            return await job_states(running, body["job"]) == {"confirmed"}

        await until(confirmed)
        assert not of_kind(running, 0, "ModeCommanded")
        assert len(of_kind(running, 1, "ModeCommanded")) == 1
        status, body = await running.request("POST", "/api/v1/mode", {"mode": "exercise", "scope": "box"})
        assert status == 422


async def test_epochs_rise_and_survive(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        deployment = running.deployment
        for epoch in (1, 2):
            _, body = await running.request("POST", "/api/v1/mode", {"mode": "emergency"})
            assert body["epoch"] == epoch
    async with running_gateway(tmp_path, deployment=deployment) as running:
        _, body = await running.request("POST", "/api/v1/mode", {"mode": "everyday"})
        assert body["epoch"] == 3


async def test_job_committed_before_a_restart_goes_out_after_it(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        deployment, boxes = running.deployment, running.boxes
        running.radio.free = 0
        running.radio.on_packet = None  # Nothing is heard by the boxes.
        _, body = await running.request("POST", "/api/v1/mode", {"mode": "emergency"})
        await asyncio.sleep(0.2)
    async with running_gateway(tmp_path, deployment=deployment, endpoints=boxes) as running:

        async def confirmed() -> bool:
            running.let_time_pass()
            return await job_states(running, body["job"]) == {"confirmed"}

        await until(confirmed)
        assert len(of_kind(running, 0, "ModeCommanded")) == 1


async def test_box_that_follows_the_mode_already_counts_as_confirmed(tmp_path: Path) -> None:
    """The box heard the command, its answer was lost, the gateway was started again."""
    async with running_gateway(tmp_path, boxes=1) as running:
        deployment, boxes = running.deployment, running.boxes
        _, body = await running.request("POST", "/api/v1/mode", {"mode": "emergency"})
        await until(lambda: bool(of_kind(running, 0, "ModeCommanded")))
        boxes[0].due(31_000)  # The answer goes nowhere.
    async with running_gateway(tmp_path, deployment=deployment, endpoints=boxes) as running:

        async def confirmed() -> bool:
            running.let_time_pass()
            return await job_states(running, body["job"]) == {"confirmed"}

        await until(confirmed)


async def test_answer_moves_the_call_and_reaches_its_box(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        box = running.boxes[0]
        counter, payloads = box.send("emergency", emergency(code="ABCD2345"))
        running.deliver(box, payloads)
        await running.stored(1)
        for stage, text in ((3, None), (4, None), (5, "Ein Trupp ist unterwegs, bleiben Sie am Fenster.")):
            body = {"stage": stage} | ({"text": text} if text else {})
            status, found = await running.request("POST", "/api/v1/calls/abcd2345/stage", body)
            assert (status, found["stage"]) == (202, stage)

        def answered() -> bool:
            running.let_time_pass(1_000)
            return any(event.stage == 5 and event.text for event in of_kind(running, 0, "StageChanged"))

        await until(answered)
        events = of_kind(running, 0, "StageChanged")
        assert all(event.counter == counter for event in events)
        last = next(event for event in events if event.stage == 5 and event.text)
        assert last.text.startswith("Ein Trupp")
        assert last.station == "Feuerwache Test"
        assert last.time_s > 1_700_000_000
        _, found = await running.request("GET", "/api/v1/calls/ABCD2345")
        assert [each["stage"] for each in found["stages"]] == [2, 3, 4, 5]
        status, found = await running.request("POST", "/api/v1/calls/ABCD2345/stage", {"stage": 3})
        assert (status, "already" in found["error"]) == (409, True)
        # The other box cannot read it.
        assert not of_kind(running, 1, "StageChanged")
        # Earlier stages that the answer has overtaken are no lost answers.
        states = await running.gateway.store.rows("SELECT state, detail FROM job_box")
        assert ("expired", job_watch.SUPERSEDED) in states
        assert "answer_not_delivered" not in {alarm.name for alarm in await alarms.look(running.gateway)}


async def test_answer_that_cannot_be_sent_is_not_stored(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        box = running.boxes[0]
        _, payloads = box.send("emergency", emergency(code="ABCD2345"))
        running.deliver(box, payloads)
        await running.stored(1)
        with pytest.raises(ValueError, match="text"):
            await running.gateway.downlink.answer("ABCD2345", 5, "Wache", "ü" * 400, "board")
        status, _ = await running.request("POST", "/api/v1/calls/ABCD2345/stage", {"stage": 5, "text": "ü" * 399})
        assert status == 422
        _, found = await running.request("GET", "/api/v1/calls/ABCD2345")
        assert found["stage"] == 2


async def test_question_by_code_from_another_box(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        first, second = running.boxes
        _, payloads = first.send("emergency", emergency(code="ABCD2345"))
        running.deliver(first, payloads)
        await running.stored(1)
        await running.request("POST", "/api/v1/calls/ABCD2345/stage", {"stage": 5, "text": "Hilfe kommt"})
        for code in ("ABCD2345", "NOSUCH22"):
            _, payloads = second.send("query", {"code": code})
            running.deliver(second, payloads)
            await until(lambda code=code: any(e.message["code"] == code for e in of_kind(running, 1, "ReplyReceived")))
        known, unknown = of_kind(running, 1, "ReplyReceived")
        assert (known.message["stage"], known.message["text"]) == (5, "Hilfe kommt")
        assert unknown.message.get("stage", 0) == 0


async def test_bulletin_is_signed_and_once_per_identifier(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        bulletin = {
            "id": "de.berlin.test.1", "headline": "Stromausfall", "text": "Kat-Leuchtturm: Rathaus Schöneberg. " * 8,
            "language": "de", "severity": 3, "source": "Bezirksamt",
        }  # fmt: skip
        status, first = await running.request("POST", "/api/v1/bulletins", bulletin)
        _, second = await running.request("POST", "/api/v1/bulletins", bulletin)
        assert status == 202
        assert first == second
        await until(lambda: all(of_kind(running, index, "BulletinReceived") for index in range(2)))
        (event,) = of_kind(running, 0, "BulletinReceived")
        assert event.message["headline"] == "Stromausfall"
        assert event.message["expires_s"] > event.message["sent_s"]


async def test_answer_to_a_stock_device_is_a_direct_text(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        packet_id = running.radio.deliver(0xABCDEF01, 1, b"help")
        await running.stored(1)
        identifier = f"abcdef01-p{packet_id:08x}"
        status, body = await running.request(
            "POST", f"/api/v1/calls/{identifier}/stage", {"stage": 5, "text": "Wir kommen"}
        )
        assert status == 202
        await until(lambda: any(packet.to == 0xABCDEF01 for packet in running.radio.received))
        packet = next(packet for packet in running.radio.received if packet.to == 0xABCDEF01)
        assert packet.decoded.payload.decode() == "Feuerwache Test: Wir kommen"
        assert packet.want_ack
        assert await job_states(running, body["job"]) <= {"queued", "on air"}
        # The radio's own acknowledgement means that somebody relayed it, the device's that it is there.
        for from_node in (running.radio.node_num, 0xABCDEF01):
            assert await job_states(running, body["job"]) != {"confirmed"}
            running.radio.deliver(from_node, 5, b"\x18\x00", request_id=packet.id)
            await asyncio.sleep(0.2)
        await until(lambda: confirmed_by_device(running, body["job"]))


async def test_erased_call_is_not_answered_any_more(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        box = running.boxes[0]
        _, payloads = box.send("emergency", emergency(code="ABCD2345"))
        running.deliver(box, payloads)
        await running.stored(1)
        await running.request("POST", "/api/v1/calls/ABCD2345/stage", {"stage": 5, "text": "Pelikan"})
        status, body = await running.request("DELETE", "/api/v1/calls/ABCD2345")
        assert (status, "not confirmed" in body["error"]) == (409, True)
        status, body = await running.request("DELETE", "/api/v1/calls/ABCD2345?unconfirmed=1")
        assert (status, len(body["erased"])) == (200, 2)
        assert all("Pelikan" not in str(job.message) for job in running.gateway.endpoint.jobs.values())
        assert (await running.request("GET", "/api/v1/calls/ABCD2345"))[0] == 404
        with pytest.raises(calls.NoSuchCallError):
            await running.gateway.store.submit(lambda connection: calls.find(connection, "ABCD2345"))


async def test_time_that_had_to_wait_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outflow, "TIME_LIFETIME_MS", 300)
    async with running_gateway(tmp_path, boxes=1) as running:
        running.gateway.downlink.send_time(1_780_000_000, 2)
        await until(lambda: len(of_kind(running, 0, "TimeReceived")) == 1)
        # A radio without a free place, and then airtime that is used up.
        running.radio.free = 0
        running.gateway.downlink.confirm_text(1)
        await until(lambda: running.gateway.link._session is not None and running.gateway.link._session.free == 0)
        running.gateway.downlink.send_time(1_780_000_100, 2)
        await asyncio.sleep(0.6)
        running.radio.free = 16
        budget = running.gateway.link.budget
        await asyncio.sleep(1.0)
        budget.note_report(9.0, monotonic_ms())
        running.gateway.downlink.send_time(1_780_000_200, 2)
        await asyncio.sleep(0.6)
        budget.note_report(0.1, monotonic_ms())
        await asyncio.sleep(1.5)
        assert len(of_kind(running, 0, "TimeReceived")) == 1
        running.gateway.downlink.send_time(1_780_000_300, 2)
        await until(lambda: len(of_kind(running, 0, "TimeReceived")) == 2)
        assert of_kind(running, 0, "TimeReceived")[1].message["time_s"] == 1_780_000_300
