# SPDX-License-Identifier: Apache-2.0
"""The keys of one box: each purpose has its own, derived from the 32-byte root key that box and gateway share.

Because every purpose has its own key, a message of one purpose can never pass as one of another: an exercise is not an
emergency with a bit changed, and what a box sent up is no command when it comes back down. Not here: how a tag or a
sealed body is laid out (envelope.py). Called by both endpoints.
"""

from kiezbox.protocol.hkdf import Hmac, hkdf

ROOT_KEY_LENGTH = 32
SALT = b"Kiezbox 1"
"""HKDF salt, and with it the version of this derivation."""

UP_TELEMETRY = "up/telemetry"
UP_EMERGENCY = "up/emergency"
UP_EXERCISE = "up/exercise"
UP_BUTTON = "up/button"
UP_QUERY = "up/query"
UP_RESULT = "up/result"
DOWN_RECEIPT = "down/receipt"
DOWN_COMMAND = "down/command"


class BoxKeys:
    """Keys by purpose, derived when first needed and then kept."""

    __slots__ = ("_authentic", "_root_key", "_seal")

    def __init__(self, root_key: bytes) -> None:
        """Raises ValueError unless `root_key` has 32 bytes."""
        if len(root_key) != ROOT_KEY_LENGTH:
            raise ValueError("a box's root key has 32 bytes")
        self._root_key = bytes(root_key)
        self._authentic: dict[str, Hmac] = {}
        self._seal: dict[str, bytes] = {}

    def authentic(self, purpose: str) -> Hmac:
        """The key that proves a message of `purpose`."""
        key = self._authentic.get(purpose)
        if key is None:
            key = self._authentic[purpose] = Hmac(self._derive("mac/" + purpose))
        return key

    def seal(self, purpose: str) -> bytes:
        """The AES-256 key that seals a message of `purpose`."""
        key = self._seal.get(purpose)
        if key is None:
            key = self._seal[purpose] = self._derive("seal/" + purpose)
        return key

    def _derive(self, label: str) -> bytes:
        return hkdf(self._root_key, SALT, label.encode())
