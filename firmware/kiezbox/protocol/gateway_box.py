# SPDX-License-Identifier: Apache-2.0
"""What a gateway knows of one box: its keys, the counters it has used, the readings that are stored, the receipts it
is owed.

Not here: frames and jobs (gateway_endpoint.py, downlink.py), the durable store (the gateway's). Called by
gateway_endpoint.py.
"""

from kiezbox.protocol import envelope, gateway_wire
from kiezbox.protocol.box_keys import BoxKeys
from kiezbox.protocol.replay import ReplayWindow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

WINDOW = 4096
"""Counters below the highest that are still taken, but for calls, of which every one is."""

SEQUENCES_BACK = 8 * gateway_wire.BITMAP_LENGTH_MAX
REMEMBERED_MAX = 512
KEYS_EXPECTED_MAX = 4


class GatewayBox:
    """State of one box. `owed_*` is what the next list of receipts shall carry."""

    def __init__(self, node_num: int, root_key: bytes, highest_counter: int) -> None:
        """Raises ValueError unless `root_key` has 32 bytes."""
        self.node_num = node_num
        self.keys = [BoxKeys(root_key)]
        """The key in use first; while a new one is on its way, that one second."""
        self.window = ReplayWindow(WINDOW, highest_counter)
        self.kinds: dict[int, tuple[int, int]] = {}
        """Kind and, of readings, sequence number of the latest messages by counter."""
        self.stages: dict[int, int] = {}
        """The stage last acknowledged, by counter, of calls."""
        self.owed_stages: dict[int, int] = {}
        self.owed_fragments: dict[int, int] = {}
        self.insisted: set[int] = set()
        """Calls that came again after a receipt: another gateway's receipt does not settle these."""
        self.owed_readings_since_ms: int | None = None
        self.upto = 0
        self._held = 0
        self._floor = 0

    def expect_key(self, root_key: bytes) -> None:
        """The box is told to use this key from now on; every key that it may have taken over is accepted until then.

        Raises ValueError unless it has 32 bytes.
        """
        newer = BoxKeys(root_key)
        self.keys[1:] = [keys for keys in self.keys[1:] if not keys.is_of(root_key)][1 - KEYS_EXPECTED_MAX :] + [newer]

    def proven_by(self, received: envelope.Envelope) -> "int | None":
        """The index of the key that proves this envelope, None if none does."""
        for index, keys in enumerate(self.keys):
            if envelope.authentic(keys, self.node_num, received):
                return index
        return None

    def remember(self, counter: int, kind: int, sequence: int) -> None:
        """A whole message was handed to the owner."""
        self.window.mark(counter)
        if len(self.kinds) >= REMEMBERED_MAX and counter not in self.kinds:
            del self.kinds[min(self.kinds)]
        self.kinds[counter] = (kind, sequence)

    def hold_readings(self, sequences: "Iterable[int]", complete_below: int = 0) -> None:
        """These readings are stored for good, and so is every one below `complete_below`."""
        self._floor = max(self._floor, complete_below)
        for sequence in sequences:
            if sequence > self.upto:
                # A stolen box may name any number: a shift by a billion bits is not made for it.
                step = sequence - self.upto
                self._held = self._held << step if step <= SEQUENCES_BACK else 0
                self.upto = sequence
            if self.upto - sequence <= SEQUENCES_BACK:
                self._held |= 1 << (self.upto - sequence)
        self._held &= (1 << (SEQUENCES_BACK + 1)) - 1
        # Whatever follows the floor without a gap belongs to it.
        while self._floor and self._floor <= self.upto and self.upto - self._floor <= SEQUENCES_BACK:
            if not self._held >> (self.upto - self._floor) & 1:
                break
            self._floor += 1

    def holds_reading(self, sequence: int) -> bool:
        """Whether this reading is stored for good."""
        age = self.upto - sequence
        if age < 0:
            return False
        return sequence < self._floor or (age <= SEQUENCES_BACK and bool(self._held >> age & 1))

    def counter_of_reading(self, sequence: int) -> int:
        """Under which counter a reading was handed out first, 0 if that is not remembered."""
        first = 0
        for counter, (kind, other) in self.kinds.items():
            if kind == envelope.READING and other == sequence and (not first or counter < first):
                first = counter
        return first

    def readings_item(self) -> bytes:
        """What is stored, as one item of a receipt; empty if no reading is."""
        if not self.upto:
            return b""
        held = self._held >> 1
        below_held = self._floor > 0
        depth = min(SEQUENCES_BACK, self.upto - 1)
        if below_held:
            depth = min(depth, max(0, self.upto - self._floor))
        while depth and not below_held and not held >> (depth - 1) & 1:
            depth -= 1  # What nobody has heard of is not said to be missing.
        length = (depth + 7) // 8
        if below_held:
            # The bits beyond the floor are held as well.
            known = max(0, self.upto - self._floor)
            held |= ((1 << 8 * length) - 1) >> known << known
            below_held = self.upto - 8 * length <= self._floor
        return gateway_wire.readings_item(self.upto, held & ((1 << 8 * length) - 1), length, below_held)

    def told_by_another(self, item: "tuple[str, int, Any]") -> None:
        """Another gateway has said this to the box: it need not be said twice."""
        what, number, told = item
        if what == "stage":
            if number not in self.insisted and self.owed_stages.get(number, 0) <= told:
                self.owed_stages.pop(number, None)
        elif what == "readings" and self.owed_readings_since_ms is not None:
            known = range(max(1, self.upto - SEQUENCES_BACK), self.upto + 1)
            if all(sequence in told for sequence in known if self.holds_reading(sequence)):
                self.owed_readings_since_ms = None

    def owes(self) -> bool:
        """Whether something waits for the next receipt."""
        return bool(self.owed_stages or self.owed_fragments or self.owed_readings_since_ms is not None)

    def take_items(self, room: int) -> bytes:
        """As many owed items as fit into `room` bytes, calls first; they are owed no longer."""
        items = b""
        for owed, encode in (
            (self.owed_stages, gateway_wire.stage_item),
            (self.owed_fragments, gateway_wire.fragments_item),
        ):
            for counter in list(owed):
                item = encode(counter, owed[counter])
                if len(items) + len(item) <= room:
                    items += item
                    del owed[counter]
                    self.insisted.discard(counter)
        if self.owed_readings_since_ms is not None:
            item = self.readings_item()
            if len(items) + len(item) <= room:
                items += item
                self.owed_readings_since_ms = None
        return items
