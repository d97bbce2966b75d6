# SPDX-License-Identifier: Apache-2.0
"""Short names: fewer in memory, and everything does the same."""

import ast
import subprocess
from pathlib import Path
from typing import Any

import pytest
from mpremote.romfs import VfsRomWriter

from kiezbox_simulator import board
from kiezbox_simulator.firmware_build import FIRMWARE_DIR, _compile_text, whole_box
from kiezbox_simulator.firmware_late import ONCE, split
from kiezbox_simulator.firmware_link import link
from kiezbox_simulator.firmware_names import SHORT, inlined, long_texts, short_names, with_texts_as_names
from kiezbox_simulator.firmware_source import FirmwareSourceError

SOURCES = {
    "kiezbox.late": (FIRMWARE_DIR / "kiezbox" / "late.py").read_text(),
    "kiezbox.parts": (
        "LOOK = (('one', 1), ('two', 2))\n\n\n"
        "class Wheel:\n    turns = 0\n\n"
        "    def __init__(self, width):\n        self.width = width\n        self._hidden = width + 1\n\n"
        "    def roll(self, by):\n        self.turns += by\n        return self.turns * self.width + self._hidden\n\n"
        "    @property\n    def broad(self):\n        return self.width > 2\n\n\n"
        "class Spare(Wheel):\n    def reserve(self):\n        return self.roll(1)\n\n\n"
        "def looked():\n    return [name for name, _ in LOOK]\n"
    ),
    "kiezbox.car": (
        "from kiezbox.parts import Spare, Wheel as Rad, looked\n\n\n"
        "class Car:\n"
        "    def __init__(self, maker):\n        self.maker = maker\n        self._wheels = [Rad(2), Rad(3)]\n"
        "        self._last = Spare(4)\n        self.notes = []\n\n"
        "    def drive(self, by):\n        return [wheel.roll(by) for wheel in self._wheels], self._last.reserve()\n\n"
        "    def rarely(self):\n"
        "        return getattr(self, 'maker'), self._seldom(3), self._wheels[1].broad, looked()\n\n"
        "    def _seldom(self, wheels):\n        return wheels + len(self._wheels)\n\n"
        "    def append(self, note):\n        self.notes.append(note)\n        return self\n"
    ),
    "main": "from kiezbox.car import Car\n\n\ndef start(maker):\n    car = Car(maker)\n"
    "    return car.drive(5), car.rarely(), car.append('a').append('b').notes\n",
}
EXPECTED = (([13, 19], 9), ("m", 5, True, ["one", "two"]), ["a", "b"])
EXPECTED_TEXT = "(([13, 19], 9), ('m', 5, True, ['one', 'two']), ['a', 'b'])"


def test_the_whole_does_the_same_under_short_names() -> None:
    linked = link("main", SOURCES, "kiezbox.late", [])
    names: dict[str, Any] = {"__name__": "main"}
    exec(compile(linked.text, "box", "exec"), names)  # noqa: S102
    assert names["start"]("m") == EXPECTED
    assert {"_hidden", "_wheels", "_seldom", "roll", "drive"} <= linked.short.keys()
    for kept in ("maker", "append", "__init__", "one"):
        assert kept not in linked.short, kept
    assert link("main", SOURCES, "kiezbox.late").short == {}, "not where nobody says who else is there"
    assert "drive" not in link("main", SOURCES, "kiezbox.late", ["def f(car):\n    return car.drive(1)\n"]).short


def test_on_micropython_with_units_and_a_start(tmp_path: Path) -> None:
    linked = link("main", SOURCES, "kiezbox.late", [])
    late: dict[str, list[str] | str] = {
        "kiezbox.car": ["Car.rarely", "Car._seldom", f"Car.{ONCE}"],
        "kiezbox.parts": ["looked"],
    }
    resident, units = split(linked, late)
    assert set(units) == {"Car", "start", "parts"}
    writer = VfsRomWriter()
    for name, text in {"main": resident, **units}.items():
        writer.mkfile(f"{name}.mpy", _compile_text(with_texts_as_names(text, 2, long_texts(text)), "main"))
    writer.mkfile("program.mpy", _compile_text("import main\nprint(main.start('m'))\n", "program"))
    image = tmp_path / "image.romfs"
    image.write_bytes(bytes(writer.finalise()))
    result = subprocess.run(board.command(image, "program"), capture_output=True, text=True, check=False, timeout=60)
    assert result.stdout.strip() == EXPECTED_TEXT, result.stdout + result.stderr


def trees(*texts: str) -> list[ast.Module]:
    return [ast.parse(text) for text in texts]


def test_two_names_are_one_only_if_no_class_has_both() -> None:
    text = (
        "class A:\n    def f(self):\n        self.x = 1\n\n\nclass B(A):\n    def g(self):\n        self.y = 1\n\n\n"
        "class C:\n    def h(self):\n        self.z = self.w = 1\n\n\n"
        "def put(anything):\n    anything.v = 1\n"
    )
    short = short_names(trees(text), set())
    assert len({short[name] for name in "fgxy"}) == 4, "a family"
    assert len({short[name] for name in "hzw"}) == 3
    assert {short[name] for name in "hzw"} <= {short[name] for name in "fgxy"}, "shared"
    assert short["v"] not in {short[name] for name in "fgxyhzw"}, "anybody's"


def test_a_base_is_found_under_another_name() -> None:
    first = "class A:\n    def f(self):\n        pass\n"
    for second in (
        "from kiezbox.a import A as Other\n\n\nclass B(Other):\n    def g(self):\n        pass\n",
        "from kiezbox import a\n\n\nclass B(a.A):\n    def g(self):\n        pass\n",
    ):
        short = short_names(trees(first, second), set())
        assert short["f"] != short["g"]


def test_what_micropython_or_a_text_may_mean_stays() -> None:
    text = (
        "class A:\n    def append(self):\n        self.named = getattr(self, 'spelled')\n        self.spelled = 1\n"
        "        make(keyword=2)\n        self.keyword = self.others = 3\n\n    def ioctl(self):\n        pass\n"
    )
    assert set(short_names(trees(text), {"others"})) == {"named"}


def test_a_source_that_uses_short_names_is_refused() -> None:
    with pytest.raises(FirmwareSourceError, match="short names"):
        link("main", {"main": f"{SHORT[3]} = 1\n"})


def test_a_table_used_once_stands_where_it_is_used() -> None:
    text = "A = (1, 'x')\nB = (2,)\nC = [3]\nD = (4,)\n\n\ndef f(D):\n    return A[1], B, B, C, D\n"
    after = inlined(text)
    assert after.count("\n") == text.count("\n")
    names: dict[str, Any] = {}
    exec(after, names)  # noqa: S102
    assert names["f"](5) == ("x", (2,), (2,), [3], 5)
    assert [name for name in "ABCD" if name in names] == ["B", "C", "D"]


def test_what_is_long_and_spelled_like_a_name_is_shown_to_the_compiler() -> None:
    text = "# first\n\nx = 'short'\ny = 'long_enough_text'\ny = 'with a space in it'\nz = 'long_enough_text'\n"
    assert long_texts(text) == {"long_enough_text"}
    whole = with_texts_as_names(text, 2, long_texts(text))
    assert whole.splitlines()[1] == "if 0: long_enough_text"
    as_object = b"\x05\x10long_enough_text"  # Type and length of a constant object; a name has a length only.
    assert as_object in _compile_text(text, "main")
    assert as_object not in _compile_text(whole, "main")


def test_the_box_has_few_names() -> None:
    linked = whole_box()
    assert len(linked.short) > 400
    assert len(set(linked.short.values())) < 70
