# SPDX-License-Identifier: Apache-2.0
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from kiezbox_simulator import firmware_build
from kiezbox_simulator.interpreter import interpreter


@pytest.fixture
def firmware_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "firmware"
    (folder / "kiezbox" / "portal" / "texts").mkdir(parents=True)
    (folder / "kiezbox" / "__init__.py").write_text('__version__ = "9"\n')
    (folder / "kiezbox" / "testing.py").write_text("raise SystemExit('a fake has no place on a board')\n")
    (folder / "kiezbox" / "portal" / "texts" / "de.txt").write_text("Hilfe\n")
    (folder / "boot.py").write_text("pass\n")
    (folder / "main.py").write_text("pass\n")
    monkeypatch.setattr(firmware_build, "FIRMWARE_DIR", folder)
    return folder


def test_modules_are_compiled_data_copied_and_fakes_left_out(firmware_dir: Path, tmp_path: Path) -> None:
    built = firmware_build.build(tmp_path / "out")
    assert sorted(built.sizes_bytes) == [
        "boot.py",
        "lib/kiezbox/__init__.mpy",
        "lib/kiezbox/portal/texts/de.txt",
        "main.py",
    ]
    assert json.loads((built.root / "sizes.json").read_text()) == built.sizes_bytes
    assert built.total_bytes == sum(built.sizes_bytes.values())


def test_the_vm_runs_what_was_built(firmware_dir: Path, tmp_path: Path) -> None:
    built = firmware_build.build(tmp_path / "out")
    program = tmp_path / "program.py"
    program.write_text("import asyncio, kiezbox\nprint(kiezbox.__version__, kiezbox.__file__)\n")
    output = subprocess.run(
        [interpreter().path, "-X", "heapsize=128k", program],
        env={**os.environ, "MICROPYPATH": built.micropython_path()},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert output.split()[0] == "9"
    assert output.strip().endswith(".mpy")


def test_a_changed_file_is_built_again_and_a_removed_one_goes(firmware_dir: Path, tmp_path: Path) -> None:
    first = firmware_build.build(tmp_path / "out")
    unchanged = (first.lib / "kiezbox" / "__init__.mpy").stat()
    shutil.rmtree(firmware_dir / "kiezbox" / "portal")
    (firmware_dir / "main.py").write_text("import kiezbox\n")
    second = firmware_build.build(tmp_path / "out")
    assert (second.root / "main.py").read_text() == "import kiezbox\n"
    assert not (second.lib / "kiezbox" / "portal" / "texts" / "de.txt").exists()
    assert (second.lib / "kiezbox" / "__init__.mpy").stat().st_ino == unchanged.st_ino


def test_a_syntax_error_is_one_clear_line(firmware_dir: Path, tmp_path: Path) -> None:
    (firmware_dir / "kiezbox" / "box.py").write_text("def broken(:\n")
    with pytest.raises(firmware_build.FirmwareBuildError, match=r"^kiezbox/box\.py does not compile: SyntaxError"):
        firmware_build.build(tmp_path / "out")
