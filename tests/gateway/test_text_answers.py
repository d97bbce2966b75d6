# SPDX-License-Identifier: Apache-2.0
"""Answers to residents' own devices: whole, repeated until acknowledged, also after a restart."""

import asyncio
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from kiezbox_gateway import text_answers
from tests.gateway.running import Running, running_gateway
from tests.gateway.waiting import until

DEVICE = 0xABCDEF01
ACKNOWLEDGED = b"\x18\x00"
UNKNOWN_KEY = b"\x18\x27"


async def call_from_device(running: Running) -> str:
    packet_id = running.radio.deliver(DEVICE, 1, b"help")
    await running.stored(1)
    return f"abcdef01-p{packet_id:08x}"


def texts(running: Running) -> list[tuple[int, str]]:
    return [(each.id, each.decoded.payload.decode()) for each in running.radio.received if each.to == DEVICE]


async def box_row(running: Running, job: int) -> tuple[str, int, str | None]:
    rows = await running.gateway.store.rows("SELECT state, times_sent, detail FROM job_box WHERE job = ?", (job,))
    return rows[0][0], rows[0][1], rows[0][2]


async def answer(running: Running, identifier: str, text: str) -> int:
    path = f"/api/v1/calls/{identifier}/stage"
    status, body = await running.request("POST", path, {"stage": 5, "text": text})
    assert status == 202
    return int(body["job"])


async def test_long_answer_comes_whole_in_parts_and_counts_when_all_are_there(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        job = await answer(running, await call_from_device(running), "ü" * 180)
        await until(lambda: len(texts(running)) == 2)
        sent = texts(running)
        assert "".join(text.split(") ", 1)[1] for _, text in sent) == "Feuerwache Test: " + "ü" * 180
        running.radio.deliver(DEVICE, 5, ACKNOWLEDGED, request_id=sent[0][0])
        running.radio.deliver(0x5, 5, ACKNOWLEDGED, request_id=sent[1][0])
        await asyncio.sleep(0.2)
        assert (await box_row(running, job))[0] == "on air"
        running.radio.deliver(DEVICE, 5, ACKNOWLEDGED, request_id=sent[1][0])

        async def confirmed() -> bool:
            return (await box_row(running, job))[0] == "confirmed"

        await until(confirmed)


async def test_unacknowledged_part_is_sent_again_and_the_reason_shown(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        job = await answer(running, await call_from_device(running), "ü" * 180)
        await until(lambda: len(texts(running)) == 2)
        sent = texts(running)
        running.radio.deliver(DEVICE, 5, ACKNOWLEDGED, request_id=sent[0][0])
        # The radio does not know the device's key yet.
        running.radio.deliver(running.radio.node_num, 5, UNKNOWN_KEY, request_id=sent[1][0])

        async def noted() -> bool:
            return await box_row(running, job) == ("on air", 1, "radio error 39")

        await until(noted)
        (pending,) = running.gateway.downlink.texts._answers.values()
        pending.due_ms = 0
        running.gateway.downlink.wake()
        await until(lambda: len(texts(running)) == 3)
        assert texts(running)[2][1] == sent[1][1]
        assert texts(running)[2][0] != sent[1][0]


async def test_answer_survives_a_restart_and_an_erased_one_does_not(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        deployment = running.deployment
        running.radio.answer_queue_status = False
        identifier = await call_from_device(running)
        job = await answer(running, identifier, "Wir kommen")
    async with running_gateway(tmp_path, deployment=deployment) as running:
        await until(lambda: [text for _, text in texts(running)][:1] == ["Feuerwache Test: Wir kommen"])
        assert (await box_row(running, job))[0] in ("queued", "on air")
        status, _ = await running.request("DELETE", f"/api/v1/calls/{identifier}?unconfirmed=1")
        assert status == 200
        assert running.gateway.downlink.texts.next_wakeup_ms() is None
        await running.gateway.downlink.outflow.poll()


async def test_answer_that_nobody_confirms_expires(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        job = await answer(running, await call_from_device(running), "Wir kommen")
        (pending,) = running.gateway.downlink.texts._answers.values()
        pending.expires_ms = 0
        running.gateway.downlink.wake()

        async def expired() -> bool:
            return (await box_row(running, job))[0] == "expired"

        await until(expired)
        assert running.gateway.downlink.texts.next_wakeup_ms() is None


@given(st.text(min_size=1, max_size=460).filter(lambda text: len(text.encode()) <= 900))
def test_parts_are_whole_characters_and_lose_nothing(text: str) -> None:
    parts = text_answers.split(text)
    assert len(parts) <= text_answers.PARTS_MAX
    assert all(len(part) <= text_answers.PART_LENGTH_MAX for part in parts)
    if len(parts) == 1:
        assert parts[0].decode() == text
    else:
        assert "".join(part.decode().split(") ", 1)[1] for part in parts) == text
