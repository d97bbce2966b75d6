# SPDX-License-Identifier: Apache-2.0
"""The event queue: virtual time in microseconds, events in order of time, then of insertion.

1. Time never goes back; an event asked for in the past happens now.
2. Events of one instant run in the order they were asked for.
3. When all events of an instant are done, the settlers run (boxes that think outside this process). They may ask for
more events of the
   same instant; only when there are none left does time go on.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

Handler = Callable[[Any], None]


class Schedule:
    """Virtual time. `now_us` starts at 0 and is changed by `run` alone."""

    def __init__(self) -> None:
        self.now_us = 0
        self.events = 0
        self._sequence = 0
        self._heap: list[tuple[int, int, Handler, Any]] = []
        self._settlers: list[Callable[[], bool]] = []

    def at(self, time_us: int, handler: Handler, argument: Any = None) -> None:
        """Call `handler(argument)` at this time, or now if it is past."""
        self._sequence += 1
        heappush(self._heap, (time_us if time_us > self.now_us else self.now_us, self._sequence, handler, argument))

    def add_settler(self, settle: Callable[[], bool]) -> None:
        """`settle()` runs when an instant is over; it returns True if it did anything."""
        self._settlers.append(settle)

    def next_us(self) -> int | None:
        """Time of the next event, None when there is none."""
        return self._heap[0][0] if self._heap else None

    def run(self, until_us: int) -> None:
        """Let everything before `until_us` happen, and stop with `now_us == until_us`."""
        heap, settlers = self._heap, self._settlers
        self._settle()
        while heap and heap[0][0] < until_us:
            time_us, _, handler, argument = heappop(heap)
            self.now_us = time_us
            self.events += 1
            handler(argument)
            if settlers and not (heap and heap[0][0] == time_us):
                self._settle()
        self.now_us = max(self.now_us, until_us)

    def _settle(self) -> None:
        # Each settler may wake the next one, so all of them run until none has anything left to do at this instant.
        while True:
            busy = [settle() for settle in self._settlers]
            if not any(busy) or (self._heap and self._heap[0][0] == self.now_us):
                return
