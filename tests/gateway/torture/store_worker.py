# SPDX-License-Identifier: Apache-2.0
"""A process that the cuts kill: takes messages in, drains them or migrates, and says on standard output what is done.

Lines: `A ID` acknowledged (written only after the store's future is done), `C ID` given to the city, `M` migrated.
Usage: python store_worker.py ingest|drain|migrate FOLDER FIRST
"""

import asyncio
import os
import sys
import time
from pathlib import Path

from kiezbox_gateway.store import database
from kiezbox_gateway.store.rows import OutboxClass
from kiezbox_gateway.store.store import Store
from tests.gateway.store.sample import call, reading


def say(line: str) -> None:
    os.write(1, line.encode() + b"\n")


async def ingest(store: Store, first: int) -> None:
    """Several takers at once, so that a kill hits groups in every state."""
    numbers = iter(range(first, first + 1_000_000))

    async def take() -> None:
        for number in numbers:
            message = call(number, f"Notruf {number}", code=f"C{number}") if number % 7 == 0 else reading(number)
            stored = await store.take(message)
            say(f"A {stored.id}")

    await asyncio.gather(*(take() for _ in range(20)))


async def drain(store: Store) -> None:
    """What the sync does: hand over, then mark. A kill between both hands over twice under one id."""
    for outbox_class in (OutboxClass.CALL, OutboxClass.READING):
        after = 0
        while rows := await store.waiting(outbox_class, after, 50):
            for row in rows:
                say(f"C {row.id}")
            await store.confirm([row.sequence for row in rows], time.time_ns() // 1_000_000)
            after = rows[-1].sequence
    say("D")
    await asyncio.sleep(60)


async def main() -> None:
    what, folder, first = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if what == "migrate":
        say("S")
    store = await Store.open(folder)
    if what == "migrate":
        say(f"M {len(database.migrations())}")
        await asyncio.sleep(60)
    say("S")
    await (ingest(store, first) if what == "ingest" else drain(store))


if __name__ == "__main__":
    asyncio.run(main())
