# SPDX-License-Identifier: Apache-2.0
"""How often one phone, and all phones together, may send a call. A first message is never refused.

A phone is known by its address in this Wi-Fi only, which it can change; so this slows abuse and never blocks a person.
Called by calls.py.
"""

import hashlib

CLIENT_PAUSE_MS = 20_000
BOX_BURST = 30
BOX_REFILL_MS = 30_000
CLIENTS_MAX = 24
SAME_MS = 600_000

# One entry: 4 bytes of the phone's digest, 6 of the time, 8 of the text's digest, 8 of the code. In one array, since
# objects for each of them would take ten times the memory.
_ENTRY = 26
_TIME = 4
_TEXT = 10
_CODE = 18


class Limits:
    """At most 24 phones are remembered; whoever is forgotten counts as new."""

    def __init__(self) -> None:
        self._entries = bytearray(CLIENTS_MAX * _ENTRY)
        self._count = 0
        self._tokens = BOX_BURST
        self._refilled_ms = 0

    def refusal(self, client: str, now_ms: int) -> str:
        """ "" if a call may be taken, else the reason."""
        while self._tokens < BOX_BURST and now_ms - self._refilled_ms >= BOX_REFILL_MS:
            self._tokens += 1
            self._refilled_ms += BOX_REFILL_MS
        if self._tokens == BOX_BURST:
            self._refilled_ms = now_ms
        place = self._find(client)
        if place < 0:
            return ""
        if now_ms - self._time_ms(place) < CLIENT_PAUSE_MS:
            return "rate_client"
        return "" if self._tokens > 0 else "rate_box"

    def same(self, client: str, digest: bytes, now_ms: int) -> "str | None":
        """The code of the same text from the same phone a short time ago, if there was one. digest: 8 bytes."""
        place = self._find(client)
        if place < 0 or now_ms - self._time_ms(place) >= SAME_MS:
            return None
        entry = self._entries[place : place + _ENTRY]
        return str(entry[_CODE:], "utf-8") if entry[_TEXT:_CODE] == digest else None

    def taken(self, client: str, digest: bytes, code: str, now_ms: int) -> None:
        """A call of this phone was stored. digest and code: 8 bytes each."""
        self._tokens = max(self._tokens - 1, 0)
        place = self._find(client)
        if place < 0 and self._count < CLIENTS_MAX:
            place = self._count * _ENTRY
            self._count += 1
        if place < 0:
            place = 0
            for other in range(0, CLIENTS_MAX * _ENTRY, _ENTRY):
                if self._time_ms(other) < self._time_ms(place):
                    place = other
        entry = _name(client) + now_ms.to_bytes(_TEXT - _TIME, "little") + digest + code.encode()
        self._entries[place : place + _ENTRY] = entry

    def _find(self, client: str) -> int:
        name = _name(client)
        for place in range(0, self._count * _ENTRY, _ENTRY):
            if self._entries[place : place + _TIME] == name:
                return place
        return -1

    def _time_ms(self, place: int) -> int:
        return int.from_bytes(self._entries[place + _TIME : place + _TEXT], "little")


def _name(client: str) -> bytes:
    return hashlib.sha256(client.encode()).digest()[:_TIME]
