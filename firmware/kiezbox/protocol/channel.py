# SPDX-License-Identifier: Apache-2.0
"""A Meshtastic channel: the expanded key, the one-byte hash, the encryption (firmware 2.7, src/mesh/Channels.cpp).

It hides frames from passers-by and proves nothing: every holder of the key can read, forge and change them. Not here:
the
proof (envelope.py). Called by mesh.py and by `kiezbox frame`.
"""

from kiezbox.protocol.aes_ctr import block_cipher, ctr_mix
from kiezbox.protocol.frame import HEADER_LENGTH

DEFAULT_KEY = b"\xd4\xf1\xbb\x3a\x20\x29\x07\x59\xf0\xbc\xff\xab\xcf\x4e\x69\x01"
_ZEROS = bytes(4)


def expand_key(psk: bytes) -> bytes:
    """The AES key of 0 (no encryption), 16 or 32 bytes that a stored key of 0 to 32 bytes stands for.

    One byte n: 0 none, else the default key with n - 1 added to its last byte. Shorter keys are padded with zeros.
    Raises
    ValueError for more than 32 bytes.
    """
    length = len(psk)
    if length > 32:
        raise ValueError("a channel key has at most 32 bytes")
    if length == 0 or psk == b"\0":
        return b""
    if length == 1:
        return DEFAULT_KEY[:15] + bytes((DEFAULT_KEY[15] + psk[0] - 1 & 0xFF,))
    return psk + bytes((16 if length <= 16 else 32) - length)


class Channel:
    """name: as used for the hash; key: expanded; hash: 0..255, a hint only."""

    def __init__(self, name: str, psk: bytes, preset_name: str = "LongFast") -> None:
        """An empty name stands for the preset's display name. Raises ValueError for a key that is too long."""
        self.name = name or preset_name
        self.key = expand_key(psk)
        value = 0
        for byte in self.name.encode() + self.key:
            value ^= byte
        self.hash = value
        self._cipher = block_cipher(self.key) if self.key else None

    def crypt(self, from_node: int, packet_id: int, data: bytes) -> bytes:
        """Encrypt or decrypt. The same (from_node, packet_id) must never encrypt two different things."""
        if self._cipher is None:
            return data
        return ctr_mix(self._cipher, counter_block(from_node, packet_id), data)

    def open(self, frame: bytes) -> bytes:
        """What stands behind the header of a whole frame, decrypted. No key proves that it was this channel's."""
        content = frame[HEADER_LENGTH:]
        if self._cipher is None:
            return content
        return ctr_mix(self._cipher, frame[8:12] + _ZEROS + frame[4:8] + _ZEROS, content)


def counter_block(from_node: int, packet_id: int) -> bytes:
    """The 16 bytes that the counter starts from: packet id u64, from u32, zeros (src/mesh/CryptoEngine.cpp)."""
    return packet_id.to_bytes(4, "little") + _ZEROS + from_node.to_bytes(4, "little") + _ZEROS
