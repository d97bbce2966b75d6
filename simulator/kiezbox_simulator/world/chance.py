# SPDX-License-Identifier: Apache-2.0
"""Chance without order: every draw is a hash of the seed and of the thing decided, never the next value of a stream.

So one more node, or another order of the same events, leaves every other draw as it was. Two strengths: `uniform`
and friends hash names with BLAKE2b for what is drawn once (shadowing, arrivals); `mix` is a 64-bit finaliser for
what is drawn for each frame at each receiver. Not here: cryptographic randomness.
"""

import hashlib
import math
from statistics import NormalDist

MASK_64 = 0xFFFF_FFFF_FFFF_FFFF
GOLDEN = 0x9E37_79B9_7F4A_7C15
"""Odd number nearest to 2^64 over the golden ratio; steps of it spread well (Steele, Lea, Flood 2014, SplitMix)."""


def digest(seed: int, *parts: object) -> int:
    """64 bits that depend on the seed and on the parts' text."""
    text = "\x1f".join([str(seed), *map(str, parts)]).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def uniform(seed: int, *parts: object) -> float:
    """A number in [0, 1)."""
    return digest(seed, *parts) / 2.0**64


def normal(seed: int, *parts: object) -> float:
    """A draw from the standard normal distribution (Box-Muller)."""
    first = (digest(seed, *parts, "r") + 1) / 2.0**64
    return math.sqrt(-2.0 * math.log(first)) * math.cos(2.0 * math.pi * uniform(seed, *parts, "phi"))


def exponential(seed: int, mean: float, *parts: object) -> float:
    """A draw from the exponential distribution with this mean (> 0)."""
    return -mean * math.log(1.0 - uniform(seed, *parts))


def choice(seed: int, count: int, *parts: object) -> int:
    """An index in [0, count)."""
    return digest(seed, *parts) % count


def mix(value: int) -> int:
    """SplitMix64's finaliser: 64 bits in, 64 well spread bits out; about half a microsecond."""
    value = ((value ^ (value >> 30)) * 0xBF58_476D_1CE4_E5B9) & MASK_64
    value = ((value ^ (value >> 27)) * 0x94D0_49BB_1331_11EB) & MASK_64
    return value ^ (value >> 31)


NORMAL_1024 = tuple(NormalDist().inv_cdf((index + 0.5) / 1024) for index in range(1024))
"""Standard normal quantiles: ten bits of `mix` become a normal draw by one look-up."""
