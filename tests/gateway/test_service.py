# SPDX-License-Identifier: Apache-2.0
"""Readiness and watchdog towards systemd, and the unit file's hardening."""

import asyncio
import configparser
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from kiezbox_gateway import service
from tests.gateway.running import running_gateway
from tests.gateway.waiting import until

UNIT = Path(service.__file__).with_name("kiezbox-gateway.service")


async def test_watchdog_is_fed_only_while_the_store_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        monkeypatch.setenv("WATCHDOG_USEC", "400000")
        heard: list[str] = []

        def listen() -> int:
            try:
                while True:
                    heard.append(manager.recv(1000).decode())
            except BlockingIOError:
                return len(heard)

        async with running_gateway(tmp_path / "gateway") as running:
            await until(lambda: listen() >= 3)
            assert heard[0] == "READY=1"
            assert heard[1:3] == ["WATCHDOG=1", "WATCHDOG=1"]
            real = running.gateway.store.writer.submit
            never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            running.gateway.store.writer.submit = lambda work: never  # type: ignore[method-assign, assignment, return-value]
            heard.clear()
            await until(lambda: listen() >= 1 and "STATUS=the store does not answer" in heard)
            await asyncio.sleep(0.5)
            listen()
            assert "WATCHDOG=1" not in heard[1:]
            running.gateway.store.writer.submit = real  # type: ignore[method-assign]


def test_without_a_manager_nothing_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    service.tell("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    service.tell("READY=1")


def test_systemd_accepts_the_unit_and_finds_it_confined(tmp_path: Path) -> None:
    """With the program replaced by one that is on every system, since this one is installed elsewhere."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not on this system")
    unit = tmp_path / "kiezbox-gateway.service"
    unit.write_text(UNIT.read_text().replace("/opt/kiezbox/bin/kiezbox", "/bin/true"))
    checked = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60)
    assert (checked.returncode, checked.stderr) == (0, "")
    arguments = ["systemd-analyze", "security", "--offline=true", "--threshold=25", "--no-pager", str(unit)]
    judged = subprocess.run(arguments, capture_output=True, text=True, timeout=60)
    assert judged.returncode == 0, judged.stdout.splitlines()[-1:]


def test_unit_is_hardened() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(UNIT.read_text())
    settings = unit["Service"]
    assert settings["Type"] == "notify"
    assert settings["Restart"] == "always"
    assert int(settings["WatchdogSec"]) >= 10
    assert "kiezbox gateway run --config" in settings["ExecStart"]
    for name, value in {
        "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes",
        "CapabilityBoundingSet": "", "MemoryDenyWriteExecute": "yes", "ProtectKernelTunables": "yes",
        "RestrictNamespaces": "yes", "LockPersonality": "yes", "RestrictSUIDSGID": "yes", "UMask": "0077",
    }.items():  # fmt: skip
        assert settings[name] == value, name
    assert settings["User"] == "kiezbox"
    assert "dialout" in settings["SupplementaryGroups"]
    assert "AF_INET" in settings["RestrictAddressFamilies"]
