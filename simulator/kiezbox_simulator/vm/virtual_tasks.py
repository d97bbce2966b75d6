# SPDX-License-Identifier: Apache-2.0
"""Task and TaskQueue for MicroPython's asyncio, in Python and on the virtual clock.

Put into sys.modules["_asyncio"] before asyncio is first imported; asyncio.core then takes these two in the place of
the built-in ones, whose clock cannot be replaced. What a task's fields mean to asyncio.core:

    state   True: running, nobody waits. A TaskQueue: running, those tasks wait. A function: running, called at the
            end (gather). None: finished, nobody asked. False: finished, somebody asked.
    data    while waiting: what the task waits on (a task or a queue with `remove`). Cancelled: the exception to
            throw. Finished: the exception that ended it (StopIteration with the result).
    ph_key  when to run, in ticks.

Tasks that are due at the same tick run in the order they were queued.
"""

import virtual_clock
from virtual_clock import TICKS_PERIOD
from virtual_link import link

_MASK = TICKS_PERIOD - 1
_HALF = TICKS_PERIOD // 2


class TaskQueue:
    """Tasks by time, earliest first."""

    def __init__(self):
        self._tasks = []

    def peek(self):
        """The next task, None if there is none."""
        return self._tasks[0] if self._tasks else None

    def push(self, task, key=None):
        """Queue a task for the time `key`, or for now. Whatever it waited on, it no longer does."""
        task.data = None
        if key is None:
            key = (link.now_ms - link.boot_ms) & _MASK
        task.ph_key = key
        tasks = self._tasks
        place = len(tasks)
        # A turn of a box is mostly this: ticks_diff is written out.
        while place and ((tasks[place - 1].ph_key - key + _HALF) & _MASK) - _HALF > 0:
            place -= 1
        tasks.insert(place, task)

    def pop(self):
        """Take the next task; IndexError if there is none."""
        return self._tasks.pop(0)

    def remove(self, task):
        """Take this task out, wherever it stands."""
        self._tasks.remove(task)


class Task:
    """A coroutine that asyncio.core drives."""

    def __init__(self, coro, _globals=None):
        self.coro = coro
        self.data = None
        self.state = True
        self.ph_key = 0

    def __iter__(self):
        state = self.state
        if not state:
            self.state = False
        elif state is True:
            self.state = TaskQueue()
        elif not isinstance(state, TaskQueue):
            raise RuntimeError("can't wait")
        return self

    def __next__(self):
        if not self.state:
            raise self.data
        current = _core().cur_task
        self.state.push(current)
        current.data = self

    def done(self):
        """Whether it has ended, by return, exception or cancellation."""
        return not self.state

    def cancel(self):
        """Throw CancelledError into it when it next runs; False if it had ended already."""
        if not self.state:
            return False
        core = _core()
        if self is core.cur_task:
            raise RuntimeError("can't cancel self")
        task = self
        while isinstance(task.data, Task):
            task = task.data
        if hasattr(task.data, "remove"):
            task.data.remove(task)
            core._task_queue.push(task)
        elif virtual_clock.ticks_diff(task.ph_key, virtual_clock.ticks_ms()) > 0:
            core._task_queue.remove(task)
            core._task_queue.push(task)
        task.data = core.CancelledError
        return True


def _core():
    # asyncio.core imports this module, so it can only be looked up later.
    global _core
    import asyncio.core

    core = asyncio.core
    _core = lambda: core  # noqa: E731
    return core
