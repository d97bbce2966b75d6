# SPDX-License-Identifier: Apache-2.0
"""Our fast verification says what the plain equation of RFC 8032 says: for signatures of a library, for what is nearly
one, and for keys outside the prime group, on which implementations are known to disagree."""

import hashlib
import os
import random

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from kiezbox.protocol import ed25519
from kiezbox.protocol.ed25519 import verify
from kiezbox.protocol.sha512 import sha512

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
BASE = (
    15112221349535400772501151409588531511454012693041857206046113283949847762202,
    46316835694926478169428394003475163141307993866256225615783033603165251855960,
)
Point = tuple[int, int]
CASES = 400 if os.environ.get("KIEZBOX_LONG") else 24


def plus(one: Point, other: Point) -> Point:
    (x1, y1), (x2, y2) = one, other
    k = D * x1 * x2 * y1 * y2
    return (x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P


def times(number: int, point: Point) -> Point:
    found = (0, 1)
    while number:
        if number & 1:
            found = plus(found, point)
        point = plus(point, point)
        number >>= 1
    return found


def encoded(point: Point) -> bytes:
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def of_order_eight() -> Point:
    for y in range(2, 100):
        point = ed25519._decompress(y.to_bytes(32, "little"))
        if point:
            torsion = times(ORDER, point)
            if times(4, torsion) != (0, 1):
                return torsion
    raise AssertionError


TORSION = of_order_eight()


def test_the_second_base_point_is_what_it_is_said_to_be() -> None:
    assert times(1 << ed25519._HALF, BASE) == (ed25519._BASE_HALF_X, ed25519._BASE_HALF_Y)
    assert times(8, TORSION) == (0, 1)


def by_library(public_key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.integers(0, 96 * 8 - 1))
@settings(max_examples=150)
def test_as_a_library_says(seed: bytes, message: bytes, bit: int) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public_key = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    signature = key.sign(message)
    assert verify(public_key, message, signature)
    changed = bytearray(public_key + signature)
    changed[bit // 8] ^= 1 << bit % 8
    one = bytes(changed[:32]), message, bytes(changed[32:])
    assert verify(*one) == by_library(*one) is False
    assert sha512(message) == hashlib.sha512(message).digest()


def test_outside_the_prime_group_it_is_exact() -> None:
    """The key has a part of order 8, so has R: the equation holds for one message in eight, and only for those."""
    chance = random.Random(1)
    held = 0
    for number in range(CASES):
        a, r, shift = chance.randrange(1, ORDER), chance.randrange(1, ORDER), chance.randrange(8)
        public_key = encoded(plus(times(a, BASE), TORSION))
        first = encoded(plus(times(r, BASE), times(shift, TORSION)))
        message = number.to_bytes(2, "little")
        k = int.from_bytes(hashlib.sha512(first + public_key + message).digest(), "little") % ORDER
        signature = first + ((r + k * a) % ORDER).to_bytes(32, "little")
        assert verify(public_key, message, signature) == ((k + shift) % 8 == 0)
        held += (k + shift) % 8 == 0
    assert 0 < held < CASES // 2


@given(st.integers(0, ORDER - 1) | st.integers(0, 252).map(lambda bits: (1 << bits) - 1) | st.integers(0, 1 << 40))
@settings(max_examples=500)
def test_halves(k: int) -> None:
    u, v = ed25519._halves(k)
    assert (u - v * k) % (8 * ORDER) == 0
    assert v & 1
    assert 0 < v < ORDER


def test_halves_are_half_as_long() -> None:
    chance = random.Random(1)
    lengths = []
    for _ in range(2_000):
        u, v = ed25519._halves(chance.randrange(ORDER))
        lengths.append(max(abs(u).bit_length(), v.bit_length()))
    assert max(lengths) < 150
    assert sum(lengths) < 129 * len(lengths)
