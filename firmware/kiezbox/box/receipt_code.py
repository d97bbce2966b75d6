# SPDX-License-Identifier: Apache-2.0
"""The code a resident writes on paper: eight characters, 35 random bits and 5 to catch a slip of the pen.

Crockford's base 32 without I, L, O, U; what a person writes for them is understood. It says nothing about the call, and
nobody can guess it: it is the only key to the answer. Letters are handled as bytes, because MicroPython keeps every
one-letter string for ever. Called by calls.py.
"""

ALPHABET = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 8


def make(entropy: bytes) -> str:
    """A code from at least 5 random bytes."""
    number = int.from_bytes(entropy[:5], "little") & 0x7FFFFFFFF
    code = bytearray(LENGTH)
    for place in range(LENGTH - 2, -1, -1):
        code[place] = ALPHABET[number & 31]
        number >>= 5
    code[LENGTH - 1] = _check(code)
    return code.decode()


def clean(typed: str) -> "str | None":
    """The code that somebody typed, None if it cannot be one."""
    code = bytearray()
    understood = typed.upper().replace("O", "0").replace("I", "1").replace("L", "1").replace("\u2013", "-")
    for letter in understood.encode():
        if letter in b" -.":
            continue
        if ALPHABET.find(bytes((letter,))) < 0 or len(code) == LENGTH:
            return None
        code.append(letter)
    if len(code) != LENGTH or _check(code) != code[LENGTH - 1]:
        return None
    return code.decode()


def _check(code: bytearray) -> int:
    """The last letter, a weighted sum modulo 31 of the others: one wrong letter or two swapped ones change it."""
    total = 0
    for place in range(LENGTH - 1):
        total += (place + 2) * ALPHABET.find(code[place : place + 1])
    return ALPHABET[total % 31]
