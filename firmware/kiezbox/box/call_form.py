# SPDX-License-Identifier: Apache-2.0
"""A message for the air from what a person typed. Everything in a form is hostile text. Called by calls.py."""

import hashlib

from kiezbox.box.refusal import Refused

TEXT_LENGTH_MAX = 500
WORD_LENGTH_MAX = 120


def from_form(form: dict) -> "dict[str, str | int]":
    """Fields of an emergency as in protocol/messages.py, without code and action. Raises Refused."""
    found: dict[str, str | int] = {"text": checked(form.get("text", ""), TEXT_LENGTH_MAX)}
    for name in ("place", "name", "contact"):
        value = checked(form.get(name, ""), WORD_LENGTH_MAX)
        if value:
            found[name] = value
    for name, highest in (("category", 6), ("people", 9999)):
        value = str(form.get(name, "")).strip()
        if 0 < len(value) <= 4 and not value.strip("0123456789") and 0 < int(value) <= highest:
            found[name] = int(value)
    if not found["text"] and "category" not in found:
        raise Refused("empty")
    language = str(form.get("language", ""))
    if 1 < len(language) <= 8:
        found["language"] = language
    return found


def checked(value: str, length_max: int) -> str:
    """The text without what no text needs. Raises Refused if its UTF-8 is longer than `length_max` bytes."""
    value = str(value).replace("\0", "").strip()
    if len(value.encode()) > length_max:
        raise Refused("too_long")
    return value


def likeness(found: dict) -> bytes:
    """8 bytes that are the same for near-duplicates: case, spaces and punctuation do not count, nor does the
    language of the page.
    """
    summed = hashlib.sha256()
    for name in sorted(found):
        if name != "language":
            text = str(found[name]).lower()
            for mark in " \t\r\n.,;:!?-":
                text = text.replace(mark, "")
            summed.update((name + "=" + text + "\n").encode())
    return summed.digest()[:8]
