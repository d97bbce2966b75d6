# SPDX-License-Identifier: Apache-2.0
"""Keeps the tasks of a box alive: one dies, its reason is kept on flash, it starts again with growing pauses.

1. The watchdog is fed only while every task has made progress lately.
2. Tasks that only wait come back together at every beat, so that the processor sleeps in between; a reason of their own
   wakes them at any time.
3. Of a crash only the kind and the place in the code are kept: its text could quote a person.
4. What crashes again and again for the same reason is counted each time and written once an hour.

Called by main.py.
"""

import asyncio
import io
import sys

from kiezbox.box.twin_file import TwinFile

CRASHES_KEPT = 8
PAUSE_FIRST_S = 1
PAUSE_LONGEST_S = 40
STALE_MS = 60_000
BEAT_MS = 20_000
WRITE_PAUSE_MS = 3_600_000
_WORD_LENGTH_MAX = 60


class Supervisor:
    """Tasks are coroutine functions that call `alive(name)` at least once a minute, unless they said that they wait."""

    def __init__(self, ports, root: str) -> None:  # noqa: ANN001
        self._ports = ports
        self._file = TwinFile(root + "/crashes.")
        self._seen_ms: dict[str, int] = {}
        self._crashed_ms: int | None = None
        self._written_ms = 0
        self._last = ""
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

    def last_crash(self, within_s: int) -> str:
        """Task, kind and place of the last crash since the start, at most 60 bytes; "" if that was longer ago."""
        if self._crashed_ms is None or self._ports.clock.now_ms() - self._crashed_ms > within_s * 1000:
            return ""
        return self._last

    def crashes(self) -> "list[list]":
        """What flash keeps: [unix seconds or 0, uptime in seconds, task, kind and place] each, the newest last."""
        return (self._file.load() or {}).get("crashes", [])

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
                try:
                    reason = described(error)
                except MemoryError:
                    reason = "MemoryError"  # Not even enough to say where.
            if self._ports.clock.now_ms() - started_ms > 10 * PAUSE_LONGEST_S * 1000:
                pause_s = PAUSE_FIRST_S
            try:
                self._note(name, reason)
                self._ports.log("task " + name + " failed: " + reason + "; again in " + str(pause_s) + " s")
            except MemoryError:
                pass  # The task goes on all the same.
            self.alive(name)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_LONGEST_S)

    async def watch(self) -> None:
        """Feed the watchdog while all goes well."""
        while True:
            if self._ports.watchdog is not None and not self.stale():
                self._ports.watchdog.feed()
            await asyncio.sleep_ms(self.beat_ms())

    def stale(self) -> "list[str]":
        """Tasks that have not shown that they are alive for a minute."""
        now_ms = self._ports.clock.now_ms()
        return [name for name in self._seen_ms if now_ms - self._seen_ms[name] > STALE_MS]

    def failed(self, name: str, error: Exception) -> None:
        """A task met an error with one thing and goes on with the next: noted as a crash without its pause."""
        reason = described(error)
        self._note(name, reason)
        self._ports.log(name + " went on after " + reason)

    def _note(self, name: str, reason: str) -> None:
        now_ms = self._ports.clock.now_ms()
        self.restarts += 1
        last = (name + " " + reason)[:_WORD_LENGTH_MAX]
        again = last == self._last and now_ms - self._written_ms < WRITE_PAUSE_MS
        self._crashed_ms = now_ms
        self._last = last
        if again:
            return
        self._written_ms = now_ms
        try:
            ring = self.crashes()
            ring.append([self._ports.clock.wall()[0], now_ms // 1000, name, reason])
            self._file.save({"crashes": ring[-CRASHES_KEPT:]})
        except (OSError, MemoryError):
            pass  # A full flash must not keep a task from starting again.


def described(error: Exception) -> str:
    """Kind, number and innermost place of an error, never its text."""
    text = type(error).__name__
    if isinstance(error, OSError) and error.args and isinstance(error.args[0], int):
        text += " " + str(error.args[0])
    if hasattr(sys, "print_exception"):
        trace = io.StringIO()
        sys.print_exception(error, trace)
        # File "main", line 12, in submit
        parts: list = []
        for line in trace.getvalue().split("\n"):
            if line.startswith("  File "):
                parts = line.split('"')
        if len(parts) > 2:
            text += " " + parts[1].split("/")[-1] + ":" + parts[2].split(",")[1].replace(" line ", "")
    return text
