# SPDX-License-Identifier: Apache-2.0
"""Receipts of many boxes in one downlink frame: each box finds its own entry and checks it under its own key.

1. An entry is the box's number, the length of its items, the items, and an 8-byte tag over all of these.
2. An item says: a message reached a stage; or, these fragments of a message are here; or, these readings are stored.
3. A receipt states a fact about the past. Hearing it twice, or late, changes nothing, so it needs no counter.

Not here: writing them (gateway_wire.py), what a box does with them (box_endpoint.py). Called by box_endpoint.py.
"""

from kiezbox.protocol import envelope
from kiezbox.protocol.constant import const
from kiezbox.protocol.hkdf import same

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kiezbox.protocol.box_keys import BoxKeys

GATEWAY = 2
"""Stages: 1 stored in the box, 2 gateway, 3 station, 4 read, 5 answered."""

_STAGE_ITEM = const(0x10)
_READINGS_ITEM = const(0x20)
_FRAGMENTS_ITEM = const(0x30)
_BELOW_HELD = const(0x80)


def own_items(keys: "list[BoxKeys]", node_num: int, body: bytes) -> "list[bytes]":
    """The proven items of `node_num` in the body of a list of receipts. One of `keys` has to fit.

    Raises EnvelopeError if the list is damaged, or an entry for this box has a false tag.
    """
    found = []
    position = 0
    while position < len(body):
        stop = position + 5 + (body[position + 4] if position + 5 <= len(body) else 0)
        end = stop + envelope.TAG_LENGTH
        if end > len(body):
            raise envelope.EnvelopeError("envelope_truncated")
        if int.from_bytes(body[position : position + 4], "little") == node_num:
            head = body[position:stop]
            for key in keys:
                tag = key.mac(envelope.RECEIPT).digest(head)[: envelope.TAG_LENGTH]
                if same(tag, body[stop:end]):
                    break
            else:
                raise envelope.EnvelopeError("false_tag")
            found.append(head[5:])
        position = end
    return found


class Readings:
    """What the gateway says of this box's readings: `in` tells whether it holds a sequence number."""

    def __init__(self, upto: int, held: int, length: int, below_held: bool) -> None:
        self.upto = upto
        self._held = held
        self._length = length
        self._below_held = below_held

    def __contains__(self, sequence: int) -> bool:
        age = self.upto - sequence
        if age <= 0:
            return age == 0
        if age > self._length:
            return self._below_held
        return bool(self._held >> (age - 1) & 1)

    def missing(self) -> "list[int]":
        """Sequence numbers that the gateway says it lacks, oldest first."""
        return [
            self.upto - age for age in range(self._length, 0, -1) if not self._held >> (age - 1) & 1 and self.upto > age
        ]


def decode_items(items: bytes) -> "list[tuple[str, int, Any]]":
    """("stage", counter, stage), ("fragments", counter, held), ("readings", upto, Readings) ...

    Stops at an item of a type it does not know. Raises EnvelopeError if an item is cut off.
    """
    found: list[tuple[str, int, Any]] = []
    position = 0
    while position < len(items):
        item = items[position]
        number = int.from_bytes(items[position + 1 : position + 5], "little")
        length = 5
        if item & 0xF0 == _STAGE_ITEM:
            found.append(("stage", number, item & 0x0F))
        elif item == _FRAGMENTS_ITEM:
            length = 7
            found.append(("fragments", number, int.from_bytes(items[position + 5 : position + 7], "little")))
        elif item == _READINGS_ITEM and position + 5 < len(items):
            flags = items[position + 5]
            size = flags & 0x1F
            length = 6 + size
            held = int.from_bytes(items[position + 6 : position + length], "little")
            found.append(("readings", number, Readings(number, held, 8 * size, bool(flags & _BELOW_HELD))))
        elif item != _READINGS_ITEM:
            break
        else:
            length = 6
        position += length
        if position > len(items):
            raise envelope.EnvelopeError("item_truncated")
    return found
