# SPDX-License-Identifier: Apache-2.0
"""The power is cut at every change of the flash, on the real MicroPython with the real LittleFS; in the long run more
than ten thousand times."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kiezbox_simulator import board
from kiezbox_simulator.firmware_build import FIRMWARE_DIR, build, rom_image

PROGRAMS = Path(__file__).resolve().parent / "on_micropython"
VM = Path(board.__file__).resolve().parent / "vm"
LONG = bool(os.environ.get("KIEZBOX_LONG"))
TORN_BYTES = [0, 1, 7, 16, 31, 64, 127, 128, 1000, 4095] if LONG else [0, 16]
STEP = 4 if LONG else 29
KINDS = (
    "first start", "state", "call", "stage", "amendment", "cancellation", "button", "mode", "configuration", "reading",
    "notice", "crash", "notice swept", "calls deleted", "overwriting",
)  # fmt: skip


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    programs = tmp_path_factory.mktemp("programs")
    shutil.copy(PROGRAMS / "power_cut.py", programs)
    shutil.copy(VM / "file_flash.py", programs)
    shutil.copy(FIRMWARE_DIR / "kiezbox/box/testing.py", programs / "box_testing.py")
    return rom_image(build(tmp_path_factory.mktemp("firmware")), programs)


@pytest.mark.parametrize("twice", [0, 1])
@pytest.mark.parametrize("torn_bytes", TORN_BYTES)
def test_nothing_acknowledged_is_lost_wherever_the_power_goes(image: Path, torn_bytes: int, twice: int) -> None:
    # Other places of the flash for each way to fail, so that together every change is cut.
    first = 1 + (TORN_BYTES.index(torn_bytes) + twice) % STEP if LONG else 1 + torn_bytes % 5 + 5 * twice
    result = subprocess.run(
        # The heap holds the whole flash twice; this is not the board's limit but the test's.
        board.command(image, "power_cut", str(torn_bytes), str(first), str(STEP), str(twice), heap_kib=2048),
        capture_output=True,
        text=True,
        check=False,
        timeout=3_600,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    lines = result.stdout.splitlines()
    print(f"torn after {torn_bytes} bytes{', twice' * twice}: {lines[-1]}; {lines[0]}")
    assert all(re.search(rf"\b{kind} [1-9]", lines[0]) for kind in KINDS), lines[0]
    # The texts of calls whose time was over are gone from the chip, not only from the file system.
    assert re.search(r"texts left after deletion [1-9]", lines[0]), lines[0]
    assert "texts left after overwriting 0" in lines[0]
    figures = dict(re.findall(r"(\w+) (\d+)", lines[-1]))
    assert int(figures["cuts"]) > 500 / STEP
    assert (figures["lost"], figures["corrupt"], figures["unbootable"]) == ("0", "0", "0"), result.stdout
