# SPDX-License-Identifier: Apache-2.0
"""Starting a board: with the interpreter in use, and how another one is handed the image."""

import os
import subprocess
from pathlib import Path

import pytest
from mpremote.romfs import VfsRomWriter

from kiezbox_simulator import board
from kiezbox_simulator.firmware_build import _compile_text
from kiezbox_simulator.interpreter import VARIABLE, interpreter

PROGRAM = """
import gc, sys
print(sys.argv, sys.path, gc.threshold())
print(gc.mem_alloc() + gc.mem_free())
gc.collect()
before = gc.mem_alloc()
import large
gc.collect()
print(gc.mem_alloc() - before)
"""
ANOTHER = """#!/bin/sh
if [ "$1" = -c ]; then echo 32 1 29 0; exit; fi
printf '%s\\n' "$@"
number=$(printf '%s' "$4" | sed -n 's/.*romfile.map(\\([0-9]*\\)).*/\\1/p')
cat /proc/self/fd/"$number"
"""


def said(command: list[str]) -> list[str]:
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    return result.stdout.splitlines()


def test_a_module_of_the_image_runs_in_its_heap_and_its_code_outside_of_it(tmp_path: Path) -> None:
    writer = VfsRomWriter()
    writer.mkfile("program.mpy", _compile_text(PROGRAM, "program"))
    writer.mkfile("large.mpy", _compile_text(f"def f():\n    return b'{'x' * 20_000}'", "large"))
    image = tmp_path / "image.romfs"
    image.write_bytes(bytes(writer.finalise()))
    start, heap_bytes, taken_bytes = said(board.command(image, "program", "one", "two", heap_kib=64))
    assert start == "['program', 'one', 'two'] ['/rom', '.frozen'] 8192"
    assert 60_000 < int(heap_bytes) < 65_536
    assert int(taken_bytes) < 1_000


def test_another_interpreter_is_handed_the_open_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "another"
    path.write_text(ANOTHER)
    path.chmod(0o755)
    image = tmp_path / "image.romfs"
    image.write_text("the image\n")
    monkeypatch.setenv(VARIABLE, str(path))
    command = board.command(image, "program", "one", threshold_bytes=-1)
    monkeypatch.delenv(VARIABLE)
    assert os.environ.get(VARIABLE) is None, "the command line says it all"
    lines = said(command)
    assert lines[:3] == ["-X", f"heapsize={board.HEAP_KIB[32]}k", "-c"]
    assert "gc.threshold(-1)" in lines
    assert lines[-3:] == ["import program", "", "the image"]


def test_a_box_has_the_heap_of_the_interpreter_s_word_size(tmp_path: Path) -> None:
    assert board.heap_kib_of_a_box() == board.HEAP_KIB[interpreter().word_bits]
    assert f"{board.heap_kib_of_a_box()}k" in board.command(tmp_path, "program")
