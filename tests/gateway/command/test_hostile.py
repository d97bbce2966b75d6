# SPDX-License-Identifier: Apache-2.0
"""Bad input on every option: one sentence, no traceback, an exit status that is not 0, and nothing is changed."""

import os
import subprocess
from pathlib import Path

import click
import pytest
import typer
from typer.testing import CliRunner

from kiezbox_gateway import configuration
from kiezbox_gateway.command import _report as report
from kiezbox_gateway.command.gateway import app
from tests.gateway.city_broker import free_port
from tests.gateway.command.test_root import kiezbox
from tests.gateway.deployment import Deployment, GatewayProcess, emergency
from tests.gateway.store.test_erasure import files_with

BAD = [
    "🚨",
    "\u202eabc",
    "4294967296000000000",
    "-1",
    "x" * 3_000,
    "'; DROP TABLE message; --",
    "../../../etc/passwd",
    "[red]",
    "",
]


def commands() -> list[tuple[tuple[str, ...], click.Command]]:
    group = typer.main.get_command(app)
    found: list[tuple[tuple[str, ...], click.Command]] = []
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        found += [((name, each), part) for each, part in below.items()] if below else [((name,), command)]
    # These have no option but the configuration, which has tests of its own.
    return [(name, command) for name, command in found if name not in (("run",), ("doctor",))]


@pytest.mark.parametrize(
    ("name", "command"), commands(), ids=lambda value: "-".join(value) if isinstance(value, tuple) else ""
)
def test_every_option_and_argument(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: tuple[str, ...], command: click.Command
) -> None:
    deployment = Deployment(tmp_path / "g", radio="tcp://127.0.0.1:1", city=f"mqtt://127.0.0.1:{free_port()}", boxes=1)
    before = {path: path.read_bytes() for path in (tmp_path / "g").rglob("*") if path.is_file()}
    runner = CliRunner()
    monkeypatch.chdir(tmp_path)
    for bad in BAD:
        # The bad value in every argument, and in each option in turn.
        arguments = [bad for each in command.params if isinstance(each, click.Argument)]
        options = [each for each in command.params if isinstance(each, click.Option) and not each.is_flag]
        for option in options or [None]:  # type: ignore[list-item]
            given = ["--config", str(deployment.path)]
            if option is not None:
                given += [option.opts[0], bad]
            result = runner.invoke(app, [*name, *given, "--", *arguments], input="")
            assert result.exit_code != 0 or name in (("token", "list"), ("export",)), (name, option, bad)
            error = result.exception
            assert error is None or isinstance(error, (SystemExit, configuration.ConfigurationError)) or (
                type(error).__module__.startswith("kiezbox") or isinstance(error, OSError)
            ), (name, option, bad, error)  # fmt: skip
    after = {path: path.read_bytes() for path in (tmp_path / "g").rglob("*") if path.is_file()}
    assert after == before


@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 10, b"\xff\xfe", "🚨".encode(), b"[" * 50_000, b"[gateway]\nname = '\x1b[2J'\n"]
)
def test_configurations_that_are_none(tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "gateway.toml"
    file.write_bytes(content)
    for command in ("run", "status", "export", "backup"):
        result = CliRunner().invoke(app, [command, "--config", str(file)])
        assert result.exit_code == 1
        assert isinstance(result.exception, configuration.ConfigurationError)
        assert result.exception.problems
        assert report(result.exception) == 1
    assert "\x1b" not in capsys.readouterr().err


def test_files_of_others(tmp_path: Path) -> None:
    """As another user, who may not read the keys: a sentence that says which file."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user")
    deployment = Deployment(tmp_path / "g", radio="tcp://127.0.0.1:1", city="mqtt://127.0.0.1:1", boxes=1)
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_uid == 0 and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o055)
    deployment.path.chmod(0o644)
    os.seteuid(65534)
    try:
        result = CliRunner().invoke(app, ["status", "--config", str(deployment.path)])
    finally:
        os.seteuid(0)
    assert "api.token cannot be read: Permission denied" in str(result.exception)


async def test_no_secret_and_no_word_in_what_a_process_shows(tmp_path: Path) -> None:
    """Arguments, environment, log, metrics, page: after a call, hostile requests, an answer, an erasure."""
    nobody = free_port()
    deployment = Deployment(tmp_path / "g", radio=f"tcp://127.0.0.1:{nobody}", city=f"mqtt://127.0.0.1:{nobody}")
    from kiezbox_gateway.store.store import Store
    from tests.gateway.store.sample import call

    store = await Store.open(deployment.configuration.gateway.data_dir)
    await store.take(call(1, "Zwiebelfisch", code="SECR2345"))
    await store.close()
    secrets = [path.read_text().strip() for path in (tmp_path / "g" / "keys").iterdir()]
    assert len(secrets) == 5
    gateway = GatewayProcess(deployment)
    await gateway.start()
    try:
        assert gateway.process is not None
        shown = process_shows(gateway.process.pid)
        for path in ("/api/v1/calls", "/api/v1/calls/SECR2345", "/metrics", "/"):
            text = str(await gateway.get(path)) if path.startswith("/api") else await plain(gateway, path)
            if not path.startswith("/api"):
                shown += text
        for word in ("Zwiebelfisch", "SECR2345"):
            for path in (f"/{word}", f"/api/v1/calls/{word}%00", f"/api/v1/messages?kind={word}", f"/calls/{word}"):
                await plain(gateway, path)
        await gateway.get("/api/v1/calls/SECR2345/stage", {"stage": 5, "text": "Zwiebelfisch kommt"})
        arguments = ("gateway", "erase", "SECR2345", "--yes", "--unconfirmed", "--config", str(deployment.path))
        import asyncio

        erased: subprocess.CompletedProcess[str] = await asyncio.to_thread(kiezbox, *arguments)
        assert erased.returncode == 0, erased.stderr
    finally:
        assert await gateway.stop() == 0
    shown += (tmp_path / "g" / "log").read_text()
    for secret in (*secrets, "Zwiebelfisch", "SECR2345", emergency()["place"]):
        assert secret not in shown
    assert files_with(tmp_path, "Zwiebelfisch") == []


def process_shows(pid: int) -> str:
    """What any user of the computer (arguments) or of the same account (environment) sees of a process."""
    return b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ")).decode(
        errors="replace"
    )


async def plain(gateway: GatewayProcess, path: str) -> str:
    import aiohttp

    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{gateway.port}{path}") as answer,
    ):
        return await answer.text()
