# SPDX-License-Identifier: Apache-2.0
"""A power cut at every change of the flash, on the real MicroPython with the real LittleFS."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kiezbox_simulator import board
from kiezbox_simulator.firmware_build import build, rom_image

PROGRAMS = Path(__file__).resolve().parent / "on_micropython"
VM = Path(board.__file__).resolve().parent / "vm"
LONG = bool(os.environ.get("KIEZBOX_LONG"))
TORN_BYTES = [0, 1, 7, 16, 31, 64, 1000, 4095] if LONG else [0, 16]
STEP = 1 if LONG else 2


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    programs = tmp_path_factory.mktemp("programs")
    shutil.copy(PROGRAMS / "power_cut.py", programs)
    shutil.copy(VM / "file_flash.py", programs)
    return rom_image(build(tmp_path_factory.mktemp("firmware")), programs)


@pytest.mark.parametrize("torn_bytes", TORN_BYTES)
def test_nothing_acknowledged_is_lost_wherever_the_power_goes(image: Path, torn_bytes: int) -> None:
    result = subprocess.run(
        # The heap holds the whole flash twice; this is not the board's limit but the test's.
        board.command(image, "power_cut", str(torn_bytes), "1", str(STEP), heap_kib=1024),
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    print(f"torn after {torn_bytes} bytes: {result.stdout.splitlines()[-1]}")
    figures = dict(re.findall(r"(\w+) (\d+)", result.stdout.splitlines()[-1]))
    assert int(figures["cuts"]) > 100 / STEP
    assert (figures["acknowledged_lost"], figures["corrupt"], figures["unbootable"]) == ("0", "0", "0")
