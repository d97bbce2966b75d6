# SPDX-License-Identifier: Apache-2.0
"""tests/vectors/wire.json is what its script makes of the code as it is now."""

import subprocess
import sys
from pathlib import Path

VECTORS = Path(__file__).resolve().parents[2] / "vectors"


def test_the_committed_vectors_are_current() -> None:
    made = subprocess.run([sys.executable, VECTORS / "make_wire.py"], check=True, capture_output=True).stdout
    assert made == (VECTORS / "wire.json").read_bytes(), "python tests/vectors/make_wire.py > tests/vectors/wire.json"
