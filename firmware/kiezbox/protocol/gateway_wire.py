# SPDX-License-Identifier: Apache-2.0
"""What only a gateway writes: commands to one box, signed broadcasts, entries and items of lists of receipts.

Apart from envelope.py and receipt.py, so that a box's heap does not hold it. Layout: docs/wire-format.md. Called by
gateway_endpoint.py, gateway_box.py and downlink.py.
"""

from kiezbox.protocol import envelope
from kiezbox.protocol.constant import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kiezbox.protocol.box_keys import BoxKeys

ENTRY_OVERHEAD = 4 + 1 + envelope.TAG_LENGTH
BITMAP_LENGTH_MAX = 31

_STAGE = const(0x10)
_READINGS = const(0x20)
_FRAGMENTS = const(0x30)
_BELOW_HELD = const(0x80)


def encode_downlink(
    keys: "BoxKeys", node_num: int, kind: int, counter: int, index: int, count: int, part: bytes
) -> bytes:
    """One fragment to box `node_num`; `part` is a piece of the sealed body."""
    head = (
        bytes((envelope.VERSION << 4 | envelope.DOWNLINK, kind))
        + node_num.to_bytes(4, "little")
        + counter.to_bytes(4, "little")
        + bytes((index << 4 | count - 1,))
        + part
    )
    return head + envelope.tag(keys, node_num, kind, head)


def encode_broadcast(
    sign: "Callable[[bytes], bytes]", kind: int, key_id: int, counter: int, count: int, body: bytes
) -> bytes:
    """The signed first fragment of a broadcast; `sign` makes the 64-byte Ed25519 signature."""
    head = broadcast_header(kind, key_id, counter, 0, count) + body
    return head + sign(envelope.signed(head))


def broadcast_header(kind: int, key_id: int, counter: int, index: int, count: int) -> bytes:
    """The first eight bytes of each fragment of a broadcast."""
    return (
        bytes((envelope.VERSION << 4 | envelope.BROADCAST, kind, key_id))
        + counter.to_bytes(4, "little")
        + bytes((index << 4 | count - 1,))
    )


def stage_item(counter: int, stage: int) -> bytes:
    """Message `counter` of this box has reached `stage` (2..5)."""
    return bytes((_STAGE | stage,)) + counter.to_bytes(4, "little")


def fragments_item(counter: int, held: int) -> bytes:
    """Of message `counter` the fragments in the bit field `held` (bit 0 = first) are here, the others are missing."""
    return bytes((_FRAGMENTS,)) + counter.to_bytes(4, "little") + held.to_bytes(2, "little")


def readings_item(upto: int, held: int, length: int, below_held: bool) -> bytes:
    """Readings are stored: sequence `upto`; of the 8 * `length` before it those in `held` (bit 0 = upto - 1).

    below_held: all that are older are stored too; else nothing is said of them. length: 0..31.
    """
    flags = length | (_BELOW_HELD if below_held else 0)
    return bytes((_READINGS,)) + upto.to_bytes(4, "little") + bytes((flags,)) + held.to_bytes(length, "little")


def encode_entry(keys: "BoxKeys", node_num: int, items: bytes) -> bytes:
    """The entry for box `node_num`; `items` are at most ITEMS_LENGTH_MAX bytes."""
    head = node_num.to_bytes(4, "little") + bytes((len(items),)) + items
    return head + keys.mac(envelope.RECEIPT).digest(head)[: envelope.TAG_LENGTH]


def encode_payload(entries: bytes) -> bytes:
    """The payload that carries encoded entries."""
    return bytes((envelope.VERSION << 4 | envelope.RECEIPTS, envelope.RECEIPT)) + entries
