# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from kiezbox_simulator.interpreter import VARIABLE, InterpreterError, interpreter
from kiezbox_simulator.program import installed_command


def program(folder: Path, text: str) -> str:
    path = folder / "another"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("value", [None, ""])
def test_without_the_variable_it_is_the_package_s(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(VARIABLE, value)
    found = interpreter()
    assert (found.path, found.is_packaged, found.word_bits) == (installed_command("micropython"), True, 64)
    assert str(found).startswith("the 64-bit MicroPython 1.")


def test_what_it_says_of_itself_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = program(tmp_path, "echo 32 1 29 0 preview")
    monkeypatch.setenv(VARIABLE, path)
    found = interpreter()
    assert (found.path, found.is_packaged, found.word_bits) == (path, False, 32)
    assert str(found) == "the 32-bit MicroPython 1.29.0-preview"
    monkeypatch.delenv(VARIABLE)
    assert interpreter().is_packaged


def test_a_path_is_the_same_from_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = program(tmp_path, "echo 32 1 29 0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, "another")
    assert interpreter().path == path


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("exit 1", "it said nothing"),
        ("echo fine", "fine"),
        ("echo 32 1 29 0; echo ImportError >&2; exit 1", "ImportError"),
    ],
)
def test_what_no_box_can_run_on_is_refused_with_the_way_out(
    text: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = program(tmp_path, text)
    monkeypatch.setenv(VARIABLE, path)
    with pytest.raises(InterpreterError) as refused:
        interpreter()
    message = str(refused.value)
    assert message.startswith(f"{VARIABLE}: {path} ")
    assert f"({reason})" in message
    assert "tools/micropython_32bit/README.md" in message


def test_an_interpreter_that_cannot_map_a_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, installed_command("micropython"))
    with pytest.raises(InterpreterError, match="no module named 'romfile'"):
        interpreter()


def test_a_file_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "gone"))
    with pytest.raises(InterpreterError, match="cannot be run"):
        interpreter()
