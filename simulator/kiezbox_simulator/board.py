# SPDX-License-Identifier: Apache-2.0
"""Starts MicroPython with a board's memory: a heap of fixed size, and the code in a read-only image outside of it.

`python -m kiezbox_simulator.board IMAGE HEAP THRESHOLD MODULE ARGUMENT ...` becomes a MicroPython process that runs
MODULE of the image and collects after THRESHOLD bytes, -1 for not before the heap is full. The interpreter is the one
of the `micropython` command; both are the same library call. Called by whoever starts boxes.
"""

import ctypes
import mmap
import sys
from pathlib import Path

HEAP_KIB = 168
"""For a whole box with its portal. Objects on the 64-bit VM are about twice as large as on the 32-bit board, so this
stands for about 84 KiB there; the aim of 128 KiB here is not reached. What the heaviest load needs stands in
firmware/budgets.toml."""

THRESHOLD_BYTES = 8192
"""boot.py's; its clock frequency has no meaning here."""

_START = """\
import gc, sys, uctypes, vfs
gc.threshold({threshold})
vfs.mount(vfs.VfsRom(uctypes.bytearray_at({address}, {length})), '/rom')
sys.path[:] = ['/rom', '.frozen']
sys.argv[:] = {arguments}
import {module}
"""


def command(
    image: Path, module: str, *arguments: str, heap_kib: int = HEAP_KIB, threshold_bytes: int = THRESHOLD_BYTES
) -> list[str]:
    """The command line of a board that runs `module` of `image` (see firmware_build.rom_image)."""
    program = [sys.executable, "-m", "kiezbox_simulator.board", str(image), f"{heap_kib}k", str(threshold_bytes)]
    return [*program, module, *arguments]


def main() -> None:
    """Never returns. Exit status is that of the module: 1 for an exception."""
    from micropython_unix import main as micropython

    image, heap, threshold, module, *arguments = sys.argv[1:]
    with Path(image).open("rb") as file:
        # A private mapping is shared by all boxes as long as nobody writes to it, and the address can be taken.
        rom = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    address = ctypes.addressof(ctypes.c_char.from_buffer(rom))
    start = _START.format(
        address=address, length=len(rom), threshold=threshold, arguments=[module, *arguments], module=module
    )
    sys.argv[:] = ["micropython", "-X", f"heapsize={heap}", "-c", start]
    sys.exit(micropython())


if __name__ == "__main__":
    main()
