# SPDX-License-Identifier: Apache-2.0
"""Verification of Ed25519 signatures (RFC 8032, section 5.1.7) with integers only, for a board without such a library.

1. The scalar S must be below the group order; the public key and R must be canonical encodings; neither may be one of
   the eight points of small order, under which one signature would fit many messages.
2. Without cofactor: R must be exactly S B - k A, compared in its encoded form, so that every implementation agrees.
3. Only public values pass through here, so nothing needs constant time. No recursion; the memory in use at a time is a
   handful of 512-bit numbers.

Not here: signing (the gateway uses a library), who owns which key. Called by broadcast_inbox.py.
"""

from kiezbox.protocol.constant import const
from kiezbox.protocol.sha512 import sha512

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_SQRT_MINUS_1 = pow(2, (_P - 1) // 4, _P)
_MASK = (1 << 255) - 1

_BASE_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
_BASE_Y = 46316835694926478169428394003475163141307993866256225615783033603165251855960

_SMALL_ORDER_Y = (
    0,
    1,
    _P - 1,
    2707385501144840649318225287225658788936804267575313519463743609750303021886,
    55188659117513257062467267217118295137698188065244968500265048394206261417063,
)
"""The y of all points whose order divides 8."""

_ZEROS = const(4)
"""Both digits 0."""

# Where in the table of points the pair of digits stands: s B - k A with digits -1, 0, 1 of s and k.
_TABLE_PLACE = const(b"\x05\x03\x07\x01\xff\x00\x06\x02\x04")


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) of `message` was made with the private key that belongs to `public_key` (32
    bytes)."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    if s >= _L or _has_small_order(signature[:32]) or _has_small_order(public_key):
        return False
    point = _decompress(public_key)
    if point is None:
        return False
    k = int.from_bytes(sha512(signature[:32] + public_key + message), "little") % _L
    return _compress(_double_multiply(s, k, point[0], point[1])) == signature[:32]


def _has_small_order(encoded: bytes) -> bool:
    return int.from_bytes(encoded, "little") & _MASK in _SMALL_ORDER_Y


def _decompress(encoded: bytes) -> "tuple[int, int] | None":
    y = int.from_bytes(encoded, "little")
    sign = y >> 255
    y &= _MASK
    if y >= _P:
        return None
    yy = y * y % _P
    u = yy - 1
    v = _D * yy + 1
    v3 = v * v * v % _P
    x = u * v3 * pow(u * v3 * v3 * v % _P, (_P - 5) // 8, _P) % _P
    check = v * x * x % _P
    if check != u % _P:
        if check != -u % _P:
            return None
        x = x * _SQRT_MINUS_1 % _P
    if x == 0 and sign:
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y


def _compress(point: "tuple[int, int, int]") -> bytes:
    x, y, z = point
    inverse = pow(z, _P - 2, _P)
    return (y * inverse % _P | (x * inverse % _P & 1) << 255).to_bytes(32, "little")


def _double_multiply(s: int, k: int, ax: int, ay: int) -> "tuple[int, int, int]":
    """s B - k A as (X, Y, Z), both scalars read together from the top (Straus), in extended coordinates (RFC 8032,
    5.1.4). Every factor is reduced before it is multiplied: reducing is what costs."""
    p = _P
    base = _BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % p
    other = p - ax, ay, 1, (p - ax) * ay % p
    table: list[tuple[int, int, int, int]] = []
    for point in (other, base, _add(base, _cached(*other)), _add(base, _negative(_cached(*other)))):
        cached = _cached(*point)
        table += (cached, _negative(cached))
    x, y, z = 0, 1, 1
    for digits in reversed(_joint_sparse_form(s, k)):
        a = x * x
        b = y * y
        h = (a + b) % p
        e = -2 * x * y % p
        g = (a - b) % p
        f = (2 * z * z + g) % p
        x = e * f % p
        y = g * h % p
        z = f * g % p
        if digits != _ZEROS:
            x, y, z, _ = _add((x, y, z, e * h % p), table[_TABLE_PLACE[digits]])
    return x, y, z


def _joint_sparse_form(s: int, k: int) -> bytearray:
    """Digits -1, 0, 1 of both scalars, lowest first, as 3 (digit of s + 1) + digit of k + 1; half of them are _ZEROS.

    J. Solinas, "Low-weight binary representations for pairs of integers", 2001.
    """
    digits = bytearray()
    carry_s = carry_k = 0
    while s or k or carry_s or carry_k:
        low_s = (s & 7) + carry_s
        low_k = (k & 7) + carry_k
        digit_s = _digit(low_s, low_k)
        digit_k = _digit(low_k, low_s)
        if 2 * carry_s == 1 + digit_s:
            carry_s = 1 - carry_s
        if 2 * carry_k == 1 + digit_k:
            carry_k = 1 - carry_k
        digits.append(3 * digit_s + digit_k + _ZEROS)
        s >>= 1
        k >>= 1
    return digits


def _digit(own: int, other: int) -> int:
    if not own & 1:
        return 0
    digit = 2 - (own & 3)
    return -digit if own & 7 in (3, 5) and other & 3 == 2 else digit


def _negative(cached: "tuple[int, int, int, int]") -> "tuple[int, int, int, int]":
    minus, plus, z2, t2d = cached
    return plus, minus, z2, _P - t2d


def _cached(x: int, y: int, z: int, t: int) -> "tuple[int, int, int, int]":
    return (y - x) % _P, (y + x) % _P, 2 * z % _P, 2 * _D * t % _P


def _add(point: "tuple[int, int, int, int]", other: "tuple[int, int, int, int]") -> "tuple[int, int, int, int]":
    p = _P
    x, y, z, t = point
    minus, plus, z2, t2d = other
    a = (y - x) * minus % p
    b = (y + x) * plus % p
    c = t * t2d % p
    d = z * z2 % p
    e = b - a
    f = d - c
    g = d + c
    h = b + a
    return e * f % p, g * h % p, f * g % p, e * h % p
