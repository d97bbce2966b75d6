# SPDX-License-Identifier: Apache-2.0
"""Virtual time by the wall clock: nothing before its moment, `speed` times as fast, and not past the end."""

import asyncio

from kiezbox_simulator.ether.clock import WallClock
from kiezbox_simulator.virtual.schedule import Schedule


async def test_time_stands_still_until_it_is_started() -> None:
    schedule, happened = Schedule(), []
    schedule.at(1000, happened.append, "x")
    clock = WallClock(schedule)
    clock.arm()
    await asyncio.sleep(0.05)
    assert (clock.now(), happened) == (0, [])
    clock.start()
    await asyncio.sleep(0.05)
    assert happened == ["x"]
    clock.stop()


async def test_events_happen_at_their_own_moment_however_late_the_clock_looks() -> None:
    schedule, moments = Schedule(), []
    for moment_us in (1_000_000, 2_000_000, 3_000_000):
        schedule.at(moment_us, lambda _: moments.append(schedule.now_us))
    clock = WallClock(schedule, speed=100.0)
    clock.start()
    await asyncio.sleep(0.2)
    clock.stop()
    assert moments == [1_000_000, 2_000_000, 3_000_000]
    assert clock.now() >= 10_000_000


async def test_time_ends_at_the_end() -> None:
    schedule = Schedule()
    clock = WallClock(schedule, speed=1000.0, end_us=5_000_000)
    clock.start()
    await asyncio.sleep(0.05)
    assert clock.now() == clock.now() == 5_000_000
    clock.stop()
