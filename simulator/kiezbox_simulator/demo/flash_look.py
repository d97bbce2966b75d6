# SPDX-License-Identifier: Apache-2.0
"""Looks into a box's flash from outside: which readings does it keep?

A copy of the flash's file is mounted by the real MicroPython and read with the firmware's own journal, while the box
goes on. LittleFS survives a power cut at any moment, so it survives being copied at any moment.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from kiezbox_simulator.box_process import FLASH_BYTES, VM_DIR
from kiezbox_simulator.interpreter import interpreter

_PROGRAM = """
import json, sys, vfs
from file_flash import FileFlash
vfs.mount(vfs.VfsLfs2(FileFlash(sys.argv[1], {flash_bytes})), "/box")
from kiezbox.box.journal import Journal
for kind, payload in Journal("/box/readings.log").records():
    print(json.loads(payload)["sequence"])
"""


class FlashError(Exception):
    """The flash could not be read; one sentence."""


async def kept_readings(flash: Path, firmware_lib: Path) -> set[int]:
    """Sequence numbers of the readings on a box's flash. Raises FlashError."""
    return await asyncio.to_thread(_look, flash, firmware_lib)


def _look(flash: Path, firmware_lib: Path) -> set[int]:
    with tempfile.TemporaryDirectory() as folder:
        copy, program = Path(folder, "flash.bin"), Path(folder, "look.py")
        shutil.copyfile(flash, copy)
        program.write_text(_PROGRAM.format(flash_bytes=FLASH_BYTES))
        result = subprocess.run(
            [interpreter().path, str(program), str(copy)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, "MICROPYPATH": f"{VM_DIR}:{firmware_lib}:.frozen"},
        )
    if result.returncode:
        said = (result.stdout + result.stderr).strip().splitlines()
        raise FlashError(f"the flash {flash} cannot be read: {said[-1] if said else 'no reason given'}")
    return {int(line) for line in result.stdout.split()}
