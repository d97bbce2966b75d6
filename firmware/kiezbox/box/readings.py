# SPDX-License-Identifier: Apache-2.0
"""What the sensors said, in frames of several samples, kept on flash until a gateway has it.

1. A frame of samples gets its sequence number and goes to the journal before it goes on the air.
2. What no gateway acknowledged is offered again later, the oldest first, one at a time.
3. The journal has a limit; the oldest half goes when it is reached, acknowledged or not, and what was not is counted.

Not here: sensors (ports), airtime (protocol). Called by box.py.
"""

import json
import os

from kiezbox.box.journal import Journal

JOURNAL_BYTES_MAX = 65_536
REOFFER_AFTER_MS = 60_000
PENDING_MAX = 64
_READING = 1


class Readings:
    """One per box."""

    def __init__(self, root: str, frame_interval_ms: int = 0) -> None:
        """frame_interval_ms: from one frame of samples to the next; a frame is offered again after twice that, or a
        minute.
        """
        self._reoffer_after_ms = max(2 * frame_interval_ms, REOFFER_AFTER_MS)
        self._path = root + "/readings.log"
        self._journal = Journal(self._path)
        self._pending: list[list[int]] = []
        self.sequence = 0
        self.shed = 0
        for _, payload in self._journal.records():
            self.sequence = json.loads(payload)["sequence"]

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
        try:
            if self._journal.size_bytes() > JOURNAL_BYTES_MAX:
                self._halve()
            self._journal.append(_READING, json.dumps(message).encode())
        except OSError:
            self.shed += 1
        self._pending.append([self.sequence, now_ms])
        if len(self._pending) > PENDING_MAX:
            self._pending.pop(0)
            self.shed += 1
        return message

    def acknowledged(self, held) -> None:  # noqa: ANN001 - anything with `in`
        """A gateway stores these sequence numbers."""
        self._pending = [one for one in self._pending if one[0] not in held]

    def due(self, now_ms: int) -> "dict | None":
        """The oldest frame that should have been acknowledged long ago, if any."""
        for one in self._pending:
            if now_ms - one[1] >= self._reoffer_after_ms:
                one[1] = now_ms
                for _, payload in self._journal.records():
                    message = json.loads(payload)
                    if message["sequence"] == one[0]:
                        return message
                self._pending.remove(one)
                self.shed += 1
                return None
        return None

    def _halve(self) -> None:
        oldest = self.sequence - (self.sequence - self._first()) // 2
        self._journal.rewrite(lambda _, payload: json.loads(payload)["sequence"] >= oldest)

    def _first(self) -> int:
        for _, payload in self._journal.records():
            return json.loads(payload)["sequence"]
        return self.sequence

    def flash_free_bytes(self) -> int:
        """What is left on this file system."""
        status = os.statvfs(self._path[: self._path.rfind("/")] or "/")
        return status[0] * status[3]
