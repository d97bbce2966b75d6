# SPDX-License-Identifier: Apache-2.0
"""Many modules become one that does the same."""

import traceback
from typing import Any

import pytest

from kiezbox_simulator.firmware_build import whole_box
from kiezbox_simulator.firmware_link import Linked, link
from kiezbox_simulator.firmware_source import FirmwareSourceError

SOURCES = {
    "kiezbox": '__version__ = "7"\n',
    "kiezbox.a": (
        "import math\n\nfrom kiezbox import b\nfrom kiezbox.b import Thing as Other\n\n_count = 0\n\n\n"
        "def encode(value):\n    return 'a' + b.encode(value)\n\n\n"
        "def count():\n    global _count\n    _count += 1\n    return _count\n\n\n"
        "def hidden(encode, _count=5):\n"
        "    return [encode for encode in range(encode)], (lambda count: count)(_count)\n\n"
        "class Box(Other):\n    encode = 'class'\n    twice = encode * 2\n\n"
        "    def of(self):\n        return encode('self'), self.encode, math.pi > 3\n"
    ),
    "kiezbox.b": (
        "from kiezbox import __version__\n\n_count = 100\n\n"
        "class Thing:\n    def number(self):\n        return _count\n\n\n"
        "def encode(value: 'Thing'):\n    return 'b' + value + __version__\n\n\ndef later():\n"
        "    from kiezbox import c\n\n    return c.encode()\n"
    ),
    "kiezbox.c": "import math\n\n\ndef encode():\n    return math.floor(1 / wrong)\n\n\nwrong = 0\n",
    "main": (
        "from kiezbox.a import Box, count, encode as coded, hidden\nfrom kiezbox.b import later\n\n\n"
        "def encode():\n    return coded('m')\n"
    ),
}


def run() -> tuple[Linked, dict[str, Any]]:
    linked = link("main", SOURCES)
    names: dict[str, Any] = {"__name__": "main"}
    exec(compile(linked.text, "box", "exec"), names)  # noqa: S102
    return linked, names


def test_names_mean_what_they_meant() -> None:
    _, names = run()
    assert names["encode"]() == "abm7"
    assert (names["count"](), names["count"]()) == (1, 2)
    assert names["hidden"](2) == ([0, 1], 5)
    box = names["Box"]()
    assert box.of() == ("abself7", "class", True)
    assert (box.number(), box.twice) == (100, "classclass")


def test_parameters_are_called_by_their_place_and_do_the_same() -> None:
    sources = {
        "kiezbox.a": (
            "def mixed(alpha, beta=2, *rest, gamma=3):\n"
            "    alpha += 1\n"
            "    inner = lambda delta, beta=beta: (alpha, beta, delta)\n"
            "    for beta in [beta for beta in range(beta)]:\n        pass\n"
            "    def deeper(epsilon):\n        return alpha + epsilon\n"
            "    return inner(10), beta, deeper(5), rest, gamma, [alpha * zeta for zeta in range(alpha)]\n"
        ),
        "main": (
            "from kiezbox.a import mixed\n\n\ndef start(ports):\n    return mixed(1), mixed(1, 3, 7, gamma=9), ports\n"
        ),
    }
    names: dict[str, Any] = {}
    text = link("main", sources).text
    exec(compile(text, "box", "exec"), names)  # noqa: S102
    plain: dict[str, Any] = {}
    exec(sources["kiezbox.a"], plain)  # noqa: S102
    mixed = plain["mixed"]
    assert names["start"](5) == (mixed(1), mixed(1, 3, 7, gamma=9), 5)
    assert "def mixed(_a, _b=2, *rest, gamma=3)" in text
    assert "def deeper(_c)" in text, "not the name of a parameter of the function around it"


def test_a_line_of_a_traceback_has_its_place() -> None:
    linked, names = run()
    with pytest.raises(ZeroDivisionError) as raised:
        names["later"]()
    lines = [one.lineno for one in traceback.extract_tb(raised.tb) if one.filename == "box"]
    assert [linked.place(line) for line in lines if line] == ["kiezbox.b:17", "kiezbox.c:5"]


@pytest.mark.parametrize(
    "main",
    [
        "from kiezbox import c\nprint(c)\n",
        "from kiezbox.c import nothing\nprint(nothing)\n",
        "from kiezbox import c\nc.nothing\n",
        "from kiezbox import c\ndef f():\n    wrong = c.wrong\n    return wrong\n",
    ],
)
def test_what_cannot_be_linked_is_an_error(main: str) -> None:
    with pytest.raises(FirmwareSourceError, match=r"used as a value|has no nothing|hidden by a local name"):
        link("main", SOURCES | {"main": main})


def test_the_whole_box_has_every_module_once_and_says_where_a_line_is_from() -> None:
    linked = whole_box()
    assert len(linked.starts) > 50
    line = linked.text.splitlines().index("class MeshNode:") + 1
    assert linked.place(line).startswith("kiezbox.protocol.mesh:")
    assert "import kiezbox" not in linked.text
    assert "\nfrom kiezbox" not in linked.text
