# SPDX-License-Identifier: Apache-2.0
"""The transmit queue against a list that is sorted anew each time."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kiezbox.protocol.transmit_queue import TransmitQueue, Waiting


class QueueMachine(RuleBasedStateMachine):
    """The model holds (rank, late, not relayed, number of arrival, item)."""

    @initialize(size=st.integers(1, 8))
    def start(self, size: int) -> None:
        self.queue = TransmitQueue(size)
        self.model: list[tuple[int, bool, bool, int, Waiting]] = []
        self.arrivals = 0

    def entry(self, item: Waiting) -> tuple[int, bool, bool, int, Waiting]:
        self.arrivals += 1
        return item.rank, item.late, not item.relayed, self.arrivals, item

    @rule(rank=st.integers(0, 5), relayed=st.booleans())
    def add(self, rank: int, relayed: bool) -> None:
        frame = bytes(4) + self.arrivals.to_bytes(8, "little") + bytes(4)
        item = Waiting(frame, rank, 0, relayed, 1_000)
        dropped = self.queue.add(item)
        self.model = sorted([*self.model, self.entry(item)], key=lambda entry: entry[:4])
        if len(self.model) > self.queue.size:
            assert dropped is self.model.pop()[4]
        else:
            assert dropped is None

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.model))
        self.queue.remove(entry[4])
        self.model.remove(entry)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def postpone(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.model))
        self.queue.postpone(entry[4], 500)
        self.model.remove(entry)
        self.model = sorted([*self.model, self.entry(entry[4])], key=lambda entry: entry[:4])

    @invariant()
    def order_is_that_of_the_model(self) -> None:
        assert self.queue.items == [entry[4] for entry in self.model]
        for item in self.queue.items:
            assert self.queue.find(item.frame[4:12]) is item


QueueMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=60, deadline=None, derandomize=True)
TestQueue = QueueMachine.TestCase
