# SPDX-License-Identifier: Apache-2.0
"""What boxes say of themselves becomes one alarm with the box's name and words for its parts."""

import re
from pathlib import Path

import pytest

from kiezbox.box import health
from kiezbox_gateway import alarms, box_faults, language
from tests.gateway.deployment import emergency
from tests.gateway.running import running_gateway

DOCUMENT = Path(__file__).parents[2] / "docs/wire-format.md"


def test_every_fault_of_a_box_has_its_words() -> None:
    bits = [
        health.FLASH_FULL, health.STATE_DAMAGED, health.CONFIGURATION_FAULTY, health.JOURNAL_DAMAGED,
        health.BUTTON_STUCK, health.RADIO_SILENT,
    ]  # fmt: skip
    assert [1 << bit for bit in box_faults.PARTS] == bits
    told = re.search(r"Faults: bits 0 to 15 one sensor each;(.*?)\. Signs", DOCUMENT.read_text(), re.DOTALL)
    assert told
    assert [int(bit) for bit in re.findall(r"(?:^|;)\s+(\d+) ", told[1])] == list(box_faults.PARTS)


@pytest.mark.parametrize("value", [None, 0, "17", [1], 1 << 40])
def test_what_says_nothing_is_no_fault(value: object) -> None:
    assert box_faults.parts_of(value) == []


async def test_a_box_that_fails_is_an_alarm_until_it_says_otherwise(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        gateway, first, second = running.gateway, *running.boxes[:2]

        async def told() -> dict[str, str]:
            return {each.name: each.detail for each in await alarms.look(gateway)}

        running.deliver(first, first.send("health", {"faults": 1 << 21 | 4, "unsent": 3})[1])
        running.deliver(second, second.send("health", {"faults": 0, "unsent": 19})[1])
        await running.stored(2)
        assert (await told())["box_faulty"] == "Box 0 (a sensor; radio silent; 3 messages not sent)"
        with language.use("de"):
            assert (await told())["box_faulty"] == "Box 0 (ein Sensor; Funkgerät stumm; 3 Nachrichten nicht gesendet)"
        _, metrics = await running.request("GET", "/metrics")
        assert "kiezbox_boxes_unsent 22.0" in str(metrics)
        running.deliver(first, first.send("health", {"faults": 0})[1])
        running.deliver(second, second.send("health", {"faults": 0, "unsent": 20})[1])
        await running.stored(4)
        assert (await told())["box_faulty"] == "Box 1 (20 messages not sent)"


async def test_calls_that_a_box_said_it_has_and_that_did_not_come_are_an_urgent_alarm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_gateway(tmp_path) as running:
        gateway, box = running.gateway, running.boxes[0]

        async def told() -> dict[str, str]:
            return {each.name: each.detail for each in await alarms.look(gateway) if each.urgent}

        running.deliver(box, box.send("health", {"calls_open": 2})[1])
        await running.stored(1)
        assert await told() == {}, "they are on their way"
        monkeypatch.setattr(box_faults, "CALL_KEPT_MS", -1_000)
        assert await told() == {"call_in_box": "Box 0: 2"}
        running.deliver(box, box.send("emergency", emergency("Hilfe", "KEPT2345"))[1])
        await running.stored(2)
        assert await told() == {"call_in_box": "Box 0: 1"}
        running.deliver(box, box.send("health", {"calls_open": 0})[1])
        await running.stored(3)
        assert await told() == {}
