# SPDX-License-Identifier: Apache-2.0
"""What is rarely run leaves the whole, does the same when it is called, and can be collected afterwards."""

import subprocess
import traceback
from pathlib import Path
from typing import Any

import pytest
from mpremote.romfs import VfsRomWriter

from kiezbox_simulator import board
from kiezbox_simulator.firmware_build import FIRMWARE_DIR, _compile_text, whole_box
from kiezbox_simulator.firmware_late import ALL, late_names, split
from kiezbox_simulator.firmware_link import Linked, link
from kiezbox_simulator.firmware_source import FirmwareSourceError

SOURCES = {
    "kiezbox.late": (FIRMWARE_DIR / "kiezbox" / "late.py").read_text(),
    "kiezbox.table": "SQUARES = [one * one for one in range(9)]\n\n\ndef square(number):\n    return SQUARES[number]\n",
    "kiezbox.a": (
        "from kiezbox.table import square\n\nseen = []\n\n\n"
        "class Box:\n"
        "    def __init__(self, name, size=2):\n        self.name = name\n        self.size = size\n\n"
        "    def often(self, number):\n        return self.rarely(number) + ends(number)\n\n"
        "    def rarely(self, number, factor=3):\n"
        '        """Text."""\n        seen: list[Missing] = []\n        seen.append(square(number))\n'
        "        return [one * factor for one in seen][0] + self._inner()\n\n"
        "    def _inner(self):\n        return self.size\n\n"
        "    async def awaited(self):\n        return self.name\n\n"
        "    def fails(self):\n        return 1 / 0\n\n\n"
        "def ends(number):\n    seen.append(number)\n    return square(number) + len(seen)\n\n\n"
        "def hides(square):\n    return square\n"
    ),
    "main": "from kiezbox.a import Box, ends, hides, seen\nfrom kiezbox import late\n",
}
LATE: dict[str, list[str] | str] = {
    "kiezbox.table": ALL,
    "kiezbox.a": ["Box.__init__", "Box.rarely", "Box._inner", "Box.awaited", "Box.fails", "ends"],
}


def linked(sources: dict[str, str] | None = None) -> Linked:
    return link("main", sources or SOURCES, "kiezbox.late")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    resident, units = split(linked(), LATE)
    writer = VfsRomWriter()
    for name, text in {"main": resident, **units}.items():
        writer.mkfile(f"{name}.mpy", _compile_text(text, "main"))
    program = Path(__file__).parent / "late_code_on_micropython.py"
    writer.mkfile("program.mpy", _compile_text(program.read_text(), "program"))
    path = tmp_path_factory.mktemp("late") / "image.romfs"
    path.write_bytes(bytes(writer.finalise()))
    return path


def test_on_micropython_late_code_does_the_same_and_is_garbage_afterwards(image: Path) -> None:
    output = subprocess.run(
        board.command(image, "program", heap_kib=64), capture_output=True, text=True, check=False, timeout=30
    )
    fails = 1 + next(number for number, line in enumerate(linked().text.splitlines()) if "1 / 0" in line)
    assert output.stdout.splitlines() == [
        *("47", "('name', 4)", "no attribute", "False", "name", f"line {fails}", "collected"),
    ]


def test_lines_keep_their_numbers() -> None:
    whole = linked()
    resident, units = split(whole, LATE)
    lines = whole.text.splitlines()
    assert len(resident.splitlines()) == len(lines)
    for text in units.values():
        for number, line in enumerate(text.splitlines()[1:], 2):
            assert not line or line == "if 1:" or line == lines[number - 1] or "load_late(" in line


def test_only_what_is_resident_stays_resident() -> None:
    resident, units = split(linked(), LATE)
    assert set(units) == {"Box", "a", "table"}
    assert "SQUARES" not in resident
    assert "1 / 0" not in resident
    assert "def hides(square)" in resident
    assert "def often" in resident


@pytest.mark.parametrize(
    ("source", "late", "what"),
    [
        (
            "class A:\n    def f(self):\n        pass\n\n\nclass B(A):\n    def g(self):\n        pass\n",
            ["A.f"],
            "heirs",
        ),
        ("class A(Exception):\n    def f(self):\n        pass\n", ["A.f"], "inherits"),
        ("class A:\n    @property\n    def f(self):\n        return 1\n", ["A.f"], "decorator"),
        ("n = 0\n\n\ndef f():\n    global n\n    n = 1\n\n\ndef g():\n    return n\n", ["g"], "set again"),
        ("def f():\n    pass\n", ["g"], "has no g"),
        ("class A:\n    def f(self):\n        return super().f()\n", ["A.f"], "super"),
    ],
)
def test_what_cannot_be_late_is_an_error(source: str, late: list[str], what: str) -> None:
    sources = {
        "kiezbox.late": SOURCES["kiezbox.late"],
        "kiezbox.a": source,
        "main": "from kiezbox import a, late\n",
    }
    with pytest.raises(FirmwareSourceError, match=what):
        split(linked(sources), {"kiezbox.a": late})


def test_a_module_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(FirmwareSourceError, match=r"kiezbox\.nowhere"):
        split(linked(), {"kiezbox.nowhere": ["f"]})


def test_a_list_that_is_none_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "late.toml"
    path.write_text('[late]\n"kiezbox.a" = "some"\n')
    with pytest.raises(FirmwareSourceError, match=r"late\.toml"):
        late_names(path)


def test_every_unit_of_the_box_takes_only_what_the_box_has() -> None:
    resident, units = split(whole_box(), late_names(FIRMWARE_DIR / "late.toml"))
    names: dict[str, Any] = {}
    for line in resident.splitlines():
        if line and not line[0].isspace():
            names[line.split("(")[0].split(":")[0].split(" =")[0].removeprefix("async ").split(" ")[-1]] = line
    for name, text in units.items():
        first = text.splitlines()[0]
        if first:
            wanted = first.removeprefix("from main import ").removesuffix("; import main").split(", ")
            assert wanted == sorted(set(wanted)), name
            for one in wanted:
                assert one in names or f"import {one}" in resident or f" {one}" in resident, (name, one)
        try:
            compile(text, name, "exec")
        except SyntaxError:
            pytest.fail(f"{name}: {traceback.format_exc()}")
