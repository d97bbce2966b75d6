# SPDX-License-Identifier: Apache-2.0
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kiezbox_simulator.firmware_build import FIRMWARE_DIR, FirmwareBuild, build
from kiezbox_simulator.interpreter import interpreter
from kiezbox_simulator.virtual.vm_pool import compile_vm
from tests.box.lone_box import LoneBox

MakeBox = Callable[..., LoneBox]
RunProgram = Callable[..., None]
_PROGRAMS = Path(__file__).resolve().parent / "on_micropython"


@pytest.fixture(scope="session")
def run_on_micropython() -> RunProgram:
    """Runs a program of on_micropython with the firmware's sources; fails with what it said if it does."""

    def run(name: str, *options: str) -> None:
        result = subprocess.run(
            [interpreter().path, *options, str(_PROGRAMS / name)],
            env={**os.environ, "MICROPYPATH": f"{FIRMWARE_DIR}:.frozen"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert result.returncode == 0, result.stdout + result.stderr

    return run


@pytest.fixture(scope="session")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> tuple[FirmwareBuild, Path]:
    folder = tmp_path_factory.mktemp("lone")
    (folder / "firmware").mkdir()
    return build(folder / "firmware"), compile_vm(folder / "vm")


@pytest.fixture
def lone_box(tmp_path: Path, firmware: tuple[FirmwareBuild, Path]) -> Iterator[MakeBox]:
    """Makes a box alone in virtual time, with changes to its configuration."""
    made: list[LoneBox] = []

    def make(**changes: Any) -> LoneBox:
        made.append(LoneBox(tmp_path / f"box{len(made)}", *firmware, **changes))
        return made[-1]

    yield make
    for box in made:
        box.cut_power()
