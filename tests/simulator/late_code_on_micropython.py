# SPDX-License-Identifier: Apache-2.0
"""Calls late code on MicroPython. Run by test_firmware_late.py."""

import asyncio
import gc
import io
import sys

import main

box = main.Box("name", size=4)
print(box.often(3) + box.rarely(1, 2))
print((box.name, box._inner()))
try:
    box.nothing()
except AttributeError:
    print("no attribute")
print(hasattr(box, "other"))
print(asyncio.run(box.awaited()))
fails = box.fails  # May be kept for long: it holds no code.
try:
    fails()
except ZeroDivisionError as error:
    text = io.StringIO()
    sys.print_exception(error, text)
    print(text.getvalue().strip().splitlines()[-2].split(", ")[1].split(" in")[0])


def used() -> int:
    gc.collect()
    return gc.mem_alloc()


main.forget()
box.rarely(2)
main.forget()
before = used()
for _ in range(50):
    box.rarely(2)
main.forget()
grown = used() - before
print("collected" if grown < 256 else grown)
