# SPDX-License-Identifier: Apache-2.0
"""The API takes the settings that a box knows, within the box's own limits; what became of them stands in the job."""

from pathlib import Path
from typing import Any

from kiezbox.box import configuration as of_the_box
from kiezbox_gateway.web.orders import SettingsRequest
from tests.gateway.running import running_gateway
from tests.gateway.waiting import until

# Secrets and what a box has once for all are brought by cable; keys have a message of their own.
BY_CABLE = {"node_num", "root_key_hex", "district_public_keys", "channel"}


def test_settings_and_limits_are_those_of_the_box() -> None:
    rows = {row[0]: row for row in of_the_box.rows()}
    properties = SettingsRequest.model_json_schema()["properties"]
    assert set(properties) - {"lifetime_s"} == set(rows) - BY_CABLE
    for key, (_, kind, allowed, *_) in rows.items():
        if key in BY_CABLE:
            continue
        (rules,) = [each for each in properties[key]["anyOf"] if each.get("type") != "null"]
        low, _, high = allowed.partition("..")
        if kind == "o":
            assert rules["enum"] == allowed.split(" "), key
        elif kind in "uz":
            assert (rules["minimum"], rules["maximum"]) == (0 if kind == "z" else int(low), int(high)), key
        elif kind == "t":
            assert (rules.get("minLength", 0), rules["maxLength"]) == (int(low), int(high)), key
        else:
            assert rules["maxItems"] == int(high), key


async def test_answer_of_the_box_stands_in_the_job(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        box = running.boxes[0]
        answers = iter([(1, "restart"), (2, "router_on_above_mv hop_limit")])

        async def order(settings: dict[str, Any]) -> dict[str, Any]:
            box.events.clear()
            status, _ = await running.request("POST", f"/api/v1/boxes/{box.node_num:08x}/settings", settings)
            assert status == 202
            await until(lambda: any(type(event).__name__ == "ConfigurationReceived" for event in box.events))
            (event,) = [each for each in box.events if type(each).__name__ == "ConfigurationReceived"]
            assert event.message == settings
            result, detail = next(answers)
            answer = {"refers_to": event.counter, "kind": 20, "result": result, "detail": detail}
            running.deliver(box, box.send("command_result", answer)[1])
            found: dict[str, Any] = {}

            async def answered() -> bool:
                _, listed = await running.request("GET", "/api/v1/jobs?limit=1")
                found.update(listed["jobs"][0]["boxes"][0])
                return found["state"] not in ("queued", "on air")

            await until(answered)
            return found

        points = [{"name": "Rathaus", "address": "Platz 1", "kind": "Wasser"}]
        applied = await order({"hop_limit": 4, "help_points": points})
        assert (applied["state"], applied["detail"]) == ("confirmed", "restart")
        refused = await order({"router_off_below_mv": 4000, "router_on_above_mv": 3500})
        assert (refused["state"], refused["detail"]) == ("refused", "router_on_above_mv hop_limit")
