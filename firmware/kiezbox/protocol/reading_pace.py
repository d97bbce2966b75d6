# SPDX-License-Identifier: Apache-2.0
"""How readings hold back when the band fills up: seldomer and coarser, before anything else has to wait.

1. The factor is 1, 2, 4 or 8: so many measurements become one sample, which lies so many intervals after the one
   before. The mean stands for them; of the loudest moment, the loudest.
2. It follows whatever is fuller: the open part of this box's hour, or the channel. Its last step comes before the
   ledger would refuse a reading (duty.py: 75 % of the open part).
3. It rises at once, and falls by one step in a quarter of an hour, so that it does not swing.

Not here: measuring (the box), what a reading looks like (reading.py). Called by box_node.py and by the box.
"""

from kiezbox.protocol.constant import const

_STEPS_MAX = const(3)
_OPEN_PCT = const(b"\x28\x34\x40")
"""From this share of the open part on, 40, 52 and 64 %, the factor is 2, 4, 8."""

_LOAD_PCT = const(b"\x19\x28\x3c")
"""And from this use of the channel by all, 25, 40 and 60 %. At the first two Meshtastic nodes hold back, too."""

CALM_MS = 900_000
_LOUDEST = const("noise_lamax_ddba")


class ReadingPace:
    """Times are milliseconds of one steady clock."""

    def __init__(self) -> None:
        self._step = 0
        self._since_ms = 0

    def factor(self, open_pct: int, load_pct: int, now_ms: int) -> int:
        """1, 2, 4 or 8. open_pct: how full the open part of the hour is; load_pct: use of the channel by all."""
        wanted = 0
        while wanted < _STEPS_MAX and (open_pct >= _OPEN_PCT[wanted] or load_pct >= _LOAD_PCT[wanted]):
            wanted += 1
        if wanted >= self._step:
            self._step = wanted
            self._since_ms = now_ms
        elif now_ms - self._since_ms >= CALM_MS:
            self._step -= 1
            self._since_ms = now_ms
        return 1 << self._step


def merged(samples: "list[dict[str, int]]") -> "dict[str, int]":
    """One sample that stands for several, at least one: each value from those that have it."""
    if len(samples) == 1:
        return samples[0]
    found: dict[str, int] = {}
    for sample in samples:
        for name in sample:
            if name not in found:
                values = [other[name] for other in samples if name in other]
                count = len(values)
                # Rounded to the nearest, halves upwards, in whole numbers.
                found[name] = max(values) if name == _LOUDEST else (2 * sum(values) + count) // (2 * count)
    return found
