# SPDX-License-Identifier: Apache-2.0
"""`kiezbox gateway` as an operator uses it: from init to erase, with a running gateway and without."""

import csv
import io
import json
import os
import socket
from pathlib import Path

import pytest

from kiezbox.protocol import envelope
from kiezbox_gateway.store import database
from tests.gateway.city_broker import Mosquitto, Subscriber, free_port
from tests.gateway.command.test_root import kiezbox
from tests.gateway.deployment import Deployment, GatewayProcess, emergency, reading
from tests.gateway.radio_peer import RadioPeer
from tests.gateway.running import running_gateway
from tests.gateway.store.test_erasure import files_with
from tests.gateway.waiting import until


def test_init_enroll_check(tmp_path: Path) -> None:
    made = kiezbox("gateway", "init", str(tmp_path / "g"), "--district", "mitte", "--name", "Wache Mitte")
    assert made.returncode == 0
    config = ("--config", str(tmp_path / "g" / "gateway.toml"))
    assert kiezbox("gateway", "enroll", "7c3e51a4", "Box am Platz", *config).returncode == 0
    assert "in order" in kiezbox("gateway", "run", "--check-config", *config).stdout
    for arguments, sentence in (
        (("gateway", "init", str(tmp_path / "g")), "not overwritten"),
        (("gateway", "init", str(tmp_path / "h"), "--district", "Not Good"), "gateway.district"),
        (("gateway", "enroll", "7c3e51a4", "Again", *config), "already"),
        (("gateway", "enroll", "xyz", "Box", *config), "hexadecimal"),
        (("gateway", "status", *config), "not running"),
        (("gateway", "export", *config), "has the gateway run yet"),
        (("gateway", "backup", *config), "no database"),
        (("gateway", "restore", str(tmp_path / "none"), *config), "not there"),
        (("gateway", "erase", "X", "--yes", *config), "no database"),
        (("gateway", "run", "--config", str(tmp_path / "none.toml")), "no such file"),
        (("gateway", "status", "--config", str(tmp_path)), "cannot be read"),
    ):
        result = kiezbox(*arguments)
        assert result.returncode == 1, arguments
        assert sentence in result.stderr, result.stderr
        assert "Traceback" not in result.stderr


def test_all_mistakes_of_a_configuration_are_listed(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text("[gateway]\nname = 'x'\n[city]\nport = 1\n")
    result = kiezbox("gateway", "run", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.count("  - ") == 4
    assert "city.port is not a known setting" in result.stderr


def test_key_open_to_others_stops_the_start(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, radio="tcp://127.0.0.1:1", city="mqtt://127.0.0.1:1")
    deployment.configuration.web.token_file.chmod(0o644)
    result = kiezbox("gateway", "run", "--config", str(deployment.path))
    assert result.returncode == 1
    assert "chmod 600" in result.stderr


def test_taken_port_and_second_gateway_are_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        deployment = Deployment(
            tmp_path, radio="tcp://127.0.0.1:1", city="mqtt://127.0.0.1:1", settings={"port = 0 ": f"port = {port} "}
        )
        result = kiezbox("gateway", "run", "--config", str(deployment.path))
    assert result.returncode == 1
    assert f"port {port} is in use" in result.stderr
    lock = database.lock_folder(deployment.configuration.gateway.data_dir)
    result = kiezbox("gateway", "run", "--config", str(deployment.path))
    os.close(lock)
    assert result.returncode == 1
    assert "another gateway is using" in result.stderr


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    deployment = Deployment(
        tmp_path / "g", radio="tcp://127.0.0.1:1", city="mqtt://127.0.0.1:1",
        settings={'data_dir = "data"': f'data_dir = "{tmp_path}/file/data"'},
    )  # fmt: skip
    result = kiezbox("gateway", "run", "--config", str(deployment.path))
    assert result.returncode == 1
    assert "cannot be used" in result.stderr


async def test_a_day_of_an_operator(tmp_path: Path) -> None:
    import asyncio

    broker = Mosquitto(tmp_path / "broker")
    broker.start()
    async with RadioPeer() as radio, Subscriber(broker.port, "kiezbox/v1/test/+/call") as city:
        deployment = Deployment(tmp_path / "gateway", radio=radio.address, city=broker.url)
        radio.channels[0].settings.psk = deployment.channel_key
        config = ("--config", str(deployment.path))
        gateway = GatewayProcess(deployment)
        await gateway.start()
        try:
            await radio.wait_for(lambda: radio.configured_clients > 0)
            box = deployment.box(0)
            for number in range(1, 4):
                radio.deliver(box.node_num, envelope.PORTNUM, box.send("reading", reading(number))[1][0])
            for payload in box.send("emergency", emergency("Zwiebelfisch", "DAYS2345"))[1]:
                radio.deliver(box.node_num, envelope.PORTNUM, payload)
            for payload in box.send("emergency", emergency("Pelikan", "DAYS2346"))[1]:
                radio.deliver(box.node_num, envelope.PORTNUM, payload)
            await city.wait_for(2)
            await until(gateway.nothing_waits)

            async def say(*arguments: str) -> str:
                result = await asyncio.to_thread(kiezbox, "gateway", *arguments, *config)
                assert result.returncode == 0, (arguments, result.stderr)
                return result.stdout

            assert "connected" in await say("status")
            assert json.loads(await say("status", "--json"))["district"] == "test"
            assert json.loads(await say("boxes", "--json"))[0]["received"] == 5
            assert "Box 0" in await say("boxes")
            assert len(json.loads(await say("messages", "--kind", "reading", "--json"))) == 3
            assert "Zwiebelfisch" not in await say("messages")
            assert [call["code"] for call in json.loads(await say("calls", "--open", "--json"))] == [
                "DAYS2346",
                "DAYS2345",
            ]
            assert "DAYS2345" in await say("calls")
            assert "stage 4" in await say("answer", "days2345", "--stage", "4")
            assert json.loads(await say("answer", "DAYS2345", "Wir kommen", "--json"))["stage"] == 5
            assert "job" in await say("mode", "exercise")
            assert {job["kind"] for job in json.loads(await say("jobs", "--json"))} == {"reply", "mode"}
            assert "1 on air" in await say("jobs") or "queued" in await say("jobs")
            rows = list(csv.DictReader(io.StringIO(await say("export", "csv"))))
            assert [row["sequence"] for row in rows] == ["1", "2", "3"]
            assert rows[0]["temperature_cc"] == "2101"
            assert rows[0]["measured_at"] == "2026-02-02T02:40:00.000Z"
            assert rows[0]["gas_ohm"] == ""
            features = json.loads(await say("export", "geojson"))["features"]
            assert features[0]["properties"]["temperature_cc"] == 2103
            assert features[0]["geometry"] is None
            await say("export", "csv", "--output", str(tmp_path / "out.csv"))
            assert (tmp_path / "out.csv").read_text().count("\n") == 4
            await say("backup")
            await say("backup", str(tmp_path / "copy.sqlite"))
            findings = json.loads(await say("doctor", "--json"))
            assert {finding["name"]: finding["good"] for finding in findings} == {
                "configuration": True, "keys": True, "disk": True, "database": True, "clock": True, "certificate": True,
                "gateway": True, "radio": True, "city": True,
            }  # fmt: skip
            failed = await asyncio.to_thread(kiezbox, "gateway", "restore", str(tmp_path / "copy.sqlite"), *config)
            assert failed.returncode == 1
            assert "another gateway is using" in failed.stderr
            await until(gateway.nothing_waits)
            await say("erase", "DAYS2345", "--yes")
            data = deployment.configuration.gateway.data_dir
            # Also from the copy that `backup` made elsewhere.
            assert files_with(tmp_path, "Zwiebelfisch") == []
            (tmp_path / "copy.sqlite").rename(tmp_path / "moved.sqlite")
        finally:
            assert await gateway.stop() == 0
        # An older backup does not bring an erased call back.
        result = await asyncio.to_thread(
            kiezbox, "gateway", "restore", str(tmp_path / "moved.sqlite"), "--json", *config
        )
        assert result.returncode == 0
        assert files_with(data, "Zwiebelfisch") == []
        assert files_with(data, "Pelikan")
        # Without a running gateway; a copy that is not where it was made is named.
        result = await asyncio.to_thread(kiezbox, "gateway", "erase", "DAYS2346", "--yes", "--json", *config)
        assert result.returncode == 4, result.stderr
        assert json.loads(result.stdout)["not_reached"] == [str(tmp_path / "copy.sqlite")]
        assert files_with(tmp_path / "gateway", "Pelikan") == []
        assert files_with(tmp_path, "Pelikan") == ["moved.sqlite"]
    broker.stop()
    assert files_with(tmp_path / "gateway", "Zwiebelfisch") == []


async def test_doctor_says_what_is_wrong(tmp_path: Path) -> None:
    import asyncio

    deployment = Deployment(
        tmp_path, radio=f"tcp://127.0.0.1:{free_port()}", city=f"mqtt://127.0.0.1:{free_port()}", boxes=0
    )
    from kiezbox_gateway.command import doctor

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(doctor, "RADIO_TIMEOUT_S", 1.0)
        found = {each.name: each for each in await asyncio.to_thread(examine, deployment.path)}
    assert not found["keys"].good
    assert "enroll" in found["keys"].advice
    assert not found["radio"].good
    assert "Connection refused" in found["radio"].found
    assert not found["city"].good
    (deployment.configuration.gateway.data_dir / database.FILE_NAME).write_bytes(b"no database " * 500)
    result = await asyncio.to_thread(kiezbox, "gateway", "doctor", "--config", str(deployment.path), "--json")
    assert result.returncode == 1
    damaged = next(each for each in json.loads(result.stdout) if each["name"] == "database")
    assert not damaged["good"]
    (tmp_path / "gateway.toml").write_text("[gateway]\nname = 1\n")
    result = await asyncio.to_thread(kiezbox, "gateway", "doctor", "--config", str(deployment.path), "--json")
    assert result.returncode == 1
    assert "gateway.district is missing" in [each["found"] for each in json.loads(result.stdout)]


def examine(path: Path) -> list["object"]:
    from kiezbox_gateway.command import doctor

    return doctor.examine(path)


async def test_commands_do_not_use_a_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    from kiezbox_gateway.command import client

    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with running_gateway(tmp_path) as running:
        port_file = running.deployment.configuration.gateway.data_dir / client.PORT_FILE
        port_file.write_text(str(running.port))
        found = await asyncio.to_thread(client.call, running.deployment.path, "GET", "/api/v1/status")
        assert found["district"] == "test"
