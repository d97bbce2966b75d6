# SPDX-License-Identifier: Apache-2.0
"""The duplicate history against an ordered dictionary, with keys made to overlap in the byte string."""

from collections import OrderedDict

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kiezbox.protocol.history import OTHER_CONTENT, UNKNOWN, History

# Few different bytes, so that keys stand across the borders of entries as well.
keys = st.binary(min_size=8, max_size=8).map(lambda raw: bytes(byte & 1 for byte in raw)).filter(any)
digests = st.sampled_from([b"\0\0", b"\0\1", b"\1\0"])


class HistoryMachine(RuleBasedStateMachine):
    """Entry of the model: [hop limit, next hop, relay node, relayed]."""

    @initialize(size=st.integers(1, 12))
    def start(self, size: int) -> None:
        self.history = History(size)
        self.model: OrderedDict[tuple[bytes, bytes], list[int]] = OrderedDict()

    @rule(key=keys, digest=digests, hop_limit=st.integers(0, 7), next_hop=st.integers(0, 255), node=st.integers(0, 255))
    def hear(self, key: bytes, digest: bytes, hop_limit: int, next_hop: int, node: int) -> None:
        place = self.history.find(key, digest)
        entry = self.model.get((key, digest))
        if entry is None:
            assert place == (OTHER_CONTENT if any(known == key for known, _ in self.model) else UNKNOWN)
            self.history.add(key, digest, hop_limit, next_hop, node)
            self.model[key, digest] = [hop_limit, next_hop, node, 0]
            if len(self.model) > self.history.size:
                self.model.popitem(last=False)
        else:
            assert place >= 0
            self.history.raise_hop_limit(place, hop_limit)
            entry[0] = max(entry[0], hop_limit)

    @rule(key=keys, digest=digests)
    def relay(self, key: bytes, digest: bytes) -> None:
        self.history.note_relayed(key, digest)
        if (key, digest) in self.model:
            self.model[key, digest][3] = 1

    @rule(key=keys, digest=digests)
    def flood(self, key: bytes, digest: bytes) -> None:
        place = self.history.find(key, digest)
        if place >= 0:
            self.history.flood(place)
            self.model[key, digest][1] = 0

    @invariant()
    def every_packet_of_the_model_is_found_with_its_fields(self) -> None:
        places = set()
        for (key, digest), entry in self.model.items():
            place = self.history.find(key, digest)
            assert 0 <= place < self.history.size
            places.add(place)
            found = [
                self.history.hop_limit(place),
                self.history.next_hop(place),
                self.history.relay_node(place),
                int(self.history.relayed(place)),
            ]
            assert found == entry
        assert len(places) == len(self.model)


HistoryMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=60, deadline=None, derandomize=True)
TestHistory = HistoryMachine.TestCase
