# SPDX-License-Identifier: Apache-2.0
"""The HTTP surface: token, errors as JSON, headers, hostile requests, readiness, metrics, the page."""

import asyncio
import json
import random
import re
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from kiezbox_gateway import tokens
from kiezbox_gateway.gateway import Gateway
from kiezbox_gateway.tokens import Role
from kiezbox_gateway.web import access
from kiezbox_gateway.web.server import ROUTES
from tests.gateway.deployment import emergency, reading
from tests.gateway.running import Running, running_gateway
from tests.gateway.waiting import until

DOCS = Path(__file__).parents[3] / "docs" / "gateway.md"


async def filled(running: Running) -> None:
    """A reading, a health message, a call and a text."""
    box = running.boxes[0]
    for kind, message in (
        ("reading", reading(1)),
        ("health", {"uptime_s": 5, "mode": 1, "battery_mv": 3900}),
        ("emergency", emergency("Zwiebelfisch", "WEBC2345")),
    ):
        _, payloads = box.send(kind, message)
        running.deliver(box, payloads)
    running.radio.deliver(0xABCDEF01, 1, b"Pelikan")
    await running.stored(4)


async def test_token_is_needed_for_everything_under_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "ATTEMPTS_BURST", 1_000)
    async with running_gateway(tmp_path) as running:
        for method, path, role, _ in ROUTES:
            if role is None:
                continue
            for token in ("", "wrong", running.deployment.token[:-1], running.deployment.token + "x"):
                status, body = await running.request(
                    method, path.replace("{call}", "X").replace("{box}", "00000001"), token=token
                )
                assert (status, body) == (401, {"error": "a valid bearer token is required"}), path
        status, _ = await running.request("GET", "/api/v1/status")
        assert status == 200
        for path in ("/", "/healthz", "/metrics"):
            assert (await running.request("GET", path, token=""))[0] == 200


async def test_lists(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        await filled(running)
        _, body = await running.request("GET", "/api/v1/boxes")
        first, second = body["boxes"]
        assert (first["name"], first["received"], first["mode"], first["hops"]) == ("Box 0", 3, "everyday", 2)
        assert first["health"]["battery_mv"] == 3900
        assert second["heard_at"] is None
        _, body = await running.request("GET", "/api/v1/messages?limit=1000")
        assert [each["kind"] for each in body["messages"] if each["kind"] != "gateway"] == [
            "call", "call", "health", "reading",
        ]  # fmt: skip
        assert "Zwiebelfisch" not in json.dumps(body)
        assert "Pelikan" not in json.dumps(body)
        _, body = await running.request("GET", "/api/v1/messages?kind=reading&box=" + first["box"])
        assert len(body["messages"]) == 1
        assert body["messages"][0]["body"]["samples"]
        sequence = body["messages"][0]["sequence"]
        _, body = await running.request("GET", f"/api/v1/messages?before={sequence}")
        assert body["messages"] == []
        _, body = await running.request("GET", "/api/v1/calls?open=1")
        assert {call["body"]["text"] for call in body["calls"]} == {"Zwiebelfisch", "Pelikan"}
        _, body = await running.request("GET", "/api/v1/calls/WEBC2345")
        assert body["stages"][0]["stage"] == 2
        _, body = await running.request("GET", "/api/v1/status")
        assert (body["waiting"]["call"], body["waiting"]["text"]) == (1, 1)
        assert body["radio"]["state"] == "ready"
        assert body["city"]["connected"] is False


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/v1/nothing", None, 404),
        ("PUT", "/api/v1/boxes", None, 405),
        ("GET", "/api/v1/messages?limit=0", None, 400),
        ("GET", "/api/v1/messages?limit=x", None, 400),
        ("GET", "/api/v1/messages?limit=1001", None, 400),
        ("GET", "/api/v1/messages?limit=" + "9" * 5000, None, 400),
        ("GET", "/api/v1/messages?box=xyz", None, 400),
        ("GET", "/api/v1/messages?box=1_0", None, 400),
        ("GET", "/api/v1/messages?box=" + "f" * 5000, None, 400),
        ("GET", "/api/v1/messages?kind=nothing", None, 400),
        ("GET", "/api/v1/messages?limit=%C2%B3", None, 400),
        ("POST", "/api/v1/boxes/zzzzzzzz/settings", {"name": "x"}, 404),
        ("POST", "/api/v1/boxes/7c3e5100/settings", {}, 422),
        ("POST", "/api/v1/boxes/7c3e5100/settings", {"root_key": "00"}, 422),
        ("POST", "/api/v1/boxes/7c3e5100/settings", {"reading_interval_s": 0}, 422),
        ("GET", "/api/v1/messages?before=-1", None, 400),
        ("GET", "/api/v1/messages?before=" + "9" * 30, None, 400),
        ("GET", "/api/v1/calls/NOSUCH22", None, 404),
        ("GET", "/api/v1/calls/%00%ff'--", None, 404),
        ("DELETE", "/api/v1/calls/NOSUCH22", None, 404),
        ("POST", "/api/v1/calls/NOSUCH22/stage", {"stage": 3}, 404),
        ("POST", "/api/v1/calls/NOSUCH22/stage", {"stage": 9}, 422),
        ("POST", "/api/v1/calls/NOSUCH22/stage", {"stage": 5, "text": ""}, 422),
        ("POST", "/api/v1/mode", {"mode": "party"}, 422),
        ("POST", "/api/v1/mode", {"mode": "emergency", "extra": 1}, 422),
        ("POST", "/api/v1/mode", {"mode": "emergency", "scope": "box", "box": "00000001"}, 422),
        ("POST", "/api/v1/mode", [], 422),
        ("POST", "/api/v1/bulletins", {"id": "1"}, 422),
    ],
)
async def test_bad_requests_get_a_sentence_and_change_nothing(
    tmp_path: Path, method: str, path: str, body: Any, status: int
) -> None:
    async with running_gateway(tmp_path) as running:
        got, answer = await running.request(method, path, body)
        assert got == status
        assert isinstance(answer["error"], str)
        assert 3 < len(answer["error"]) < 300
        assert await running.gateway.store.rows("SELECT count(*) FROM job") == [(0,)]


async def test_bodies_that_are_no_json(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        assert (await running.request("POST", "/api/v1/mode", raw=b"{"))[0] == 400
        assert (await running.request("POST", "/api/v1/mode", raw=b"[" * 10_000))[0] == 400
        assert (await running.request("POST", "/api/v1/mode", raw=b"\xff\xfe"))[0] == 400
        assert (await running.request("POST", "/api/v1/mode", raw=b"x" * 70_000))[0] == 413
        assert (await running.request("POST", "/api/v1/mode"))[0] == 415


async def test_raw_garbage_on_the_port(tmp_path: Path) -> None:
    """Requests no client would send, mutated ones, and connections left open: the gateway goes on."""
    chance = random.Random(41)
    async with running_gateway(tmp_path) as running:
        genuine = (
            b"POST /api/v1/mode HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
            + running.deployment.token.encode()
            + b'\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n{"mode":"everyday"}'
        )
        idle = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(30)]
        for _ in range(300):
            raw = bytearray(genuine)
            for _ in range(chance.randint(1, 8)):
                position = chance.randrange(len(raw))
                raw[position : position + chance.randrange(4)] = chance.randbytes(chance.randrange(4))
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(bytes(raw) if chance.random() < 0.8 else chance.randbytes(chance.randrange(1, 2000)))
            if chance.random() < 0.5:
                writer.write_eof()
                await asyncio.wait_for(reader.read(), 30)
            writer.close()
        for each in idle:
            each.close()
        assert (await running.request("GET", "/healthz"))[0] == 200
        assert (await running.request("GET", "/api/v1/status"))[0] == 200


async def test_fault_inside_is_500_without_a_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_gateway(tmp_path) as running:

        async def fail(self: Gateway) -> None:
            raise RuntimeError("secret detail")

        monkeypatch.setattr(Gateway, "waiting_counts", fail)
        status, body = await running.request("GET", "/api/v1/status")
        assert (status, body) == (500, {"error": "internal error"})
        monkeypatch.undo()


async def test_headers_keep_browsers_in_bounds(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running, aiohttp.ClientSession() as session:
        for path in ("/", "/nothing", "/api/v1/status"):
            async with session.get(f"http://127.0.0.1:{running.port}{path}") as answer:
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert answer.headers["Cache-Control"] == "no-store"


async def test_ready_while_messages_can_be_taken(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        assert await running.request("GET", "/readyz") == (200, {"ready": True, "reasons": []})
        await running.radio.stop()
        await until(lambda: running.gateway.link.status.state != "ready")
        assert await running.request("GET", "/readyz") == (503, {"ready": False, "reasons": ["radio"]})


async def test_metrics_are_well_formed_and_without_personal_data(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        await filled(running)
        _, text = await running.request("GET", "/metrics", token="")
        found = {family.name: family for family in text_string_to_metric_families(text)}
        stored = {sample.labels["kind"]: sample.value for sample in found["kiezbox_stored"].samples}
        assert stored == {"reading": 1, "health": 1, "call": 2}
        assert found["kiezbox_radio_ready"].samples[0].value == 1
        waiting = {sample.labels["class"]: sample.value for sample in found["kiezbox_city_waiting"].samples}
        assert (waiting["call"], waiting["text"]) == (1, 1)
        for secret in ("Zwiebelfisch", "Pelikan", "WEBC2345", running.deployment.token):
            assert secret not in text
        # Documented, each of them, and nothing documented that is not there.
        documented = set(re.findall(r"`(kiezbox_[a-z_]+)`", DOCS.read_text()))
        assert documented == set(found)


def test_every_route_is_documented() -> None:
    text = DOCS.read_text()
    for method, path, *_ in ROUTES:
        assert f"`{method} {path}" in text, f"{method} {path}"


async def test_roles(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        await filled(running)
        made = {
            role: tokens.add(running.gateway.configuration.web.tokens_file, role.name.lower(), role) for role in Role
        }
        for method, path, needed, _ in ROUTES:
            if needed is None:
                continue
            for role, token in made.items():
                where = path.replace("{call}", "NOSUCH22").replace("{box}", "00000001")
                status, body = await running.request(method, where, token=token)
                assert (status == 403) == (role < needed), (method, path, role, body)
        _, body = await running.request("GET", "/api/v1/token", token=made[Role.READER])
        assert body == {"name": "reader", "role": "reader"}
        # Revoked: it ends at once.
        tokens.revoke(running.gateway.configuration.web.tokens_file, "reader")
        status, _ = await running.request("GET", "/api/v1/calls", token=made[Role.READER])
        assert status == 401
        status, _ = await running.request("GET", "/api/v1/status", token=made[Role.OBSERVER])
        assert status == 200
        _, body = await running.request("GET", "/api/v1/messages?limit=1000", token=made[Role.OBSERVER])
        assert "Zwiebelfisch" not in json.dumps(body)


async def test_guessing_is_slowed_down_and_locks_nobody_else_out(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        seen = [(await running.request("GET", "/api/v1/status", token="x" * 40))[0] for _ in range(30)]
        assert seen[:10] == [401] * 10
        assert seen.count(429) >= 15
        assert (await running.request("GET", "/api/v1/status"))[0] == 200


async def test_orders_are_paced(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        seen = [(await running.request("POST", "/api/v1/mode", {"mode": "everyday"}))[0] for _ in range(25)]
        assert seen[:20] == [202] * 20
        assert 429 in seen


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:1", 200), ("localhost", 200), ("[::1]:80", 200), ("192.168.1.7", 200),
        ("gateway.example.org:9", 200),
        ("evil.example", 403), ("127.0.0.1.evil.example", 403), ("localhost.evil.example", 403),
        ("evil.example:80:80", 403),
        ("", 403), ("[::1", 200), ("[evil]", 403),
    ],
)  # fmt: skip
async def test_names_of_others_are_refused(tmp_path: Path, host: str, status: int) -> None:
    """A page of another site that points its name at this address (DNS rebinding) gets nothing."""
    known = {'# allowed_hosts = ["gateway.example.org"]': 'allowed_hosts = ["gateway.example.org"]'}
    async with running_gateway(tmp_path, settings=known) as running, aiohttp.ClientSession() as session:
        for path in ("/", "/healthz", "/metrics"):
            async with session.get(f"http://127.0.0.1:{running.port}{path}", headers={"Host": host}) as answer:
                assert answer.status == status, path


async def test_errors_are_said_in_the_language_asked_for(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running, aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {running.deployment.token}", "Accept-Language": "de-DE,en;q=0.5"}
        url = f"http://127.0.0.1:{running.port}/api/v1/calls/NOSUCH22"
        async with session.get(url, headers=headers) as answer:
            assert (await answer.json())["error"] == "kein Hilferuf hat den Code oder die Kennung NOSUCH22"


async def test_settings_and_audit(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        box = f"{running.boxes[0].node_num:08x}"
        status, body = await running.request("POST", f"/api/v1/boxes/{box}/settings", {"reading_interval_s": 600})
        assert status == 202
        await until(lambda: any(type(event).__name__ == "ConfigurationReceived" for event in running.boxes[0].events))
        (event,) = [each for each in running.boxes[0].events if type(each).__name__ == "ConfigurationReceived"]
        assert event.message == {"reading_interval_s": 600}
        _, body = await running.request("GET", "/api/v1/audit")
        assert {"actor": "token:command line", "action": "settings", "detail": f"{box} reading_interval_s"}.items() <= (
            body["audit"][0].items()
        )


async def test_a_mode_is_shown_once_its_box_has_confirmed_it(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as running:
        running.boxes.pop()
        await running.request("POST", "/api/v1/mode", {"mode": "emergency"})

        async def shown() -> list[str | None]:
            running.let_time_pass(1_000)
            return [box["mode"] for box in (await running.request("GET", "/api/v1/boxes"))[1]["boxes"]]

        await until(lambda: confirmed(shown))


async def confirmed(shown: Any) -> bool:
    return bool(await shown() == ["emergency", None])
