# SPDX-License-Identifier: Apache-2.0
"""One call as a box remembers it: how far it got, and which messages belong to it. No text of the resident's is here.

Not here: flash, the air. Called by calls.py.
"""

STORED = 1
GATEWAY = 2

NEW = 0
AMEND = 1
CANCEL = 2
SAFE = 3


class Entry:
    """One call in memory. counters: of the call and its amendments; stages: [stage, time_s, station] each.
    stored_ms: steady time when it was stored, if there was no clock. What most calls leave as it is stands in the
    class, to save memory."""

    stored_ms: "int | None" = None
    answer: "str | None" = None
    button = cancelled = safe = False

    def __init__(self, counter: int, kind: str, button: bool) -> None:
        self.counters = [counter]
        self.kind = kind
        self.stages: list[list] = []
        if button:
            self.button = True

    def add(self, record: dict) -> None:
        """An amendment, a cancellation or the news that all is well."""
        self.counters.append(record["counter"])
        action = record["message"].get("action")
        if action in (CANCEL, SAFE):
            self.cancelled = True
        if action == SAFE:
            self.safe = True

    def has(self, stage: int) -> bool:
        """Whether the call has come as far as that."""
        return any(one[0] == stage for one in self.stages)

    def rise(self, record: dict) -> bool:
        """A stage was heard; False if it is of another call. What is said of an addition counts as answer only."""
        if record["counter"] not in self.counters:
            return False
        if record["counter"] == self.counters[0] and not self.has(record["stage"]):
            self.stages.append([record["stage"], record["time_s"], record["station"]])
            self.stages.sort()
        if record["text"]:
            self.answer = record["text"]
        return True
