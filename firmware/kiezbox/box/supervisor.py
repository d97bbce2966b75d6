# SPDX-License-Identifier: Apache-2.0
"""Keeps the tasks of a box alive: one dies, its reason is kept on flash, it starts again with growing pauses.

The watchdog is fed only while every task has made progress lately. Tasks that only wait come back together at every
beat, so that the processor sleeps in between; a reason of their own wakes them at any time. Called by main.py.
"""

import asyncio
import sys

from kiezbox.box.journal import load, replace

CRASHES_KEPT = 8
PAUSE_FIRST_S = 1
PAUSE_LONGEST_S = 40
STALE_MS = 60_000
BEAT_MS = 20_000


class Supervisor:
    """Tasks are coroutine functions that call `alive(name)` at least once a minute, unless they said that they wait."""

    def __init__(self, ports, root: str) -> None:  # noqa: ANN001
        self._ports = ports
        self._path = root + "/crashes.json"
        self._seen_ms: dict[str, int] = {}
        self.restarts = 0

    def alive(self, name: str) -> None:
        """This task makes progress."""
        self._seen_ms[name] = self._ports.clock.now_ms()

    def waits(self, name: str) -> None:
        """This task waits for the outside world, which may be silent for days."""
        self._seen_ms.pop(name, None)

    def beat_ms(self) -> int:
        """How long until all tasks show that they are alive, 1 to 20,000 ms."""
        return BEAT_MS - self._ports.clock.now_ms() % BEAT_MS

    async def keep(self, name: str, task) -> None:  # noqa: ANN001
        """Run task() for ever."""
        pause_s = PAUSE_FIRST_S
        while True:
            self.alive(name)
            started_ms = self._ports.clock.now_ms()
            try:
                await task()
                reason = "ended"
            except Exception as error:  # noqa: BLE001  Whatever it is: note it, go on.
                reason = type(error).__name__ + ": " + str(error)[:80]
                if hasattr(sys, "print_exception"):
                    sys.print_exception(error)
            self.restarts += 1
            self._note(name, reason)
            if self._ports.clock.now_ms() - started_ms > 10 * PAUSE_LONGEST_S * 1000:
                pause_s = PAUSE_FIRST_S
            self._ports.log("task " + name + " failed: " + reason + "; again in " + str(pause_s) + " s")
            self.alive(name)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_LONGEST_S)

    async def watch(self) -> None:
        """Feed the watchdog while all goes well."""
        while True:
            now_ms = self._ports.clock.now_ms()
            stale = [name for name in self._seen_ms if now_ms - self._seen_ms[name] > STALE_MS]
            if self._ports.watchdog is not None and not stale:
                self._ports.watchdog.feed()
            await asyncio.sleep_ms(self.beat_ms())

    def _note(self, name: str, reason: str) -> None:
        ring = load(self._path).get("crashes", [])
        ring.append([self._ports.clock.wall()[0], name, reason])
        try:
            replace(self._path, {"crashes": ring[-CRASHES_KEPT:]})
        except OSError:
            pass  # A full flash must not keep a task from starting again.
