# SPDX-License-Identifier: Apache-2.0
"""Drives the event queue of virtual time by the wall clock: an event happens when its moment has come, or a little
later.

Everything that the outside asks for must go through `now`, so that what is due happened before. Called by `server.py`.
"""

import asyncio
import time

from kiezbox_simulator.virtual.schedule import Schedule


class WallClock:
    """A schedule whose microseconds are those since this object was made. `late_us` is the worst delay of an event
    seen."""

    def __init__(self, schedule: Schedule) -> None:
        self.late_us = 0
        self._schedule = schedule
        self._start_ns = time.monotonic_ns()
        self._timer: asyncio.TimerHandle | None = None

    def now(self) -> int:
        """Let everything due happen and return the time in microseconds."""
        schedule = self._schedule
        now_us = (time.monotonic_ns() - self._start_ns) // 1000
        next_us = schedule.next_us()
        if next_us is not None and next_us <= now_us:
            self.late_us = max(self.late_us, now_us - next_us)
        schedule.run(now_us + 1)
        return schedule.now_us

    def arm(self) -> None:
        """Wake up for the next event. Call after anything that may have added one."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        next_us = self._schedule.next_us()
        if next_us is not None:
            delay_us = next_us - (time.monotonic_ns() - self._start_ns) // 1000
            self._timer = asyncio.get_running_loop().call_later(max(0, delay_us) / 1e6, self._tick)

    def stop(self) -> None:
        """No further event happens."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        self.now()
        self.arm()
