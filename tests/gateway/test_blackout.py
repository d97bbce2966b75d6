# SPDX-License-Identifier: Apache-2.0
"""A box that proposes a blackout is shown to people everywhere they look, and switches nothing."""

from pathlib import Path
from typing import Any

import aiohttp

from kiezbox.box import blackout as of_the_box
from kiezbox.box import health as of_health
from kiezbox_gateway import alarms, blackout
from kiezbox_gateway.alarms import Alarm
from tests.gateway.running import Running, running_gateway
from tests.gateway.waiting import until

MAINS_GONE = of_the_box.PROPOSED | of_the_box.GRID_LOST
SILENCE = of_the_box.PROPOSED | of_the_box.GATEWAY_SILENT | of_the_box.UPLINK_SILENT


def say(running: Running, index: int, signs: int, **more: Any) -> None:
    box = running.boxes[index]
    _, payloads = box.send("health", {"uptime_s": 5, "mode": 1, "signs": signs, **more})
    running.deliver(box, payloads)


async def raised(running: Running) -> Alarm | None:
    found = [alarm for alarm in await alarms.look(running.gateway) if alarm.name == "blackout_proposed"]
    return found[0] if found else None


async def page_in(running: Running, language: str) -> str:
    url = f"http://127.0.0.1:{running.port}/"
    async with aiohttp.ClientSession() as session, session.get(url, headers={"Accept-Language": language}) as answer:
        return await answer.text()


def test_bits_are_those_of_the_box() -> None:
    named = {name: 1 << bit for bit, name in blackout.SIGNS.items()}
    assert named == {
        "grid_lost": of_the_box.GRID_LOST,
        "gateway_silent": of_the_box.GATEWAY_SILENT,
        "uplink_silent": of_the_box.UPLINK_SILENT,
        "blackout_proposed": of_the_box.PROPOSED,
        "router_powered": of_health.ROUTER_ON,
        "settings_on_trial": of_health.ON_TRIAL,
    }
    assert blackout.signs_of(None) == blackout.signs_of("9") == blackout.signs_of(0) == []


def test_a_later_command_outweighs_what_the_box_has_said() -> None:
    assert blackout.current_mode((1, 4), None) == (1, 4)
    assert blackout.current_mode((1, 4), (2, 5)) == (2, 5)
    assert blackout.current_mode((1, 5), (2, 5)) == (1, 5)
    assert blackout.current_mode((None, None), (2, 1)) == (2, 1)


async def test_shown_until_it_ends_and_never_obeyed(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, boxes=3) as running:
        say(running, 0, MAINS_GONE)
        say(running, 1, SILENCE)
        say(running, 2, of_the_box.GRID_LOST)  # For a moment only: no proposal.
        await running.stored(3)
        alarm = await raised(running)
        assert alarm is not None
        assert alarm.urgent
        assert alarm.detail == "1 see no mains (Box 0); 1 hear nobody (Box 1)"
        assert "kiezbox gateway mode emergency" in alarm.advice
        _, body = await running.request("GET", "/api/v1/boxes")
        assert [each["signs"] for each in body["boxes"]] == [
            ["grid_lost", "blackout_proposed"],
            ["gateway_silent", "uplink_silent", "blackout_proposed"],
            ["grid_lost"],
        ]
        for language, alarm_said, box_says in (
            ("en", "Boxes report that the power is out", "proposes a blackout"),
            ("de", "Boxen melden, dass der Strom weg ist", "schlägt Blackout vor"),
        ):
            page = await page_in(running, language)
            assert page.count(box_says) == 2
            assert alarm_said in page
        assert await running.gateway.store.rows("SELECT count(*) FROM job") == [(0,)]
        say(running, 0, 0)
        say(running, 1, 0)
        await running.stored(5)
        assert await raised(running) is None


async def test_over_once_the_box_is_in_emergency_mode(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        say(running, 0, MAINS_GONE)
        await running.stored(1)
        assert await raised(running) is not None
        await running.request("POST", "/api/v1/mode", {"mode": "emergency"})

        async def settled() -> bool:
            running.let_time_pass()
            return await raised(running) is None

        await until(settled)
        # Back in everyday life while it still sees no mains: somebody has to decide again.
        _, body = await running.request("POST", "/api/v1/mode", {"mode": "everyday"})
        say(running, 0, MAINS_GONE, mode_epoch=body["epoch"])
        await running.stored(2)
        assert await raised(running) is not None


async def test_a_box_that_was_not_heard_for_a_day_counts_no_more(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        say(running, 0, MAINS_GONE)
        await running.stored(1)
        await running.gateway.store.submit(
            lambda connection: (
                connection.execute("UPDATE box SET heard_ms = heard_ms - ?", (blackout.WORD_MS,)).rowcount
            )
        )
        assert await raised(running) is None
