# SPDX-License-Identifier: Apache-2.0
"""Is this computer's clock good enough to be told to the boxes? The kernel knows whether NTP keeps it in step.

A gateway without network has a clock that drifts, or one that was never set; pushing that into the boxes' good clocks
would be worse than silence.
"""

import ctypes
import os
import time
from typing import Literal

TIME_ERROR = 5
# No build of this software ran before this instant; a clock that says so was never set.
EARLIEST_S = 1_760_000_000
QUALITY_NONE, QUALITY_FAIR, QUALITY_GOOD = 0, 1, 2
# The kernel adds 0.5 ms a second since NTP last spoke, so this is reached after about an hour without it.
GOOD_ERROR_US = 2_000_000


def unix_ms() -> int:
    """Milliseconds since 1970, by this computer's clock."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> int:
    """Milliseconds of a clock that never jumps."""
    return time.monotonic_ns() // 1_000_000


class _Timex(ctypes.Structure):
    """The beginning of struct timex of Linux; `modes` = 0 only reads."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("frequency", ctypes.c_long),
        ("error_max_us", ctypes.c_long),
        ("error_estimate_us", ctypes.c_long),
        ("rest", ctypes.c_byte * 256),
    ]


def kernel_error_us() -> int | None:
    """How wrong the kernel's clock can be, which grows while NTP is away; None: not in step (adjtimex(2))."""
    library = ctypes.CDLL(None, use_errno=True)
    timex = _Timex()
    state = int(library.adjtimex(ctypes.byref(timex)))
    if state < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return None if state == TIME_ERROR else int(timex.error_max_us)


def quality(trust: Literal["kernel", "always", "never"], now_s: float | None = None) -> int:
    """0 not to be told to anybody, 1 fair, 2 good (at most GOOD_ERROR_US wrong)."""
    if trust == "never" or (time.time() if now_s is None else now_s) < EARLIEST_S:
        return QUALITY_NONE
    if trust == "always":
        return QUALITY_GOOD
    try:
        error_us = kernel_error_us()
    except OSError:
        return QUALITY_NONE
    if error_us is None:
        return QUALITY_NONE
    return QUALITY_GOOD if error_us <= GOOD_ERROR_US else QUALITY_FAIR


class SteadyClock:
    """For what cannot be taken back, such as erasing: a clock that jumps while NTP is away is not followed."""

    def __init__(self) -> None:
        self._good_ms: tuple[int, int] | None = None

    def judge(self, wall_ms: int, steady_ms: int, quality: int) -> int:
        """Unix time to act on. wall_ms: of this computer's clock; steady_ms: of one that never jumps."""
        if quality or self._good_ms is None:
            self._good_ms = (wall_ms, steady_ms) if quality else None
            return wall_ms
        last_good_ms, at_ms = self._good_ms
        return last_good_ms + steady_ms - at_ms
