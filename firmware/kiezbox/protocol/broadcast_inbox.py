# SPDX-License-Identifier: Apache-2.0
"""Signed broadcasts at a box: prove the first fragment by its signature, the others by the hashes that it carries.

1. A broadcast is fresh if its counter was not seen under its key; of times, only one newer than all before
   from the same gateway is fresh.
2. A signature is checked only for a fresh counter under a known key, and only a few times in a row: a flood of forged
   broadcasts costs the box a bounded part of its time.
3. Fragments that come before the first are kept, a few of them, and judged when it has come. None of them is believed
   before.
4. Nothing is marked as seen before the whole broadcast was proven and decoded.

Not here: making the signature (the gateway), what a message does (box_endpoint.py). Called by box_endpoint.py.
"""

import hashlib

from kiezbox.protocol import envelope, events, fragment
from kiezbox.protocol.constant import const
from kiezbox.protocol.envelope import EnvelopeError
from kiezbox.protocol.hkdf import same
from kiezbox.protocol.replay import NEW, SEEN, GatewayWindows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kiezbox.protocol.envelope import Envelope

HASH_LENGTH = 8
_WINDOW = const(32)
_CHECKS_IN_A_ROW = const(4)
_CHECK_PAUSE_MS = const(5_000)
"""One more check is allowed each time this long has passed."""

_EARLY_MAX = const(4)
_KEY_NAME = const("public_key_")
_EPOCH_NAME = const("broadcast_epoch_")
_EXPIRY_MS = const(900_000)


def fragment_hash(payload: bytes) -> bytes:
    """How the first fragment names another one: the first 8 bytes of the SHA-256 of its whole payload."""
    return hashlib.sha256(payload).digest()[:HASH_LENGTH]


class BroadcastInbox:
    """What a box has heard of broadcasts, by signing key."""

    def __init__(self, public_keys: "dict[int, bytes]", saved: "dict[str, Any]") -> None:
        """public_keys: 32 bytes each, by key id. saved: the values that `accept` asked to persist."""
        self._keys: dict[int, bytes] = {}
        self._windows: dict[int, GatewayWindows] = {}
        for key_id, public_key in public_keys.items():
            self._trust(int(key_id), public_key, saved)
        for name in saved:
            if name.startswith(_KEY_NAME):
                self._trust(int(name[len(_KEY_NAME) :]), bytes.fromhex(saved[name]), saved)
        self.repeated = False
        """Whether the last broadcast was left aside because it had been accepted before."""
        self._checks = _CHECKS_IN_A_ROW
        self._checks_at_ms = 0
        self._opened: Envelope | None = None
        self._hashes = b""
        self._parts: list[bytes | None] = []
        self._expires_ms = 0
        self._early: list[bytes] = []

    def _trust(self, key_id: int, public_key: bytes, saved: "dict[str, Any]") -> None:
        """An empty key: this one was revoked."""
        self._keys.pop(key_id, None)
        if not public_key:
            return
        if len(public_key) != 32:
            raise ValueError("a public key has 32 bytes")
        self._keys[key_id] = bytes(public_key)
        self._windows[key_id] = GatewayWindows(_WINDOW, _EPOCH_NAME + str(key_id), saved)

    def trust(self, key_id: int, public_key: bytes) -> events.Persist:
        """Accept broadcasts under this key (32 bytes) from now on; what has to be persisted for that."""
        if self._keys.get(key_id) != public_key:
            # The same key once more must not make its old broadcasts new again.
            self._trust(key_id, public_key, {})
        return events.Persist(_KEY_NAME + str(key_id), public_key.hex())

    def distrust(self, key_id: int) -> events.Persist:
        """Never again believe this key; what has to be persisted for that."""
        self._keys.pop(key_id, None)
        return events.Persist(_KEY_NAME + str(key_id), "")

    def epoch(self) -> int:
        """The highest counter accepted under any key in force, 0 if none."""
        highest = 0
        for key_id in self._keys:
            highest = max(highest, self._windows[key_id].highest())
        return highest

    def receive(self, received: "Envelope", now_ms: int) -> "bytes | None":
        """The whole proven body, or None if more fragments have to come or there is nothing new.

        Raises EnvelopeError. Nothing is marked: call `accept` once the body turned out to be a message.
        """
        self.repeated = False
        if received.key_id not in self._keys:
            raise EnvelopeError("unknown_key")
        window = self._windows[received.key_id]
        freshness = window.judge(received.counter)
        if freshness == SEEN:
            self.repeated = True
            return None
        if freshness != NEW or (received.kind == envelope.TIME and not window.is_above_all(received.counter)):
            raise EnvelopeError("broadcast_too_old")
        if received.count > fragment.COUNT_MAX:
            raise EnvelopeError("too_many_fragments")
        if received.index:
            self._keep(received, now_ms)
        elif not self._is_opened_by(received):
            self._open(received, now_ms)
        return self._whole(received)

    def accept(self, received: "Envelope") -> events.Persist:
        """The broadcast was proven and decoded: remember its counter; what has to be persisted for that."""
        self._close()
        return events.Persist(*self._windows[received.key_id].mark(received.counter))

    def _open(self, received: "Envelope", now_ms: int) -> None:
        hashes_length = (received.count - 1) * HASH_LENGTH
        if len(received.body) < hashes_length:
            raise EnvelopeError("envelope_truncated")
        self._spend_check(now_ms)
        from kiezbox.protocol import ed25519  # Loaded when the first signature comes: most boxes' heap never needs it.

        signed, signature = envelope.signed_part(received.payload)
        if not ed25519.verify(self._keys[received.key_id], signed, signature):
            raise EnvelopeError("false_signature")
        self._opened = received
        self._hashes = received.body[:hashes_length]
        self._parts = [received.body[hashes_length:]] + [None] * (received.count - 1)
        self._expires_ms = now_ms + _EXPIRY_MS
        early = self._early
        self._early = []
        for payload in early:
            piece = envelope.Envelope(payload)
            if self._belongs(piece):
                self._place(piece)
            else:
                self._early.append(payload)  # Its own first fragment is still to come.

    def _is_opened_by(self, received: "Envelope") -> bool:
        return self._opened is not None and self._opened.payload == received.payload

    def _belongs(self, received: "Envelope") -> bool:
        opened = self._opened
        return (
            opened is not None
            and opened.counter == received.counter
            and opened.key_id == received.key_id
            and opened.kind == received.kind
            and opened.count == received.count
        )

    def _keep(self, received: "Envelope", now_ms: int) -> None:
        if self._opened is not None and now_ms >= self._expires_ms:
            self._close()
        if self._belongs(received):
            if not self._place(received):
                raise EnvelopeError("false_fragment")
        elif received.payload not in self._early:
            if len(self._early) >= _EARLY_MAX:
                del self._early[0]
            self._early.append(received.payload)

    def _place(self, received: "Envelope") -> bool:
        start = (received.index - 1) * HASH_LENGTH
        if not self._belongs(received) or not same(
            self._hashes[start : start + HASH_LENGTH], fragment_hash(received.payload)
        ):
            return False
        self._parts[received.index] = received.body
        return True

    def _whole(self, received: "Envelope") -> "bytes | None":
        if not self._belongs(received):
            return None
        body = b""
        for part in self._parts:
            if part is None:
                return None
            body += part
        return body

    def _close(self) -> None:
        self._opened = None
        self._hashes = b""
        self._parts = []

    def _spend_check(self, now_ms: int) -> None:
        earned = (now_ms - self._checks_at_ms) // _CHECK_PAUSE_MS
        if earned > 0:
            self._checks = min(_CHECKS_IN_A_ROW, self._checks + earned)
            self._checks_at_ms = now_ms
        if not self._checks:
            raise EnvelopeError("too_many_checks")
        self._checks -= 1
