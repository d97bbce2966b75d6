# SPDX-License-Identifier: Apache-2.0
"""Wakes one sleeping task before its time. Called by box.py for the task that speaks, and by
help_button.py for the light.

asyncio's Event with a timeout makes a task and an exception each time: more work than the frame that woke the box.
"""

import asyncio


class Bell:
    """One task waits; anybody rings."""

    def __init__(self) -> None:
        self._sleeper = None
        self._rung = False

    def ring(self) -> None:
        """Whoever waits goes on now; if nobody does, the next wait is over at once."""
        self._rung = True
        sleeper = self._sleeper
        if sleeper is not None:
            self._sleeper = None
            queue = asyncio.core._task_queue  # type: ignore[attr-defined]
            queue.remove(sleeper)
            queue.push(sleeper)

    def move(self, duration_ms: int) -> None:
        """Whoever waits now waits so long from now on, without being woken."""
        sleeper = self._sleeper
        if sleeper is not None:
            core = asyncio.core  # type: ignore[attr-defined]
            core._task_queue.remove(sleeper)
            core._task_queue.push(sleeper, core.ticks_add(core.ticks(), duration_ms))

    async def wait_ms(self, duration_ms: int) -> None:
        """Until it rings, at most so long."""
        if not self._rung:
            self._sleeper = asyncio.core.cur_task  # type: ignore[attr-defined]
            try:
                await asyncio.sleep_ms(duration_ms)
            finally:
                self._sleeper = None
        self._rung = False
