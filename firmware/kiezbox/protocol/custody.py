# SPDX-License-Identifier: Apache-2.0
"""What a box still has to send, and what it keeps sending until somebody has it.

1. Every message leaves as one or more fragments under one counter; a repetition carries the same counter and bytes.
2. A message in custody has no last attempt: it is repeated with growing pauses until a receipt settles it or a person
   cancels.
3. Other messages have a number of attempts and then are gone; the box's outbox on flash decides about sending them
   again.
4. After a gateway said which fragments it holds, the next attempt carries only the others.
5. If there is no room, the least important message that is not in custody gives way and is counted. Custody is never
   given up; but a new call may take the place of the one tried most often, so that it goes out at least once. That one
   is parked: its owner has it on flash and resumes it when there is room.
6. When a gateway is heard after a long silence, all that is in custody goes out soon, each at its own random moment.

Not here: flash (the box's outbox), the air (MeshNode). Called by box_endpoint.py.
"""

from kiezbox.protocol.constant import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kiezbox.protocol.random_bits import RandomBits

_FIRST_PAUSE_MS = const(10_000)
_LONGEST_PAUSE_MS = const(900_000)
_MESSAGES_MAX = const(16)
_REPAIR_PAUSE_MS = const(400)


class CustodyFull(Exception):  # noqa: N818 - the name says what is the matter
    """Every place is taken by a message that may not be given up. Keep the new one on flash and resume it later."""


class Outgoing:
    """One message on its way: `parts` are its fragments' bodies, `wanted` the bit field of those to send next. What
    most messages leave as it is stands in the class, to save memory."""

    attempts_max = attempt = due_ms = 0

    def __init__(self, kind: int, counter: int, priority: int, parts: "list[bytes]", attempts_max: int) -> None:
        self.kind = kind
        self.counter = counter
        self.priority = priority
        self.parts = parts
        if attempts_max:
            self.attempts_max = attempts_max
        self.wanted = (1 << len(parts)) - 1


class Custody:
    """The messages on their way. `attempts_max` 0 means custody."""

    def __init__(self, random: "RandomBits") -> None:
        self._random = random
        self.messages: list[Outgoing] = []
        self.dropped = 0
        self.parked = False
        """Whether a message in custody had to make room; the owner clears it when it has taken note."""

    def hold(self, message: Outgoing, now_ms: int, is_new: bool = False) -> None:
        """Take a message over; it is due at once. One with the same counter is replaced. Raises CustodyFull.

        is_new: it was never sent, and may park another one (rule 5).
        """
        self.settle(message.counter)
        if len(self.messages) >= _MESSAGES_MAX:
            self._give_way(message, is_new)
        message.due_ms = now_ms
        self.messages.append(message)

    def settle(self, counter: int) -> "Outgoing | None":
        """Stop sending the message with this counter; returns it, if it was here."""
        message = self.find(counter)
        if message:
            self.messages.remove(message)
        return message

    def find(self, counter: int) -> "Outgoing | None":
        """The message with this counter."""
        for message in self.messages:
            if message.counter == counter:
                return message
        return None

    def due(self, now_ms: int, rank_max: int) -> "Outgoing | None":
        """The most important message whose time has come; its next attempt is planned. None if there is none.

        rank_max: the least important rank that may go now.
        """
        found = None
        for message in self.messages:
            if message.due_ms > now_ms or message.priority > rank_max:
                continue
            if found is None or (message.priority, message.attempt, message.counter) < (
                found.priority,
                found.attempt,
                found.counter,
            ):
                found = message
        if found is None:
            return None
        found.attempt += 1
        if found.attempts_max and found.attempt >= found.attempts_max:
            self.messages.remove(found)
        pause_ms = min(_FIRST_PAUSE_MS << min(found.attempt - 1, 8), _LONGEST_PAUSE_MS)
        # A quarter more or less, so that two boxes that collided once do not collide for ever.
        found.due_ms = now_ms + pause_ms - pause_ms // 4 + self._random.below(pause_ms // 2)
        return found

    def repair(self, counter: int, held: int, now_ms: int) -> bool:
        """A gateway holds the fragments `held` of a message: send the others soon, and only those."""
        message = self.find(counter)
        if message is None:
            return False
        missing = ((1 << len(message.parts)) - 1) & ~held
        if not missing:
            return False
        message.wanted = missing
        message.due_ms = min(message.due_ms, now_ms + _REPAIR_PAUSE_MS + self._random.below(_REPAIR_PAUSE_MS))
        return True

    def bring_forward(self, now_ms: int, within_ms: int) -> None:
        """A gateway is there again (rule 6)."""
        for message in self.messages:
            if not message.attempts_max:
                message.due_ms = min(message.due_ms, now_ms + self._random.below(within_ms))

    def next_due_ms(self, rank_max: int) -> "int | None":
        """When the next message of a rank that may go is due."""
        due_ms = None
        for message in self.messages:
            if message.priority <= rank_max and (due_ms is None or message.due_ms < due_ms):
                due_ms = message.due_ms
        return due_ms

    def _give_way(self, newcomer: Outgoing, is_new: bool) -> None:
        weakest = newcomer if newcomer.attempts_max else None
        for message in self.messages:
            if message.attempts_max and (weakest is None or message.priority >= weakest.priority):
                weakest = message
        if weakest is None and is_new:
            for message in self.messages:
                if not message.attempt or message.priority < newcomer.priority:
                    continue
                if weakest is None or (message.priority, message.attempt) > (weakest.priority, weakest.attempt):
                    weakest = message
            if weakest is not None:
                self.messages.remove(weakest)
                self.parked = True
                return
        if weakest is None or weakest is newcomer:
            raise CustodyFull("no room for a message")
        self.messages.remove(weakest)
        self.dropped += 1
