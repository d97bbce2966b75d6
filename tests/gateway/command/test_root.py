# SPDX-License-Identifier: Apache-2.0
"""The command `kiezbox`: help that teaches, version, lazy parts, and never a traceback."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import typer

from kiezbox import __version__
from kiezbox_gateway import command


def kiezbox(*arguments: str, cwd: Path | None = None, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run it as a user does."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("kiezbox")), *arguments],
        capture_output=True, text=True, cwd=cwd, input=given, timeout=60,
    )  # fmt: skip


def test_version_and_help() -> None:
    assert kiezbox("--version").stdout == f"kiezbox {__version__}\n"
    shown = kiezbox("--help")
    assert shown.returncode == 0
    for name in ("demo", "frame", "gateway", "sim"):
        assert name in shown.stdout
    assert "gateway init" in " ".join(shown.stdout.split())
    assert "gateway" in kiezbox().stdout + kiezbox().stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("gateway", "nonsense"),
        ("gateway", "run", "--nonsense"),
        ("frame", "decode"),
        ("gateway", "mode", "x"),
    ],
)
def test_wrong_usage_is_2_and_a_sentence(arguments: tuple[str, ...]) -> None:
    result = kiezbox(*arguments)
    assert result.returncode == 2
    assert "Error" in result.stderr
    assert "Traceback" not in result.stderr


def test_broken_part_does_not_break_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = metadata.EntryPoint("broken", "kiezbox_gateway.no_such_module:app", command.GROUP)
    real = metadata.entry_points

    def with_broken(**wanted: str) -> object:
        if wanted.get("name") == "broken":
            return [broken]
        found = list(real(**wanted))
        return [*found, broken] if "name" not in wanted else found

    monkeypatch.setattr(metadata, "entry_points", with_broken)
    for arguments, status in (["--help"], 0), (["broken", "--x", "y"], 1):
        monkeypatch.setattr(sys, "argv", ["kiezbox", *arguments])
        with pytest.raises(SystemExit) as ended:
            command.main()
        assert (ended.value.code or 0) == status
    captured = capsys.readouterr()
    assert "cannot be loaded" in captured.out
    assert captured.err.startswith("kiezbox: the command broken cannot be loaded: ModuleNotFoundError")


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (command.CommandError("Do this."), 1, "kiezbox: Do this.\n"),
        (FileNotFoundError(2, "No such file or directory", "/x"), 1, "kiezbox: No such file or directory: /x\n"),
        (KeyboardInterrupt(), 130, ""),
        (ZeroDivisionError("by zero"), 70, "kiezbox: internal error (ZeroDivisionError: by zero)"),
    ],
)
def test_every_error_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    sentence: str,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.delenv("KIEZBOX_TRACEBACK", raising=False)
    monkeypatch.setattr(command, "app", fail)
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == status
    written = capsys.readouterr().err
    assert written.startswith(sentence)
    assert "Traceback" not in written


def test_reader_that_goes_away_is_no_error_text() -> None:
    shell = f"{Path(sys.executable).with_name('kiezbox')} --help | head -1"
    result = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, timeout=60)
    assert "Traceback" not in result.stderr
    assert "BrokenPipe" not in result.stderr


def test_entry_points_are_commands() -> None:
    for name in ("frame", "gateway"):
        (point,) = metadata.entry_points(group=command.GROUP, name=name)
        assert isinstance(point.load(), typer.Typer)
