# SPDX-License-Identifier: Apache-2.0
"""Commands, answers and broadcasts of a gateway on their way to the boxes, each as a job with a state per box.

1. A job is repeated with growing pauses until every box it is for has answered, or its attempts or its time are used
   up.
2. A repetition carries the same counter, so that a box answers again and does not act again. After RENEW_AFTER
   attempts a job to one box takes a new counter, because a box that was restarted in between refuses counters it
   cannot judge.
3. A box that holds some fragments of a command says so, and the next attempt carries only the others.
4. Finished jobs are kept for a while to be asked about, then forgotten, oldest first.

Not here: receipts (gateway_endpoint.py), when a person wants a command. Called by gateway_endpoint.py.
"""

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
RENEW_AFTER = 4
JOBS_MAX = 512


class Job:
    """One command or broadcast. boxes: state by node number; of a broadcast, of every box that was known when it
    began."""

    def __init__(self, number: int, kind: int, message: "Message", node_num: "int | None", due_ms: int) -> None:
        self.number = number
        self.kind = kind
        self.message = message
        self.node_num = node_num
        self.due_ms = due_ms
        self.expires_ms: int | None = None
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

    def sent(self, now_ms: int, jitter_ms: int) -> None:
        """One attempt was handed to the radio."""
        self.attempt += 1
        pause_ms = min(FIRST_PAUSE_MS << min(self.attempt - 1, 8), LONGEST_PAUSE_MS)
        self.due_ms = now_ms + pause_ms + jitter_ms
        for node_num, state in self.boxes.items():
            if state == QUEUED:
                self.boxes[node_num] = ON_AIR

    def give_up(self) -> None:
        """No more attempts: what no box has answered is expired."""
        self.attempt = max(self.attempt, self.attempts_max)
        for node_num, state in self.boxes.items():
            if state in (QUEUED, ON_AIR):
                self.boxes[node_num] = EXPIRED
