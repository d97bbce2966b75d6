# SPDX-License-Identifier: Apache-2.0
"""The module `time` of a box in virtual time. It stands still while the box computes and moves only in `link.suspend`.

Ticks wrap at 2^30 ms as on the ESP32 (12.4 days), not at the host's 2^62, so that a wrong subtraction shows.
`time()` counts from 2000 like the board and starts at 0 with each boot, because the chip's own clock does not
survive a power cut.
"""

from virtual_link import link

TICKS_PERIOD = 1 << 30
_HALF = TICKS_PERIOD // 2


def ticks_ms():
    """Milliseconds since boot, modulo 2^30."""
    return (link.now_ms - link.boot_ms) & (TICKS_PERIOD - 1)


def ticks_us():
    """Microseconds since boot, modulo 2^30."""
    return ((link.now_ms - link.boot_ms) * 1000) & (TICKS_PERIOD - 1)


ticks_cpu = ticks_us


def ticks_add(ticks, delta):
    """Ticks later or earlier. OverflowError from half the period on, as on the ESP32: nobody can sleep that long."""
    if not -_HALF < delta < _HALF:
        raise OverflowError("ticks interval overflow")
    return (ticks + delta) & (TICKS_PERIOD - 1)


def ticks_diff(end, start):
    """Signed distance from start to end."""
    return ((end - start + _HALF) & (TICKS_PERIOD - 1)) - _HALF


def sleep_ms(duration_ms):
    """Block. What comes in meanwhile is handed to the ports at once, as an interrupt would."""
    until_ms = link.now_ms + max(0, int(duration_ms))
    while link.now_ms < until_ms:
        link.suspend(until_ms)


def sleep_us(duration_us):
    """Block for whole milliseconds, rounded up."""
    sleep_ms((duration_us + 999) // 1000)


def sleep(duration_s):
    """Block."""
    sleep_ms(int(duration_s * 1000))


def time():
    """Seconds since boot."""
    return (link.now_ms - link.boot_ms) // 1000


def time_ns():
    """Nanoseconds since boot."""
    return (link.now_ms - link.boot_ms) * 1_000_000
