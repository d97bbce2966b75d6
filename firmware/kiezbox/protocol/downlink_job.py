# SPDX-License-Identifier: Apache-2.0
"""One command, answer or broadcast of a gateway: the state of each box it is for, attempts and pauses, and which jobs
can share a message.

Not here: when it goes and how it is encoded (downlink.py). Called by downlink.py and by the gateway that owns the jobs.
"""

from kiezbox.protocol import envelope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kiezbox.protocol.messages import Message

QUEUED = "queued"
ON_AIR = "on air"
CONFIRMED = "confirmed"
REFUSED = "refused"
EXPIRED = "expired"

FIRST_PAUSE_MS = 20_000
LONGEST_PAUSE_MS = 900_000
ATTEMPTS_MAX = 12
TIME_LATE_MS = 5_000
"""A time that could not be sent for so long is not the time any more."""
TO_ALL = 3
"""So often a broadcast goes to all before those that have not answered are asked one by one."""


class Job:
    """One command or broadcast. boxes: state by node number; of a broadcast, of every box that was known when it
    began."""

    def __init__(self, number: int, kind: int, message: "Message", node_num: "int | None", due_ms: int) -> None:
        self.number = number
        self.kind = kind
        self.message = message
        self.node_num = node_num
        self.due_ms = due_ms
        self.attempt = 0
        self.attempts_max = ATTEMPTS_MAX
        self.counters: list[int] = []
        self.payloads: list[bytes] = []
        self.wanted = 0
        self.boxes: dict[int, str] = {}
        self.details: dict[int, str] = {}
        """What a box said beside refusing, by node number."""

    def state(self) -> str:
        """The state of the whole job: the least finished of its boxes, or how often it was sent where no box
        answers."""
        if self.boxes:
            for state in (QUEUED, ON_AIR, EXPIRED, REFUSED):
                if state in self.boxes.values():
                    return state
            return CONFIRMED
        if self.attempt < self.attempts_max:
            return ON_AIR if self.attempt else QUEUED
        return EXPIRED

    def open(self) -> bool:
        """Whether it is to be sent again."""
        if self.attempt >= self.attempts_max:
            return False
        return not self.boxes or any(state in (QUEUED, ON_AIR) for state in self.boxes.values())

    def answered_by_all(self) -> bool:
        """Whether every box answers it: a new counter would make them all answer once more."""
        return self.node_num is None and bool(self.boxes)

    def silent(self) -> "list[int]":
        """Of a broadcast that most boxes have answered: those that have not."""
        if self.node_num is not None or self.attempt < TO_ALL:
            return []
        silent = [node_num for node_num, state in self.boxes.items() if state == ON_AIR]
        return silent if 2 * len(silent) <= len(self.boxes) else []

    def sent(self, now_ms: int, jitter_ms: int) -> None:
        """One attempt was handed to the radio."""
        self.attempt += 1
        pause_ms = min(FIRST_PAUSE_MS << min(self.attempt - 1, 8), LONGEST_PAUSE_MS)
        self.due_ms = now_ms + pause_ms + jitter_ms
        for node_num, state in self.boxes.items():
            if state == QUEUED:
                self.boxes[node_num] = ON_AIR

    def tells_stage(self) -> bool:
        """Whether it says to one box which stage one of its calls has reached, and nothing else."""
        get = self.message.get
        return self.kind == envelope.REPLY and bool(get("refers_to") and get("time_s")) and not get("text")

    def shares_with(self, other: "Job") -> bool:
        """Whether two that tell stages can go in one message."""
        mine, others = self.message.get, other.message.get
        return (
            self.node_num == other.node_num
            and mine("stage") == others("stage")
            and mine("station") == others("station")
        )

    def late(self, now_ms: int) -> bool:
        """Whether a time that is still to be sent has waited too long."""
        return now_ms - self.due_ms > TIME_LATE_MS

    def give_up(self) -> None:
        """No more attempts: what no box has answered is expired."""
        self.attempt = max(self.attempt, self.attempts_max)
        for node_num, state in self.boxes.items():
            if state in (QUEUED, ON_AIR):
                self.boxes[node_num] = EXPIRED
