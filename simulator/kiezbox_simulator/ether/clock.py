# SPDX-License-Identifier: Apache-2.0
"""Drives the event queue of virtual time by the wall clock: an event happens when its moment has come, or a little
later.

Everything that the outside asks for must go through `now`, so that what is due happened before. Called by `server.py`
and by paced scenarios.
"""

import asyncio
import time

from kiezbox_simulator.virtual.schedule import Schedule


class WallClock:
    """A schedule whose microseconds are those since `start`, `speed` of them in one of the clock's, up to `end_us`.
    Before that, time stands still. `late_us` is the worst delay of an event seen, in the schedule's time."""

    def __init__(self, schedule: Schedule, speed: float = 1.0, end_us: int | None = None) -> None:
        self.late_us = 0
        self.speed = speed
        self.started_s: float | None = None
        """When it began, on the monotonic clock."""
        self._schedule = schedule
        self._end_us = end_us
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Let time pass from now on."""
        self.started_s = time.monotonic()
        self.arm()

    def now(self) -> int:
        """Let everything due happen and return the time in microseconds."""
        schedule = self._schedule
        if self.started_s is None:
            return self._schedule.now_us
        now_us = self._due_us()
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
        if next_us is not None and self.started_s is not None:
            delay_us = next_us - self._due_us()
            self._timer = asyncio.get_running_loop().call_later(max(0, delay_us) / 1e6 / self.speed, self._tick)

    def stop(self) -> None:
        """No further event happens."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due_us(self) -> int:
        """Where the schedule should be by now."""
        due_us = int((time.monotonic() - (self.started_s or 0.0)) * 1e6 * self.speed)
        return due_us if self._end_us is None else min(due_us, self._end_us - 1)

    def _tick(self) -> None:
        self._timer = None
        self.now()
        self.arm()
