# SPDX-License-Identifier: Apache-2.0
"""Verification of Ed25519 signatures (RFC 8032, section 5.1.7) with integers only, for a board without such a library.

1. The scalar S must be below the group order; the public key and R must be canonical encodings; neither may be one of
   the eight points of small order, under which one signature would fit many messages.
2. Without cofactor: S B - k A - R must be the neutral element itself, so that every implementation agrees.
3. That is multiplied by an odd v below the group order, chosen so that v and u = v k mod 8 L have half as many bits
   as k (A. Antipa and others, "Accelerated verification of ECDSA signatures", 2005). An odd v that small maps no other
   point to the neutral element, and with 8 L it holds for keys outside the prime group, too. Half the bits mean half
   the doublings.
4. Only public values pass through here, so nothing needs constant time. No recursion; the memory in use at a time is a
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

_HALF = const(127)
_BASE_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
_BASE_Y = 46316835694926478169428394003475163141307993866256225615783033603165251855960
_BASE_HALF_X = 13255665929656146281080449887007641909509999304849491744738638209813853897619
_BASE_HALF_Y = 55705207129829464869897097349416518624188726193119147708421062336186161442401
"""The base point 2^127 times."""

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

# Which point a pair of digits stands for, in the order -1 -1, -1 0, -1 1 and so on; what follows the middle is the
# negative of what stands before it at the same distance: first plus second, first, first minus second, second.
_TABLE_PLACE = const(b"\x02\x00\x03\x01\xff\x01\x03\x00\x02")


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) of `message` was made with the private key that belongs to `public_key` (32
    bytes)."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    if s >= _L or _has_small_order(signature[:32]) or _has_small_order(public_key):
        return False
    key_point = _decompress(public_key)
    point = _decompress(signature[:32]) if key_point else None
    if key_point is None or point is None:
        return False
    k = int.from_bytes(sha512(signature[:32] + public_key + message), "little") % _L
    u, v = _halves(k)
    if u < 0:
        u = -u
    else:
        key_point = _P - key_point[0], key_point[1]
    s = s * v % _L
    return _sum_is_neutral(
        _joint_sparse_form(s & ((1 << _HALF) - 1), s >> _HALF),
        _points((_BASE_X, _BASE_Y), (_BASE_HALF_X, _BASE_HALF_Y)),
        _joint_sparse_form(u, v),
        _points(key_point, (_P - point[0], point[1])),
    )


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
    x = u * v3 * _to_2_252_minus_3(u * v3 * v3 * v % _P) % _P
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


def _to_2_252_minus_3(x: int) -> int:
    """x to the power (p - 5) / 8 = 2^252 - 3: powers of 2^n - 1 double their n, so that squarings remain, and those are
    done inside the interpreter."""
    p = _P
    two = x * x % p * x % p
    four = pow(two, 1 << 2, p) * two % p
    five = four * four % p * x % p
    ten = pow(five, 1 << 5, p) * five % p
    twenty = pow(ten, 1 << 10, p) * ten % p
    forty = pow(twenty, 1 << 20, p) * twenty % p
    fifty = pow(forty, 1 << 10, p) * ten % p
    hundred = pow(fifty, 1 << 50, p) * fifty % p
    two_hundred = pow(hundred, 1 << 100, p) * hundred % p
    return pow(pow(two_hundred, 1 << 50, p) * fifty % p, 1 << 2, p) * x % p


def _halves(k: int) -> "tuple[int, int]":
    """(u, v) with u = v k mod 8 L, v odd and positive, u of any sign, both of about 128 bits: Euclid's algorithm on 8 L
    and k, stopped half way. Of two neighbours in it one v is odd."""
    before, u = 8 * _L, k
    v_before, v = 0, 1
    while u and (u >> 128 or not v & 1):
        quotient = before // u
        before, u = u, before - quotient * u
        v_before, v = v, v_before - quotient * v
    if not v & 1 or not -_L < v < _L:
        return k, 1  # Nobody can find such a k; with it nothing is gained, and nothing wrong.
    return (u, v) if v > 0 else (-u, -v)


def _points(first: "tuple[int, int]", second: "tuple[int, int]") -> "list[tuple[int, int, int, int]]":
    """What the pairs of digits stand for, ready to be added."""
    p = _P
    whole = first[0], first[1], 1, first[0] * first[1] % p
    other = _cached(second[0], second[1], 1, second[0] * second[1] % p)
    return [
        _cached(*whole),
        other,
        _cached(*_add(whole, other, False)),
        _cached(*_add(whole, other, True)),
    ]


def _sum_is_neutral(
    digits: bytearray,
    points: "list[tuple[int, int, int, int]]",
    other_digits: bytearray,
    other_points: "list[tuple[int, int, int, int]]",
) -> bool:
    """Whether four points, each so many times, add up to nothing: all scalars are read together from the top (Straus),
    in extended coordinates (RFC 8032, 5.1.4). Every factor is reduced before it is multiplied: reducing is what costs.
    """
    p = _P
    x, y, z = 0, 1, 1
    length = max(len(digits), len(other_digits))
    for place in range(length - 1, -1, -1):
        a = x * x
        b = y * y
        h = (a + b) % p
        e = -2 * x * y % p
        g = (a - b) % p
        f = (2 * z * z + g) % p
        x = e * f % p
        y = g * h % p
        z = f * g % p
        t = -1
        for pair, table in ((digits, points), (other_digits, other_points)):
            digit = pair[place] if place < len(pair) else _ZEROS
            if digit != _ZEROS:
                if t < 0:
                    t = e * h % p
                x, y, z, t = _add((x, y, z, t), table[_TABLE_PLACE[digit]], digit < _ZEROS)
    return x == 0 and y == z


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


def _cached(x: int, y: int, z: int, t: int) -> "tuple[int, int, int, int]":
    return (y - x) % _P, (y + x) % _P, 2 * z % _P, 2 * _D * t % _P


def _add(
    point: "tuple[int, int, int, int]", other: "tuple[int, int, int, int]", negative: bool
) -> "tuple[int, int, int, int]":
    """`point` plus a cached point, or minus it."""
    p = _P
    x, y, z, t = point
    minus, plus, z2, t2d = other
    if negative:
        minus, plus = plus, minus
    a = (y - x) * minus % p
    b = (y + x) * plus % p
    c = t * t2d % p
    d = z * z2 % p
    e = b - a
    f = d + c if negative else d - c
    g = d - c if negative else d + c
    h = b + a
    return e * f % p, g * h % p, f * g % p, e * h % p
