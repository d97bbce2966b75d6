# SPDX-License-Identifier: Apache-2.0
"""Constants become values, what is for type checkers goes, nothing else changes."""

import ast
from pathlib import Path

import pytest

from kiezbox_simulator.firmware_build import FIRMWARE_DIR
from kiezbox_simulator.firmware_source import FirmwareSourceError, constants, for_board

KNOWN = {"kiezbox.wire": {"SIZE": 16, "LOW": -1, "WORD": "seen"}, "kiezbox.user": {"SIZE": 16, "_OWN": 3}}


def rewritten(source: str, module: str = "kiezbox.user") -> str:
    result = for_board(source, "user.py", module, KNOWN)
    assert result.count("\n") == source.count("\n"), "tracebacks name lines"
    return result


def test_values_stand_where_names_stood() -> None:
    source = (
        "from kiezbox import wire\n"
        "from kiezbox.constant import const\n"
        "from kiezbox.wire import (\n    SIZE,\n    Frame,\n)\n"
        "_OWN = const(3)\n"
        "def f(ä, size=SIZE):\n"
        "    return wire.LOW, wire.WORD, ä.SIZE, Frame(_OWN), SIZE.to_bytes(2, 'little')\n"
    )
    names: dict[str, object] = {"Frame": lambda number: number}
    lines = rewritten(source).splitlines()
    assert lines[2] == "from kiezbox.wire import Frame"
    assert [line for line in lines if "const" in line or "kiezbox import" in line] == []
    exec(lines[7] + "\n" + lines[8], names)  # noqa: S102
    f = names["f"]
    assert f.__defaults__ == (16,)  # type: ignore[attr-defined]
    assert f(type("A", (), {"SIZE": 5})) == (-1, "seen", 5, 3, b"\x10\0")  # type: ignore[operator]


def test_a_program_keeps_its_own_names_and_gets_the_firmwares_values() -> None:
    result = rewritten("from kiezbox.wire import SIZE\nOTHER = SIZE\n", "a_test")
    assert result == "\nOTHER = (16)\n"


def test_what_is_for_type_checkers_is_left_out() -> None:
    result = rewritten("TYPE_CHECKING = False\nif TYPE_CHECKING:\n    from typing import Any\n\nx = 1\n")
    assert result.split() == ["x", "=", "1"]


def test_what_is_for_another_interpreter_is_left_out() -> None:
    source = "try:\n    from cryptolib import aes\n\n    f = aes\nexcept ImportError:\n    import f\n\nx = 1\n"
    assert rewritten(source).rstrip() == "if 1:\n    from cryptolib import aes\n\n    f = aes\n\n\n\nx = 1"
    assert "except" in rewritten(source, "a_test"), "a program may run elsewhere"
    for other in ("    f = 1\nexcept ImportError", "    from cryptolib import aes\nexcept OSError"):
        assert "except" in rewritten(f"try:\n{other}:\n    f = 2\n")


def test_an_import_inside_a_function_leaves_a_statement() -> None:
    source = "def f():\n    from kiezbox.wire import SIZE\n    return SIZE\n"
    assert rewritten(source).splitlines()[1] == "    pass"


@pytest.mark.parametrize(
    "source",
    [
        "from kiezbox import wire\nwire.SIZE = 3\n",
        "from kiezbox.wire import SIZE\ndef f():\n    SIZE = 3\n",
        "from kiezbox.wire import SIZE\ndef f(SIZE):\n    pass\n",
        "from kiezbox.wire import SIZE\nclass SIZE:\n    pass\n",
        "from kiezbox.wire import SIZE\nx = f'{SIZE}'\n",
        "from kiezbox.wire import SIZE\ndef f():\n    for SIZE in ():\n        pass\n",
    ],
)
def test_a_constant_that_is_none_is_an_error(source: str) -> None:
    with pytest.raises(FirmwareSourceError, match=r"^user\.py:[23]: "):
        rewritten(source)


def test_which_names_are_constants(tmp_path: Path) -> None:
    package = tmp_path / "kiezbox"
    (package / "boards").mkdir(parents=True)
    (package / "a.py").write_text(
        'ONE = 1\n_TWO = const(ONE << 1)\nBIG = 1 << 31\nLONG = "x" * 3\nNAME = "n"\nlower = 5\nFLAG = True\n'
        "PAIR = (1, 2)\nCALLED = len('a')\n"
    )
    (package / "b.py").write_text("from kiezbox.a import ONE\nfrom kiezbox import a\nTHREE = ONE + a._TWO\n")
    (package / "boards" / "one.py").write_text("PIN = 3\n")
    (package / "testing.py").write_text("X = 1\n")
    assert constants(package) == {
        "kiezbox.a": {"ONE": 1, "_TWO": 2, "NAME": "n"},
        "kiezbox.b": {"ONE": 1, "THREE": 3},
    }


def test_a_name_set_twice_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("A = 1\nA = 2\n")
    with pytest.raises(FirmwareSourceError, match="twice"):
        constants(tmp_path)


def test_every_module_of_the_firmware_compiles_and_has_its_values() -> None:
    """Each rewritten module, run on CPython in the place of the original, has the same functions and classes."""
    known = constants(FIRMWARE_DIR / "kiezbox")
    assert sum(map(len, known.values())) > 150
    for path in sorted((FIRMWARE_DIR / "kiezbox").rglob("*.py")):
        module = ".".join(path.relative_to(FIRMWARE_DIR).with_suffix("").parts)
        before = ast.parse(path.read_text())
        after = ast.parse(for_board(path.read_text(), path.name, module, known))
        assert _definitions(before) == _definitions(after)


def _definitions(tree: ast.Module) -> list[tuple[str, int]]:
    return [
        (statement.name, statement.lineno)
        for statement in ast.walk(tree)
        if isinstance(statement, ast.FunctionDef | ast.ClassDef)
        and not any(isinstance(base, ast.Name) and base.id == "Protocol" for base in getattr(statement, "bases", ()))
        and statement in [one for top in tree.body if not isinstance(top, ast.If | ast.Try) for one in ast.walk(top)]
    ]
