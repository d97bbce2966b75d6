# SPDX-License-Identifier: Apache-2.0
"""The bell on the interpreter of the board: it wakes at once, once, and leaves the other tasks alone."""

from tests.box.conftest import RunProgram


def test_whoever_sleeps_is_woken_once_and_others_sleep_on(run_on_micropython: RunProgram) -> None:
    run_on_micropython("bell.py")
