# SPDX-License-Identifier: Apache-2.0
"""Every message the gateway makes fits its published schema; the AsyncAPI document says what the code takes."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError

from kiezbox_gateway.city import command
from kiezbox_gateway.city.message import NativeProfile, instant
from kiezbox_gateway.store.rows import CLASS_OF_KIND, OutboxClass, Waiting
from tests.gateway.city_broker import Mosquitto, Subscriber
from tests.gateway.deployment import emergency, reading
from tests.gateway.running import running_gateway
from tests.gateway.waiting import until

DOCS = Path(__file__).parents[3] / "docs"
SCHEMA = json.loads((DOCS / "city-message.schema.json").read_text())
ASYNCAPI = yaml.safe_load((DOCS / "asyncapi.yaml").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
MODELS = {"answer": command.Answer, "bulletin": command.Bulletin, "mode": command.Mode}


def test_schema_is_a_schema_and_knows_every_kind() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert set(SCHEMA["properties"]["kind"]["enum"]) == set(CLASS_OF_KIND)
    assert set(ASYNCAPI["channels"]["message"]["parameters"]["kind"]["enum"]) == set(CLASS_OF_KIND)


async def test_everything_a_gateway_publishes_fits(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker")
    broker.start()
    async with Subscriber(broker.port) as city, running_gateway(tmp_path / "gateway", city=broker.url) as running:
        box = running.boxes[0]
        health = {
            "time_s": 1_770_000_000, "clock_quality": 2, "uptime_s": 5, "battery_mv": 3900, "temperature_cc": -250,
            "firmware_version": "0.1.0", "mode": 1, "mode_epoch": 0, "faults": 0,
            "neighbours": [{"node": 5, "rssi_dbm": -100, "snr_db": 5}],
        }  # fmt: skip
        for kind, message in (
            ("emergency", emergency('Zitat: "Hilfe" \\ \n Ende', "CALL2345")),
            ("emergency", {**emergency("Nachtrag", "CALL2345"), "action": 1, "refers_to": 1}),
            ("exercise", emergency("Übung", "EXER2345")),
            ("button", {"time_s": 0, "clock_quality": 0, "action": 0, "button": 1}),
            ("reading", reading(1, 0)),
            ("health", health),
        ):
            _, payloads = box.send(kind, message)
            running.deliver(box, payloads)
        running.radio.deliver(0xABCDEF01, 1, b'"text" \x01 with \\ everything')
        await running.stored(7)
        await running.request("POST", "/api/v1/mode", {"mode": "exercise"})
        await running.request("POST", "/api/v1/calls/CALL2345/stage", {"stage": 5, "text": "Antwort"})
        await until(lambda: {payload["kind"] for _, payload in city.messages} >= set(CLASS_OF_KIND) - {"erasure"})
        await until(running.gateway_has_confirmed_all)
        await running.request("DELETE", "/api/v1/calls/CALL2345")
        await until(lambda: {payload["kind"] for _, payload in city.messages} == set(CLASS_OF_KIND))
    broker.stop()
    for topic, payload in city.messages:
        VALIDATOR.validate(payload)
        assert topic == f"kiezbox/v1/test/{payload['box']}/{payload['kind']}"
    by_kind = {payload["kind"]: payload for _, payload in city.messages}
    assert by_kind["reading"]["measured_at"] is None
    assert by_kind["health"]["measured_at"] == "2026-02-02T02:40:00.000Z"
    assert by_kind["health"]["box_name"] == "Box 0"


def test_schema_refuses_what_is_no_city_message() -> None:
    profile = NativeProfile("test", {})
    good = Waiting(
        1,
        "7c3e51a4-0000002a",
        "reading",
        0x7C3E51A4,
        42,
        True,
        1_770_000_000_123,
        None,
        '{"samples":[{}]}',
        OutboxClass.READING,
    )
    message: dict[str, Any] = json.loads(profile.encode(good)[1])
    VALIDATOR.validate(message)
    for change in (
        {"schema": "kiezbox/2"}, {"kind": "poem"}, {"box": "7C3E"}, {"counter": -1}, {"received_at": "yesterday"},
        {"body": {"samples": []}}, {"body": {"samples": [{"temperature": 21.5}]}}, {"extra": 1}, {"verified": 1},
    ):  # fmt: skip
        with pytest.raises(ValidationError):
            VALIDATOR.validate(message | change)


def test_same_message_same_bytes() -> None:
    profile = NativeProfile("test", {1: 'Box "A" 🏠'})
    row = Waiting(
        1, "00000001-00000001", "call", 1, 1, True, 1_770_000_000_001, 1_770_000_000, '{"text":"ä"}', OutboxClass.CALL
    )
    assert profile.encode(row) == profile.encode(row)
    assert json.loads(profile.encode(row)[1])["box_name"] == 'Box "A" 🏠'
    assert instant(1_770_000_000_001) == "2026-02-02T02:40:00.001Z"
    assert instant(0) == "1970-01-01T00:00:00.000Z"


def test_references_of_the_asyncapi_document_resolve() -> None:
    def walk(node: Any) -> None:
        if isinstance(node, dict):
            reference = node.get("$ref")
            if isinstance(reference, str):
                if reference.startswith("#/"):
                    found: Any = ASYNCAPI
                    for part in reference[2:].split("/"):
                        found = found[part]
                else:
                    assert (DOCS / reference).is_file()
            for each in node.values():
                walk(each)
        elif isinstance(node, list):
            for each in node:
                walk(each)

    walk(ASYNCAPI)
    assert ASYNCAPI["asyncapi"].startswith("3.")


@pytest.mark.parametrize("name", sorted(MODELS))
def test_asyncapi_and_code_agree_on_commands(name: str) -> None:
    described = ASYNCAPI["components"]["messages"][name]
    schema = described["payload"]
    Draft202012Validator.check_schema(schema)
    fields = MODELS[name].model_fields
    assert set(schema["properties"]) == set(fields)
    assert set(schema["required"]) == {key for key, field in fields.items() if field.is_required()}
    for key, field in fields.items():
        if "default" in schema["properties"][key]:
            assert schema["properties"][key]["default"] == field.default
    for example in described["examples"]:
        Draft202012Validator(schema).validate(example["payload"])
        MODELS[name].model_validate(example["payload"])
    code_schema = MODELS[name].model_json_schema()
    for key, wanted in schema["properties"].items():
        for limit in ("minLength", "maxLength", "minimum", "maximum"):
            if limit in wanted:
                plain = code_schema["properties"][key]
                (rules,) = [each for each in plain.get("anyOf", [plain]) if each.get("type") != "null"]
                assert rules[limit] == wanted[limit], (key, limit)


def test_topics_of_the_code_are_described() -> None:
    addresses = {channel["address"] for channel in ASYNCAPI["channels"].values()}
    assert NativeProfile("{district}", {}).confirmed_topic() in addresses
    for name in MODELS:
        assert f"kiezbox/v1/{{district}}/command/{name}" in addresses
    assert {"kiezbox/v1/{district}/up/{box}", "kiezbox/v1/{district}/down"} <= addresses
