# SPDX-License-Identifier: Apache-2.0
"""The bell with the interpreter's own asyncio, whose queue of tasks it changes. Run by tests/box/test_bell.py."""

import asyncio
import time

from kiezbox.box.bell import Bell

order = []


async def sleeper(name, bell, duration_ms, times=1):
    for _ in range(times):
        started = time.ticks_ms()
        await bell.wait_ms(duration_ms)
        order.append((name, time.ticks_diff(time.ticks_ms(), started) >= duration_ms))


async def rest(duration_ms):
    await asyncio.sleep_ms(duration_ms)


async def main():
    bell = Bell()
    bell.ring()
    await sleeper("rung before", bell, 60_000)
    await sleeper("by time", bell, 20)
    bell.ring()
    bell.ring()
    await sleeper("twice is once", bell, 60_000)
    await sleeper("by time again", bell, 20)
    # Others sleep before and behind it in the queue while it is taken out and put back, many times.
    others = [asyncio.create_task(rest(5 * number)) for number in range(1, 20)]
    task = asyncio.create_task(sleeper("woken", bell, 60_000, 50))
    for _ in range(50):
        await asyncio.sleep_ms(1)
        bell.ring()
    await task
    await asyncio.gather(*others)
    task = asyncio.create_task(sleeper("cancelled", bell, 60_000))
    await asyncio.sleep_ms(1)
    task.cancel()
    await asyncio.sleep_ms(1)
    bell.ring()  # Nobody waits; nothing happens now.
    await sleeper("after a cancelled one", bell, 60_000)


asyncio.run(main())
expected = [("rung before", False), ("by time", True), ("twice is once", False), ("by time again", True)]
expected += [("woken", False)] * 50 + [("after a cancelled one", False)]
assert order == expected, order
