# SPDX-License-Identifier: Apache-2.0
"""What the sensors said, in frames of several samples, kept on flash until a gateway has it.

1. A frame of samples gets its sequence number and goes to the journal before it goes on the air.
2. What no gateway acknowledged is offered again later, the oldest first, one at a time.
3. The journal has a limit; the oldest half goes when it is reached, acknowledged or not.
4. When the flash fills up, readings are the first to stop, and all of them go if a call needs the room. `shed` counts
   what was lost before a gateway had it.

Not here: sensors (ports), airtime (protocol). Called by box.py.
"""

import json
import os

from kiezbox.box.journal import Journal

JOURNAL_BYTES_MAX = 65_536
REOFFER_AFTER_MS = 60_000
PENDING_MAX = 256
LEAP = 100
"""After damage: a number may have been used that can no longer be read."""

_READING = 1


class Readings:
    """One per box."""

    def __init__(self, root: str, room, state) -> None:  # noqa: ANN001
        """`room` is the FlashRoom of the same flash, `state` the State."""
        self._state = state
        self.reoffer_after_ms = REOFFER_AFTER_MS
        self._room = room
        self.bytes_max = JOURNAL_BYTES_MAX
        self._path = root + "/readings.log"
        self.journal = Journal(self._path)
        # Sequence numbers that no gateway acknowledged, and when each was offered last, in seconds since the start.
        self._pending: list[int] = []
        self._offered_s: list[int] = []
        self.sequence = state.values.get("reading_sequence") or 0
        self.shed = 0
        for _, payload in self.journal.records():
            sequence = json.loads(payload)["sequence"]
            self.sequence = max(self.sequence, sequence)
            # Nobody remembers which of them a gateway has: it says so when it hears them again.
            self._await(sequence, 0)
        if self.journal.damaged:
            self.sequence += LEAP
        room.sheds.append(self._give_up)

    def follow(self, frame_interval_ms: int) -> None:
        """From one frame of samples to the next; a frame is offered again after twice that, or a minute."""
        self.reoffer_after_ms = max(2 * frame_interval_ms, REOFFER_AFTER_MS)

    def add(self, samples: list, time_s: int, clock_quality: int, interval_s: int, now_ms: int) -> dict:
        """Store one frame of samples; returns the message to send. Flash being full costs the reading, and is
        counted.
        """
        self.sequence += 1
        message = {
            "sequence": self.sequence,
            "time_s": time_s,
            "clock_quality": clock_quality,
            "interval_s": interval_s,
            "samples": samples,
        }
        if self._stored(message):
            self.shed += self._await(self.sequence, now_ms)
        return message

    def _await(self, sequence: int, now_ms: int) -> int:
        """One more to be acknowledged; how many were given up for it."""
        self._pending.append(sequence)
        self._offered_s.append(now_ms // 1000)
        over = max(len(self._pending) - PENDING_MAX, 0)
        self._pending = self._pending[over:]
        self._offered_s = self._offered_s[over:]
        return over

    def _stored(self, message: dict) -> bool:
        """False if it can be sent just this once, because there is no room to keep it."""
        try:
            if self._room.for_readings():
                if self.journal.size_bytes() > self.bytes_max:
                    self._halve()
                self.journal.append(_READING, json.dumps(message).encode())
                return True
        except OSError:
            pass
        self.shed += 1
        self._state.put("reading_sequence", self.sequence)  # Used, and not in the journal.
        return False

    def acknowledged(self, held) -> None:  # noqa: ANN001 - anything with `in`
        """A gateway stores these sequence numbers."""
        kept = [place for place in range(len(self._pending)) if self._pending[place] not in held]
        self._pending = [self._pending[place] for place in kept]
        self._offered_s = [self._offered_s[place] for place in kept]

    def due(self, now_ms: int) -> "dict | None":
        """The oldest frame that should have been acknowledged long ago, if any."""
        for place in range(len(self._pending)):
            if now_ms - self._offered_s[place] * 1000 < self.reoffer_after_ms:
                continue
            sequence = self._pending[place]
            found = None
            for _, payload in self.journal.records():
                message = json.loads(payload)
                if message["sequence"] == sequence:
                    found = message
            if found is None:
                self.shed += 1
                self.acknowledged((sequence,))
            else:
                self._offered_s[place] = now_ms // 1000
            return found
        return None

    def _halve(self) -> None:
        oldest = self.sequence - (self.sequence - self._first()) // 2
        self.journal.rewrite(lambda _, payload: json.loads(payload)["sequence"] >= oldest)

    def _first(self) -> int:
        for _, payload in self.journal.records():
            return json.loads(payload)["sequence"]
        return self.sequence

    def _give_up(self) -> bool:
        if not self.journal.size_bytes():
            return False
        self._state.put("reading_sequence", self.sequence)
        self.journal.close()
        os.remove(self._path)
        self.journal = Journal(self._path)
        self.shed += len(self._pending)
        self._pending = []
        self._offered_s = []
        return True
