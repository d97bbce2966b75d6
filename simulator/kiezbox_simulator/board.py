# SPDX-License-Identifier: Apache-2.0
"""Starts MicroPython with a board's memory: a heap of fixed size, and the code in a read-only image outside of it.

`python -m kiezbox_simulator.board INTERPRETER IMAGE HEAP THRESHOLD MODULE ARGUMENT ...` becomes a MicroPython process
that runs MODULE of the image and collects after THRESHOLD bytes, -1 for not before the heap is full. INTERPRETER is `-`
for the one of the `micropython` command, which is a library call here, or another's path (see interpreter.py). Called
by whoever starts boxes.
"""

import ctypes
import mmap
import os
import sys
from pathlib import Path

from kiezbox_simulator.interpreter import interpreter

HEAP_KIB = {64: 160, 32: 100}
"""For a whole box with its portal, by the interpreter's word size: a step or two more than the heaviest load
needs, which bench/firmware.py measures. The aim of 128 KiB on 64 bits is not reached. The board has 32."""

THRESHOLD_BYTES = 8192
"""boot.py's; its clock frequency has no meaning here."""

_START = """\
import gc, sys, vfs, {memory}
gc.threshold({threshold})
vfs.mount(vfs.VfsRom({memory}.{image}), '/rom')
sys.path[:] = ['/rom', '.frozen']
sys.argv[:] = {arguments}
import {module}
"""


def heap_kib_of_a_box() -> int:
    """HEAP_KIB of the interpreter in use. Raises InterpreterError."""
    return HEAP_KIB[interpreter().word_bits]


def command(
    image: Path, module: str, *arguments: str, heap_kib: int | None = None, threshold_bytes: int = THRESHOLD_BYTES
) -> list[str]:
    """The command line of a board that runs `module` of `image` (see firmware_build.rom_image); without `heap_kib` with
    a box's. Raises InterpreterError."""
    own = interpreter()
    heap = f"{heap_kib or heap_kib_of_a_box()}k"
    program = [sys.executable, "-m", "kiezbox_simulator.board", "-" if own.is_packaged else own.path]
    return [*program, str(image), heap, str(threshold_bytes), module, *arguments]


def main() -> None:
    """Never returns. Exit status is that of the module: 1 for an exception."""
    other, image, heap, threshold, module, *arguments = sys.argv[1:]
    words = {"threshold": threshold, "module": module, "arguments": [module, *arguments]}
    options = ["micropython", "-X", f"heapsize={heap}", "-c"]
    if other != "-":
        # By number: a name would lie on the heap, and would be as long as this machine's folders are.
        file = os.open(image, os.O_RDONLY)
        os.set_inheritable(file, True)
        os.execv(other, [*options, _START.format(memory="romfile", image=f"map({file})", **words)])  # noqa: S606  Meant.
    from micropython_unix import main as micropython

    with Path(image).open("rb") as opened:
        # A private mapping is shared by all boxes as long as nobody writes to it, and the address can be taken.
        rom = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_COPY)
    address = ctypes.addressof(ctypes.c_char.from_buffer(rom))
    start = _START.format(memory="uctypes", image=f"bytearray_at({address}, {len(rom)})", **words)
    sys.argv[:] = [*options, start]
    sys.exit(micropython())


if __name__ == "__main__":
    main()
