# SPDX-License-Identifier: Apache-2.0
"""HMAC-SHA256 (RFC 2104) and HKDF-SHA256 (RFC 5869) from hashlib alone: MicroPython has no hmac module.

Not here: which keys exist and what they are for (box_keys.py). Called by box_keys.py, envelope.py and random_bits.py.
"""

import hashlib


class Hmac:
    """One HMAC-SHA256 key, with both padded blocks made once, so that a tag costs two hashes and no loop."""

    def __init__(self, key: bytes) -> None:
        if len(key) > 64:
            key = hashlib.sha256(key).digest()
        inner = bytearray(b"\x36" * 64)
        outer = bytearray(b"\x5c" * 64)
        for index in range(len(key)):  # In place: a list of 64 numbers is a piece of heap that a full box may not have.
            inner[index] ^= key[index]
            outer[index] ^= key[index]
        self._inner = bytes(inner)
        self._outer = bytes(outer)

    def digest(self, message: bytes) -> bytes:
        """The 32-byte authentication code of `message`."""
        inner = hashlib.sha256(self._inner)
        inner.update(message)
        outer = hashlib.sha256(self._outer)
        outer.update(inner.digest())
        return outer.digest()


def hkdf(root_key: bytes, salt: bytes, info: bytes, length: int = 32) -> bytes:
    """`length` bytes (at most 8160) derived from `root_key`; RFC 5869, extract and expand."""
    expand = Hmac(Hmac(salt).digest(root_key))
    output = block = b""
    index = 1
    while len(output) < length:
        block = expand.digest(block + info + bytes([index]))
        output += block
        index += 1
    return output[:length]


def same(left: bytes, right: bytes) -> bool:
    """Whether both are equal, in a time that does not tell where they differ."""
    if len(left) != len(right):
        return False
    difference = 0
    for index in range(len(left)):
        difference |= left[index] ^ right[index]
    return difference == 0
