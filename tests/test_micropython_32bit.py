# SPDX-License-Identifier: Apache-2.0
"""Every module of tests/protocol on a 32-bit MicroPython, where what passes 2^30 is a big integer, as on the board.

`make test` fetches the interpreter, a package for node, where node and npm are there; elsewhere this is left out. What
the board has besides, a small heap and floats of 32 bits, it has not; see test_micropython_protocol.py for the heap.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "build/node/node_modules/@micropython/micropython-webassembly-pyscript"
MODULES = sorted(path.stem for path in (ROOT / "tests/protocol").glob("test_*.py"))

pytestmark = pytest.mark.skipif(
    not shutil.which("node") or not PACKAGE.is_dir(),
    reason="node and npm are not here, or `make build/node/stamp` was not run",
)


@pytest.fixture(scope="module")
def results() -> dict[str, dict[str, Any]]:
    program = ROOT / "tests/micropython_32bit/run.mjs"
    command = ["node", str(program), str(PACKAGE), str(ROOT), *MODULES]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert run.returncode == 0, run.stderr
    found = [json.loads(line) for line in run.stdout.splitlines()]
    return {one["name"]: one for one in found}


@pytest.mark.parametrize("module", MODULES)
def test_module_passes_with_small_integers_of_31_bits(module: str, results: dict[str, dict[str, Any]]) -> None:
    assert results[module]["failed"] == 0, results[module]["output"]
    assert results[module]["passed"] > 0
