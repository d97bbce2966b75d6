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
    bell.move(1)  # Nobody waits; nothing happens.
    for first_ms, moved_ms in ((60_000, 20), (20, 40)):
        task = asyncio.create_task(sleeper("moved to %d" % moved_ms, bell, first_ms))
        await asyncio.sleep_ms(1)
        started = time.ticks_ms()
        bell.move(moved_ms)
        await task
        assert time.ticks_diff(time.ticks_ms(), started) >= moved_ms
    task = asyncio.create_task(sleeper("cancelled", bell, 60_000))
    await asyncio.sleep_ms(1)
    task.cancel()
    await asyncio.sleep_ms(1)
    bell.ring()  # Nobody waits; nothing happens now.
    await sleeper("after a cancelled one", bell, 60_000)


asyncio.run(main())
expected = [("rung before", False), ("by time", True), ("twice is once", False), ("by time again", True)]
expected += [("woken", False)] * 50 + [("moved to 20", False), ("moved to 40", True), ("after a cancelled one", False)]
assert order == expected, order
