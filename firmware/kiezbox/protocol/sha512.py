# SPDX-License-Identifier: Apache-2.0
"""SHA-512 (FIPS 180-4) in Python, because MicroPython's hashlib ends at SHA-256.

The constants are what the standard says they are, fractions of roots of primes, and are computed once at import. Slow
on purpose-built messages of many blocks; a broadcast needs one block. Called by ed25519.py.
"""

_MASK = (1 << 64) - 1


def _root_fraction(prime: int, degree: int) -> int:
    """The first 64 bits of the fraction of the square (2) or cube (3) root of `prime`; Newton's method on integers."""
    value = prime << 64 * degree
    root = 1 << 64 + 6
    while True:
        better = ((degree - 1) * root + value // root ** (degree - 1)) // degree
        if better >= root:
            return root & _MASK
        root = better


def _constants() -> "tuple[bytes, bytes]":
    primes: list[int] = []
    candidate = 2
    while len(primes) < 80:
        for prime in primes:
            if candidate % prime == 0:
                break
        else:
            primes.append(candidate)
        candidate += 1
    rounds = bytearray()
    for prime in primes:
        rounds += _root_fraction(prime, 3).to_bytes(8, "big")
    start = bytearray()
    for prime in primes[:8]:
        start += _root_fraction(prime, 2).to_bytes(8, "big")
    return bytes(rounds), bytes(start)


_ROUNDS, _START = _constants()


def sha512(message: bytes) -> bytes:
    """The 64-byte digest of `message`."""
    padding = b"\x80" + bytes(-(len(message) + 17) % 128)
    padded = message + padding + (8 * len(message)).to_bytes(16, "big")
    state = [int.from_bytes(_START[at : at + 8], "big") for at in range(0, 64, 8)]
    for at in range(0, len(padded), 128):
        _absorb(state, padded[at : at + 128])
    return b"".join([word.to_bytes(8, "big") for word in state])


def _absorb(state: "list[int]", block: bytes) -> None:
    mask = _MASK
    schedule = [int.from_bytes(block[at : at + 8], "big") for at in range(0, 128, 8)]
    a, b, c, d, e, f, g, h = state
    for index in range(80):
        if index >= 16:
            w = schedule[1]
            v = schedule[14]
            # A 64-bit word beside itself turns every rotation into one shift.
            ww = w << 64 | w
            vv = v << 64 | v
            w = (
                schedule[0]
                + ((ww >> 1 ^ ww >> 8) & mask ^ w >> 7)
                + schedule[9]
                + ((vv >> 19 ^ vv >> 61) & mask ^ v >> 6)
            ) & mask
            del schedule[0]
            schedule.append(w)
        else:
            w = schedule[index]
        ee = e << 64 | e
        one = (
            h
            + ((ee >> 14 ^ ee >> 18 ^ ee >> 41) & mask)
            + (g ^ e & (f ^ g))
            + int.from_bytes(_ROUNDS[8 * index : 8 * index + 8], "big")
            + w
        )
        aa = a << 64 | a
        two = ((aa >> 28 ^ aa >> 34 ^ aa >> 39) & mask) + (a & b | c & (a | b))
        h = g
        g = f
        f = e
        e = d + one & mask
        d = c
        c = b
        b = a
        a = one + two & mask
    for index, word in enumerate((a, b, c, d, e, f, g, h)):
        state[index] = state[index] + word & mask
