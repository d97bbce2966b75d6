# SPDX-License-Identifier: Apache-2.0
"""Every module of tests/protocol once more, on the real MicroPython interpreter under the board's heap limit."""

import subprocess
from pathlib import Path

import pytest

from kiezbox_simulator import board
from kiezbox_simulator.firmware_build import build, rom_image

PROTOCOL_TESTS = Path(__file__).resolve().parent / "protocol"
HEAP_KIB = 128
MODULES = sorted(path.stem for path in PROTOCOL_TESTS.glob("test_*.py"))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Code under test and tests as bytecode that runs in place, as on a board: the heap is for what they do."""
    return rom_image(build(tmp_path_factory.mktemp("firmware")), PROTOCOL_TESTS)


@pytest.mark.parametrize("module", MODULES)
def test_module_passes_on_micropython(module: str, image: Path) -> None:
    result = subprocess.run(
        board.command(image, "run_on_micropython", module, heap_kib=HEAP_KIB),
        cwd=PROTOCOL_TESTS,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert " 0 failed" in result.stdout
