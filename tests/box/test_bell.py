# SPDX-License-Identifier: Apache-2.0
"""The bell on the interpreter of the board: it wakes at once, once, and leaves the other tasks alone."""

import os
import subprocess
import sys
from pathlib import Path

from kiezbox_simulator.firmware_build import FIRMWARE_DIR

PROGRAM = Path(__file__).resolve().parent / "on_micropython" / "bell.py"


def test_whoever_sleeps_is_woken_once_and_others_sleep_on() -> None:
    micropython = Path(sys.executable).parent / "micropython"
    result = subprocess.run(
        [str(micropython), str(PROGRAM)],
        env={**os.environ, "MICROPYPATH": f"{FIRMWARE_DIR}:.frozen"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 0, result.stdout + result.stderr
