# SPDX-License-Identifier: Apache-2.0
"""The envelope of every Kiezbox message: who, which kind, which number, which fragment, and the proof.

It is the payload of a Meshtastic Data packet on the private port 256 and stands in the clear under the channel key, so
that a relay can tell an emergency from a reading without any secret. Lengths and order of all fields:
docs/wire-format.md.

Not here: what a body means (messages.py), which counter is fresh (replay.py), collecting fragments (fragment.py), the
list of receipts inside scheme 3 (receipt.py). Called by both endpoints; `clear_kind` by whoever only relays.
"""

import hashlib

from kiezbox.protocol.aes_ctr import ctr_crypt
from kiezbox.protocol.constant import const
from kiezbox.protocol.hkdf import same

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kiezbox.protocol.box_keys import BoxKeys

PORTNUM = 256
PAYLOAD_LENGTH_MAX = 231
TAG_LENGTH = 8
SIGNATURE_LENGTH = 64
VERSION = 1

UPLINK = 1
UPLINK_SEALED = 2
RECEIPTS = 3
DOWNLINK = 4
BROADCAST = 5

READING = 1
HEALTH = 2
EMERGENCY = 3
EXERCISE = 4
BUTTON = 5
QUERY = 6
COMMAND_RESULT = 7
RECEIPT = 16
REPLY = 17
MODE = 18
BULLETIN = 19
CONFIGURATION = 20
TIME = 21
MANIFEST = 22

KIND_NAMES = (
    "",
    "reading",
    "health",
    "emergency",
    "exercise",
    "button",
    "query",
    "command_result",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "receipt",
    "reply",
    "mode",
    "bulletin",
    "configuration",
    "time",
    "manifest",
)
"""Names by number; a number without a name is no kind."""

FOR_ONE_BOX = (REPLY,)
"""What is never broadcast: a reply names a call by its box's own counter, so another box would take it for its own."""

IN_THE_CLEAR = (READING, HEALTH)
"""What a box measures is open to every holder of the channel key; all else that it sends up is sealed."""

UPLINK_PART_MAX = PAYLOAD_LENGTH_MAX - 7 - TAG_LENGTH
"""Bytes of a body, or of a piece of one, in one frame up."""

DOWNLINK_PART_MAX = PAYLOAD_LENGTH_MAX - 11 - TAG_LENGTH
BROADCAST_HEADER_LENGTH = 8

_SIGNATURE_DOMAIN = const(b"Kiezbox 1 cast")

_HEADER_LENGTHS = const(b"\0\7\7\0\13\10")


class EnvelopeError(ValueError):
    """The payload is no envelope; `reason` is one snake_case word for the counters."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Envelope:
    """One decoded envelope. Nothing in it is proven yet.

    box: destination of a downlink, 0 else. key_id: signing key of a broadcast, 0 else. counter: u32. index, count: this
    fragment of how many. body: bytes between header and proof; sealed where the scheme says so. `payload`: as received.
    """

    def __init__(self, payload: bytes) -> None:
        """Raises EnvelopeError. A list of receipts has a body and neither counter nor fragments."""
        if len(payload) < 2:
            raise EnvelopeError("envelope_truncated")
        if len(payload) > PAYLOAD_LENGTH_MAX:
            raise EnvelopeError("envelope_too_long")
        if payload[0] >> 4 != VERSION:
            raise EnvelopeError("unknown_version")
        scheme = payload[0] & 0x0F
        kind = payload[1]
        self.payload = payload
        self.scheme = scheme
        self.kind = kind
        self.box = self.key_id = self.counter = self.index = 0
        self.count = 1
        if scheme == RECEIPTS:
            if kind != RECEIPT:
                raise EnvelopeError("kind_not_for_scheme")
            self.body = payload[2:]
            return
        header_length = _HEADER_LENGTHS[scheme] if scheme <= BROADCAST else 0
        if not header_length:
            raise EnvelopeError("unknown_scheme")
        if not is_kind(kind):
            raise EnvelopeError("unknown_kind")
        if kind == RECEIPT or (kind > RECEIPT) != (scheme >= DOWNLINK) or (kind in IN_THE_CLEAR) != (scheme == UPLINK):
            # The last test leaves UPLINK_SEALED, DOWNLINK and BROADCAST to the kinds that are not open.
            raise EnvelopeError("kind_not_for_scheme")
        if scheme == BROADCAST and kind in FOR_ONE_BOX:
            raise EnvelopeError("kind_not_for_scheme")
        if len(payload) < header_length:
            raise EnvelopeError("envelope_truncated")
        fragment = payload[header_length - 1]
        self.index = fragment >> 4
        self.count = (fragment & 0x0F) + 1
        self.counter = int.from_bytes(payload[header_length - 5 : header_length - 1], "little")
        proof_length = TAG_LENGTH
        if scheme == BROADCAST:
            self.key_id = payload[2]
            proof_length = SIGNATURE_LENGTH if self.index == 0 else 0
        elif scheme == DOWNLINK:
            self.box = int.from_bytes(payload[2:6], "little")
        if self.index >= self.count:
            raise EnvelopeError("fragment_out_of_range")
        if self.counter == 0:
            raise EnvelopeError("counter_zero")
        if len(payload) < header_length + proof_length:
            raise EnvelopeError("envelope_truncated")
        self.body = payload[header_length : len(payload) - proof_length]


def clear_kind(payload: bytes) -> int:
    """The kind a payload claims to be, 0 if it is no envelope of ours. Nothing is proven."""
    if 2 <= len(payload) <= PAYLOAD_LENGTH_MAX and payload[0] >> 4 == VERSION and is_kind(payload[1]):
        return payload[1]
    return 0


def is_kind(kind: int) -> bool:
    """Whether this number stands for a kind of message."""
    return 0 < kind < len(KIND_NAMES) and KIND_NAMES[kind] != ""


def kind_number(name: str) -> int:
    """The number of a kind, 0 if no kind has this name."""
    return KIND_NAMES.index(name) if name in KIND_NAMES else 0


def seal(keys: "BoxKeys", node_num: int, kind: int, counter: int, body: bytes) -> bytes:
    """Encrypt or, the same thing in AES-CTR, decrypt the whole body of one message before it is cut into fragments.

    The same box, kind and counter must never seal two different bodies.
    """
    block = node_num.to_bytes(4, "little") + counter.to_bytes(4, "little") + bytes((kind, VERSION, 0, 0)) + bytes(4)
    return ctr_crypt(keys.seal(kind), block, body)


def encode_uplink(
    keys: "BoxKeys", node_num: int, kind: int, counter: int, index: int, count: int, part: bytes
) -> bytes:
    """One fragment from box `node_num`; `part` is a piece of the body, sealed before unless the kind is open."""
    scheme = UPLINK if kind in IN_THE_CLEAR else UPLINK_SEALED
    head = (
        bytes((VERSION << 4 | scheme, kind)) + counter.to_bytes(4, "little") + bytes((index << 4 | count - 1,)) + part
    )
    return head + tag(keys, node_num, kind, head)


def authentic(keys: "BoxKeys", node_num: int, envelope: Envelope) -> bool:
    """Whether box `node_num`, or the gateway for it, made this envelope. For schemes 1, 2 and 4."""
    payload = envelope.payload
    cut = len(payload) - TAG_LENGTH
    return same(tag(keys, node_num, envelope.kind, payload[:cut]), payload[cut:])


def signed_part(payload: bytes) -> "tuple[bytes, bytes]":
    """What the signature of a broadcast's first fragment covers, and the signature."""
    cut = len(payload) - SIGNATURE_LENGTH
    return signed(payload[:cut]), payload[cut:]


def signed(head: bytes) -> bytes:
    """What is signed for a broadcast whose bytes before the signature are `head`."""
    # A digest, because a board has SHA-256 in hardware and SHA-512, of which Ed25519 needs one block for this, in
    # Python.
    return _SIGNATURE_DOMAIN + hashlib.sha256(head).digest()


def tag(keys: "BoxKeys", node_num: int, kind: int, head: bytes) -> bytes:
    """The proof of an envelope whose bytes before the tag are `head`."""
    return keys.mac(kind).digest(node_num.to_bytes(4, "little") + head)[:TAG_LENGTH]
