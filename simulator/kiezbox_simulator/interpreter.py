# SPDX-License-Identifier: Apache-2.0
"""Which MicroPython runs the boxes: that of the Python package, or one that KIEZBOX_MICROPYTHON names.

The package's is a 64-bit program with 64-bit floats. A board has words of 32 bits, integers that are big from 2^30 on,
floats of 32 bits and objects of half the size; tools/micropython_32bit builds an interpreter like that. Everything that
starts MicroPython asks here, so that one variable moves all of it: tests, benches, simulated boxes and the demo.
"""

import functools
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from kiezbox_simulator.program import ProgramError, installed_command

VARIABLE = "KIEZBOX_MICROPYTHON"
_QUESTION = "import sys; print(len(bin(sys.maxsize)) - 1, *sys.implementation.version); import vfs; vfs.VfsRom"
_ANOTHER = "; import romfile"


class InterpreterError(ProgramError):
    """The interpreter that KIEZBOX_MICROPYTHON names is not one that boxes run on; one sentence."""


@dataclass(frozen=True)
class Interpreter:
    """`path`: its command. `word_bits` 32 or 64: what a reference and half a float's object take on its heap."""

    path: str
    is_packaged: bool
    word_bits: int
    version: str

    def __str__(self) -> str:
        return f"the {self.word_bits}-bit MicroPython {self.version}"


def interpreter() -> Interpreter:
    """The one in use. Raises InterpreterError."""
    named = os.environ.get(VARIABLE)
    return _asked(str(Path(named).absolute()) if named else installed_command("micropython"), not named)


@functools.cache
def _asked(path: str, is_packaged: bool) -> Interpreter:
    question = _QUESTION if is_packaged else _QUESTION + _ANOTHER
    try:
        answer = subprocess.run([path, "-c", question], capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InterpreterError(f"{VARIABLE}: {path} cannot be run: {error}") from None
    words = answer.stdout.split()
    if answer.returncode or len(words) < 4:
        said = (answer.stderr or answer.stdout).strip().splitlines()
        raise InterpreterError(
            f"{VARIABLE}: {path} is no MicroPython that a box can run on ({said[-1] if said else 'it said nothing'}); "
            "tools/micropython_32bit/README.md tells how to build one"
        )
    version = "-".join((".".join(words[1:4]), *filter(None, words[4:])))
    return Interpreter(path, is_packaged, int(words[0]), version)
