# SPDX-License-Identifier: Apache-2.0
"""Fakes of a box's ports and of its mesh node, for tests. Not put on a board."""

import io
import json

from kiezbox.protocol.counter import CounterExhausted
from kiezbox.protocol.custody import CustodyFull


class FakeClock:
    """Time that a test sets."""

    def __init__(self) -> None:
        self.time_ms = 0
        self.wall_s = 1_767_450_000

    def now_ms(self) -> int:
        """As set."""
        return self.time_ms

    def wall(self) -> "tuple[int, int]":
        """As set, of good quality."""
        return self.wall_s, 2 if self.wall_s else 0

    def source(self) -> int:
        """A battery-backed clock."""
        return 2


class FakePorts:
    """`draws` counts requests for entropy, so that each gives other bytes."""

    def __init__(self, root: str = "") -> None:
        self.root = root
        self.clock = FakeClock()
        self.draws = 0
        self.watchdog = None
        self.logged: list[str] = []
        self.offered: dict | bytes | None = None

    def log(self, text: str) -> None:
        """Keep it in `logged`."""
        self.logged.append(text)

    def provision(self):  # noqa: ANN201
        """What a test offers, as a file."""
        if self.offered is None:
            return None
        return io.BytesIO(self.offered if isinstance(self.offered, bytes) else json.dumps(self.offered).encode())

    def entropy(self, length: int) -> bytes:
        """Different at each call, the same in each run."""
        self.draws += 1
        return (self.draws * 0x9E3779B97F4A7C15).to_bytes(16, "little")[:length]


class FakeRoom:
    """A flash with room for everything unless `full` is set."""

    def __init__(self) -> None:
        self.sheds: list = []
        self.full = False

    def for_readings(self) -> bool:
        """As set."""
        return not self.full

    def write(self, action) -> None:  # noqa: ANN001
        """Run it."""
        action()


class FakeState:
    """Values in memory; `saves` counts."""

    def __init__(self) -> None:
        self.values: dict = {}
        self.saves = 0

    def put(self, name: str, value: object) -> None:
        """Hold it."""
        self.values[name] = value

    def save(self) -> bool:
        """Count it."""
        self.saves += 1
        return True


class FakeNode:
    """Takes messages as BoxNode does and keeps them in `sent`: (kind, message, counter)."""

    def __init__(self, first_counter: int = 1) -> None:
        self.sent: list[tuple[str, dict, int]] = []
        self.resumed: list[tuple[str, dict, int]] = []
        self.cancelled: list[int] = []
        self.next_counter = first_counter
        self.exhausted = False
        self.room: int | None = None
        self.parks = False

    def take_counter(self) -> int:
        """Raises CounterExhausted while `exhausted` is set."""
        if self.exhausted:
            raise CounterExhausted("no reserved counter left")
        self.next_counter += 1
        return self.next_counter - 1

    def send(self, kind: str, message: dict, now_ms: int, counter: "int | None" = None, is_new: bool = False) -> int:
        """Note it. Raises CustodyFull when `room` is set and used up."""
        counter = self.take_counter() if counter is None else counter
        self._take_room()
        self.sent.append((kind, message, counter))
        return counter

    def parked(self) -> bool:
        """Whether the last call had to be made room for."""
        found = self.parks
        self.parks = False
        return found

    def resume(self, kind: str, message: dict, counter: int, stage: int, now_ms: int) -> bool:
        """Note it."""
        self._take_room()
        self.resumed.append((kind, message, counter))
        return True

    def _take_room(self) -> None:
        if self.room is not None:
            if not self.room:
                raise CustodyFull
            self.room -= 1

    def holds(self, counter: int) -> bool:
        """Whether it was sent or resumed."""
        return any(one[2] == counter for one in self.sent + self.resumed)

    def cancel(self, counter: int) -> bool:
        """Note it."""
        self.cancelled.append(counter)
        return True
