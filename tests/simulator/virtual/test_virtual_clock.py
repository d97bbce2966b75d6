# SPDX-License-Identifier: Apache-2.0
"""Ticks of virtual time are those of a board, also where a board's overflow. Read on the interpreter in use, and on a
32-bit one (tools/micropython_32bit) beside its built-in ones."""

import subprocess

import pytest

from kiezbox_simulator.interpreter import interpreter
from kiezbox_simulator.virtual.vm_pool import VM_DIR

PERIOD_MS = 1 << 30
DELTAS_MS = (0, 1, -1, PERIOD_MS // 2 - 1, 1 - PERIOD_MS // 2, PERIOD_MS // 2, -PERIOD_MS // 2, 7 * 86_400_000)
PROGRAM = """
import {clock}, sys
for ticks in (0, 5, {period} - 1):
    for delta in {deltas}:
        try:
            later = {clock}.ticks_add(ticks, delta)
            print(later, {clock}.ticks_diff(later, ticks))
        except OverflowError as error:
            print(error)
"""


def said(clock: str) -> list[str]:
    result = subprocess.run(
        [interpreter().path, "-c", PROGRAM.format(clock=clock, period=PERIOD_MS, deltas=DELTAS_MS)],
        input="",
        env={"MICROPYPATH": f"{VM_DIR}:.frozen"},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return result.stdout.splitlines()


def test_an_interval_of_half_the_period_or_more_is_refused() -> None:
    expected = [
        f"{(ticks + delta) % PERIOD_MS} {delta}" if abs(delta) < PERIOD_MS // 2 else "ticks interval overflow"
        for ticks in (0, 5, PERIOD_MS - 1)
        for delta in DELTAS_MS
    ]
    assert said("virtual_clock") == expected


@pytest.mark.skipif(interpreter().word_bits != 32, reason="ticks of the 64-bit interpreter have another period")
def test_they_are_the_board_s() -> None:
    assert said("virtual_clock") == said("time")
