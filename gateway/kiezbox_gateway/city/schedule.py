# SPDX-License-Identifier: Apache-2.0
"""Which message goes to the city next, how fast, and when to try again. No I/O; time is told in seconds (monotonic).

Rules:
 1. A class is served only while every more important class has nothing left to send, or is refused by the city.
 2. Inside a class the order is that of custody. After a reconnect everything unconfirmed goes again, from the oldest.
    One message that the city refuses does not hold up the next; it is tried again later, with what is left by then.
 3. At most `window` messages are unconfirmed. A new call waits behind at most that many.
 4. Readings are held to a rate, so that gateways returning together do not drown the city; nothing else is.
"""

import random
from collections import deque
from collections.abc import Collection

from kiezbox_gateway.store.rows import OutboxClass, Waiting

RETRY_MIN_S = 0.5
READ_AHEAD = 200


class Backoff:
    """Pauses between attempts: doubled up to a limit, each with full jitter in its upper half."""

    def __init__(self, longest_s: float, chance: random.Random | None = None) -> None:
        self._longest_s = longest_s
        self._chance = chance or random.Random()  # noqa: S311  Spreads load, guards nothing.
        self._next_s = RETRY_MIN_S

    def pause_s(self) -> float:
        """The next pause."""
        pause_s = self._next_s
        self._next_s = min(self._next_s * 2, self._longest_s)
        return pause_s * self._chance.uniform(0.5, 1.0)

    def reset(self) -> None:
        """After success."""
        self._next_s = RETRY_MIN_S


class TokenBucket:
    """Rate limit with one second's burst. A rate of 0 is without limit."""

    def __init__(self, rate_per_s: int, now_s: float) -> None:
        self._rate_per_s = rate_per_s
        self._tokens = float(rate_per_s)
        self._at_s = now_s

    def available(self, now_s: float) -> int:
        """How many may go now."""
        if not self._rate_per_s:
            return 1 << 30
        self._tokens = min(self._rate_per_s, self._tokens + (now_s - self._at_s) * self._rate_per_s)
        self._at_s = now_s
        return int(self._tokens)

    def spend(self, amount: int) -> None:
        """Count messages sent."""
        if self._rate_per_s:
            self._tokens -= amount

    def next_s(self) -> float | None:
        """Seconds until one more may go, None without limit."""
        return max(0.0, (1 - self._tokens) / self._rate_per_s) if self._rate_per_s else None


class Schedule:
    """Read-ahead per class and the messages in flight, for one connection."""

    def __init__(self, window: int, readings_per_s: int, now_s: float) -> None:
        self.window = window
        # By sequence number; until the city has confirmed.
        self.in_flight: dict[int, Waiting] = {}
        self._bucket = TokenBucket(readings_per_s, now_s)
        self._ahead: dict[OutboxClass, deque[Waiting]] = {each: deque() for each in OutboxClass}
        self._position = dict.fromkeys(OutboxClass, 0)
        self._more = dict.fromkeys(OutboxClass, True)
        self._held: set[OutboxClass] = set()

    def hold(self, outbox_class: OutboxClass) -> None:
        """The city refuses this class: leave it alone until `rewind`, and serve the others."""
        self._held.add(outbox_class)

    def rewind(self) -> None:
        """Try again whatever is not confirmed, from the oldest; what is in flight stays there."""
        self._held.clear()
        for each in OutboxClass:
            self._ahead[each].clear()
            self._position[each] = 0
            self._more[each] = True

    def notify(self, outbox_class: OutboxClass) -> None:
        """Something of this class was stored."""
        self._more[outbox_class] = True

    def room(self) -> int:
        """How many more may be in flight."""
        return max(0, self.window - len(self.in_flight))

    def wants(self) -> tuple[OutboxClass, int, int] | None:
        """(class, behind which sequence, how many) to fetch from the store before `take` can go on; None: nothing."""
        for each in self._served():
            if self._ahead[each]:
                return None
            if self._more[each]:
                return each, self._position[each], max(READ_AHEAD, self.window)
        return None

    def _served(self) -> list[OutboxClass]:
        return [each for each in OutboxClass if each not in self._held]

    def begin_fetch(self, outbox_class: OutboxClass) -> None:
        """A fetch starts; what is stored from now on notifies again."""
        self._more[outbox_class] = False

    def fetched(self, outbox_class: OutboxClass, rows: list[Waiting], limit: int, aside: Collection[int] = ()) -> None:
        """The fetch has come back; sequence numbers in `aside` are passed over."""
        if rows:
            wanted = (row for row in rows if row.sequence not in self.in_flight and row.sequence not in aside)
            self._ahead[outbox_class].extend(wanted)
            self._position[outbox_class] = rows[-1].sequence
        if len(rows) >= limit:
            self._more[outbox_class] = True

    def forget(self, sequences: set[int]) -> None:
        """These were erased: send them no more."""
        for ahead in self._ahead.values():
            kept = [message for message in ahead if message.sequence not in sequences]
            ahead.clear()
            ahead.extend(kept)

    def take(self, now_s: float) -> list[Waiting]:
        """Messages to publish now, in order. Stops at a class that has to be fetched first."""
        taken: list[Waiting] = []
        room = self.room()
        for each in self._served():
            ahead = self._ahead[each]
            count = min(room - len(taken), len(ahead))
            if each is OutboxClass.READING and count:
                count = min(count, self._bucket.available(now_s))
                self._bucket.spend(count)
            for _ in range(count):
                taken.append(ahead.popleft())
            if ahead or self._more[each]:
                break
        return taken

    def next_s(self) -> float | None:
        """Seconds until the rate allows another reading; None when not waiting for that."""
        if self.room() and self._ahead[OutboxClass.READING]:
            return self._bucket.next_s()
        return None
