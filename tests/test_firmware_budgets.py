# SPDX-License-Identifier: Apache-2.0
"""The firmware keeps to firmware/budgets.toml, and the budgets follow it down."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from bench import firmware, loaded_box
from kiezbox_simulator import board
from kiezbox_simulator.firmware_build import FIRMWARE_DIR, build, rom_image
from kiezbox_simulator.interpreter import interpreter

BUDGETS = tomllib.loads((FIRMWARE_DIR / "budgets.toml").read_text())
SLACK = 0.96
on_64_bits = pytest.mark.skipif(
    interpreter().word_bits != 64, reason="the budgets of heap are those of the 64-bit interpreter"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("budgets")


@pytest.fixture(scope="module")
def rom(folder: Path) -> Path:
    return loaded_box.image(folder)


def keeps(what: str, actual: int, budget: int) -> None:
    assert actual <= budget, f"{what} takes {actual:,}, {actual - budget:,} more than its budget"
    assert actual >= SLACK * budget, (
        f"{what} takes {actual:,} only: lower its budget of {budget:,} in firmware/budgets.toml"
    )


def test_bytecode_and_data_keep_to_their_budgets(folder: Path, rom: Path) -> None:
    sizes_bytes = firmware.package_bytes(folder)
    for package, budget_bytes in BUDGETS["mpy_bytes"].items():
        keeps(f"bytecode of {package}", sizes_bytes[package], budget_bytes)
    keeps("texts, style and points", sizes_bytes["data"], BUDGETS["data_bytes"]["texts_style_points"])
    assert set(sizes_bytes) - set(BUDGETS["mpy_bytes"]) == {"data", "kiezbox", "boards"}


@on_64_bits
def test_what_is_imported_keeps_to_its_budget(rom: Path, folder: Path) -> None:
    keeps("the imported firmware", firmware.imported_bytes(rom, folder / "imported"), BUDGETS["heap"]["imported_bytes"])


@on_64_bits
def test_fifteen_phones_a_full_outbox_and_a_busy_band_fit_into_the_heap(rom: Path, folder: Path) -> None:
    load = loaded_box.play(rom, folder / "load", BUDGETS["heap"]["load_kib"])
    assert load.pages == loaded_box.OUTBOX_CALLS + loaded_box.PHONES * 4 * loaded_box.ROUNDS


def test_the_table_of_names_has_its_size_once_everything_is_imported(rom: Path) -> None:
    """It doubles when it is full, and a piece that large may not be free any more when a box has run for days."""
    source = "import sys, io, main, micropython; micropython.qstr_info()"
    program = rom.parent / "names"
    program.mkdir()
    (program / "names.py").write_text(source)
    built = build(rom.parent)
    image = rom_image(built, program)
    output = subprocess.run(
        board.command(image, "names"), capture_output=True, text=True, check=True, timeout=60
    ).stdout
    names = int(re.findall(r"n_qstr=(\d+)", output)[0])
    assert 620 < names < 1000, "the next size begins at 621 names, the one after it at 1,261"
