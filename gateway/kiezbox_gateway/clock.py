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


def unix_ms() -> int:
    """Milliseconds since 1970, by this computer's clock."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> int:
    """Milliseconds of a clock that never jumps."""
    return time.monotonic_ns() // 1_000_000


class _Timex(ctypes.Structure):
    """struct timex of Linux; only its size and `modes` = 0 (read only) matter here."""

    _fields_ = [("modes", ctypes.c_uint), ("rest", ctypes.c_byte * 256)]


def kernel_in_step() -> bool:
    """Whether the kernel considers its clock synchronised (adjtimex(2) does not return TIME_ERROR)."""
    library = ctypes.CDLL(None, use_errno=True)
    timex = _Timex()
    state = int(library.adjtimex(ctypes.byref(timex)))
    if state < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return state != TIME_ERROR


def quality(trust: Literal["kernel", "always", "never"], now_s: float | None = None) -> int:
    """0 not to be told to anybody, 2 good."""
    if trust == "never" or (time.time() if now_s is None else now_s) < EARLIEST_S:
        return QUALITY_NONE
    if trust == "always":
        return QUALITY_GOOD
    try:
        return QUALITY_GOOD if kernel_in_step() else QUALITY_NONE
    except OSError:
        return QUALITY_NONE
