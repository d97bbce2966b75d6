# SPDX-License-Identifier: Apache-2.0
"""The code a resident writes on paper: eight characters, 35 random bits and 5 to catch a slip of the pen.

Crockford's base 32 without I, L, O, U; what a person writes for them is understood. It says nothing about the call, and
nobody can guess it: it is the only key to the answer. Called by calls.py.
"""

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 8


def make(entropy: bytes) -> str:
    """A code from at least 5 random bytes."""
    number = int.from_bytes(entropy[:5], "little") & 0x7FFFFFFFF
    text = ""
    for _ in range(LENGTH - 1):
        text = ALPHABET[number & 31] + text
        number >>= 5
    return text + ALPHABET[_check(text)]


def clean(typed: str) -> "str | None":
    """The code that somebody typed, None if it cannot be one."""
    text = ""
    for character in typed.upper():
        if character in " -\u2013.":
            continue
        character = {"O": "0", "I": "1", "L": "1"}.get(character, character)
        if character not in ALPHABET or len(text) == LENGTH:
            return None
        text += character
    if len(text) != LENGTH or ALPHABET[_check(text[:-1])] != text[-1]:
        return None
    return text


def _check(text: str) -> int:
    """A weighted sum modulo 31: one wrong character or two swapped ones change it."""
    total = 0
    for place in range(len(text)):
        total += (place + 2) * ALPHABET.index(text[place])
    return total % 31
