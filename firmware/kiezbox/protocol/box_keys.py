# SPDX-License-Identifier: Apache-2.0
"""The keys of one box: each kind of message has its own, derived from the 32-byte root key that box and gateway share.

A message of one kind can therefore never pass as one of another: an exercise is not an emergency with a bit changed,
and what a box sent up is no command when it comes back down. Not here: how a tag or a sealed body is laid out
(envelope.py). Called by both endpoints.
"""

from kiezbox.protocol.hkdf import Hmac, hkdf, same

ROOT_KEY_LENGTH = 32
SALT = b"Kiezbox 1"
"""HKDF salt, and with it the version of this derivation."""


class BoxKeys:
    """Keys by kind, derived when first needed and then kept."""

    def __init__(self, root_key: bytes) -> None:
        """Raises ValueError unless `root_key` has 32 bytes."""
        if len(root_key) != ROOT_KEY_LENGTH:
            raise ValueError("a box's root key has 32 bytes")
        self._root_key = bytes(root_key)
        self._mac: dict[int, Hmac] = {}

    def is_of(self, root_key: bytes) -> bool:
        """Whether these keys are derived from this root key."""
        return same(self._root_key, root_key)

    def mac(self, kind: int) -> Hmac:
        """The key that proves messages of `kind`."""
        key = self._mac.get(kind)
        if key is None:
            key = self._mac[kind] = Hmac(hkdf(self._root_key, SALT, b"mac" + bytes((kind,))))
        return key

    def seal(self, kind: int) -> bytes:
        """The AES-256 key that seals messages of `kind`."""
        return hkdf(self._root_key, SALT, b"seal" + bytes((kind,)))
