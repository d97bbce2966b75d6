# SPDX-License-Identifier: Apache-2.0
"""How long to wait before sending, so that neighbours do not speak at once (firmware 2.7, src/mesh/RadioInterface.cpp).

The worse a node heard a packet, the farther it is from the sender, the sooner it relays. Called by mesh.py.

One thing is not the firmware's, and only where a node is told so: among many neighbours a relay that is no call for
help has a wider window. With fifty nodes in reach the firmware's window makes twice as many relays as are needed,
because those that do not hear each other speak at once and nobody hears that the packet was passed on. The first of
many is as early in a wide window as in a narrow one, so the packet loses no time.
"""

from kiezbox.protocol.airtime import slot_ms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kiezbox.protocol.airtime import Preset
    from kiezbox.protocol.random_bits import RandomBits

WINDOW_MIN = 3
WINDOW_MAX = 8
ROUTER_SLOTS = 16
"""Clients let routers go first for this many slots."""

ACKNOWLEDGER_SLOTS = 1 << 5
PROCESSING_MS = 4_500
"""Part of the wait for an acknowledgement: the window of who sends it, and the firmware's margin for everything
else."""

CROWD = (4, 6, 10, 15, 16)
"""From so many neighbours on the window of a relay is wider by one, two ... powers of two. Sixteen: as many as are
remembered (neighbours.py), so there may be fifty."""

CROWD_WINDOW_MAX = 11

LOAD_SPANS = 6
LOAD_SPAN_MS = 10_000


def relay_window(snr_db: int) -> int:
    """Exponent of the window for a relay: 3 at -20 dB, 8 at +10 dB, cut towards zero as in C, not clamped."""
    value = (snr_db + 20) * (WINDOW_MAX - WINDOW_MIN)
    steps = value // 30 if value >= 0 else -(-value // 30)
    return max(steps + WINDOW_MIN, 0)


def own_window(load_pct: int) -> int:
    """Exponent of the window for an own packet: 3 on a quiet channel, 8 on a full one."""
    return WINDOW_MIN + min(load_pct, 100) * (WINDOW_MAX - WINDOW_MIN) // 100


class Contention:
    """Delays for one preset. `load` is the channel use of the last minute by everybody that is heard, and by us."""

    def __init__(self, preset: "Preset", random: "RandomBits") -> None:
        self.slot_ms = slot_ms(preset)
        self.widening = 0
        """Powers of two by which windows of relays are wider, see `crowd`."""
        self._random = random
        self._load_us = [0] * LOAD_SPANS
        self._span = 0

    def occupied(self, airtime_us: int, now_ms: int) -> None:
        """A frame was on the air, heard or sent."""
        self._advance(now_ms)
        self._load_us[self._span % LOAD_SPANS] += airtime_us

    def load_pct(self, now_ms: int) -> int:
        """Channel use of the last minute in percent."""
        self._advance(now_ms)
        return min(sum(self._load_us) // (LOAD_SPANS * LOAD_SPAN_MS * 10), 100)

    def own_delay_ms(self, now_ms: int) -> int:
        """Before an own packet, and again whenever the channel was busy."""
        return self._random.below(1 << own_window(self.load_pct(now_ms))) * self.slot_ms

    def crowd(self, neighbours: int) -> None:
        """So many nodes are heard directly."""
        self.widening = sum(neighbours >= step for step in CROWD)

    def relay_delay_ms(self, snr_db: int, early: bool, urgent: bool = False) -> int:
        """Before a relay; `early` for the role ROUTER, `urgent` for a call for help."""
        window = relay_window(snr_db)
        if early:
            return self._random.below(2 * max(window, 1)) * self.slot_ms
        if self.widening and not urgent:
            window = max(window, min(window + self.widening, CROWD_WINDOW_MAX))
        return (ROUTER_SLOTS + self._random.below(1 << min(window, 12))) * self.slot_ms

    def late_delay_ms(self, snr_db: int) -> int:
        """Where a ROUTER_LATE puts a relay that somebody else has made already."""
        return (ROUTER_SLOTS + (1 << min(relay_window(snr_db), 12))) * self.slot_ms

    def again_ms(self, relayed: bool, snr_db: int, early: bool, now_ms: int, urgent: bool = False) -> int:
        """After a busy channel: another moment of the same window, one slot away at least."""
        delay_ms = self.relay_delay_ms(snr_db, early, urgent) if relayed else self.own_delay_ms(now_ms)
        return max(delay_ms, self.slot_ms)

    def retransmission_ms(self, airtime_us: int, now_ms: int) -> int:
        """How long to wait for an acknowledgement before sending again."""
        slots = (1 << own_window(self.load_pct(now_ms))) + ROUTER_SLOTS + ACKNOWLEDGER_SLOTS
        return 2 * airtime_us // 1000 + slots * self.slot_ms + PROCESSING_MS

    def _advance(self, now_ms: int) -> None:
        span = now_ms // LOAD_SPAN_MS
        if span > self._span:
            for step in range(1, min(span - self._span, LOAD_SPANS) + 1):
                self._load_us[(self._span + step) % LOAD_SPANS] = 0
            if span - self._span >= LOAD_SPANS:
                self._load_us = [0] * LOAD_SPANS
            self._span = span
