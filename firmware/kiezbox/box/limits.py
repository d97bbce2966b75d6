# SPDX-License-Identifier: Apache-2.0
"""How often one phone, and all phones together, may send a call. A first message is never refused.

A phone is known by its address in this Wi-Fi only, which it can change; so this slows abuse and never blocks a person.
Called by calls.py.
"""

CLIENT_PAUSE_MS = 20_000
BOX_BURST = 30
BOX_REFILL_MS = 30_000
CLIENTS_MAX = 24
SAME_MS = 600_000


class Limits:
    """At most 24 phones are remembered; whoever is forgotten counts as new."""

    def __init__(self) -> None:
        self._clients: dict[str, tuple[int, bytes, str]] = {}
        self._tokens = BOX_BURST
        self._refilled_ms = 0

    def refusal(self, client: str, now_ms: int) -> str:
        """ "" if a call may be taken, else the reason."""
        while self._tokens < BOX_BURST and now_ms - self._refilled_ms >= BOX_REFILL_MS:
            self._tokens += 1
            self._refilled_ms += BOX_REFILL_MS
        if self._tokens == BOX_BURST:
            self._refilled_ms = now_ms
        last = self._clients.get(client)
        if last is None:
            return ""
        if now_ms - last[0] < CLIENT_PAUSE_MS:
            return "rate_client"
        return "" if self._tokens > 0 else "rate_box"

    def same(self, client: str, digest: bytes, now_ms: int) -> "str | None":
        """The code of the same text from the same phone a short time ago, if there was one."""
        last = self._clients.get(client)
        if last and last[1] == digest and now_ms - last[0] < SAME_MS:
            return last[2]
        return None

    def taken(self, client: str, digest: bytes, code: str, now_ms: int) -> None:
        """A call of this phone was stored."""
        self._tokens = max(self._tokens - 1, 0)
        if client not in self._clients and len(self._clients) >= CLIENTS_MAX:
            oldest = min(self._clients, key=lambda name: self._clients[name][0])
            del self._clients[oldest]
        self._clients[client] = (now_ms, digest, code)
