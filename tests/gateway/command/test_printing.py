# SPDX-License-Identifier: Apache-2.0
"""What residents wrote cannot steer a terminal, break a table or be taken for markup."""

import pytest

from kiezbox_gateway.command import printing
from kiezbox_gateway.language import harmless

HOSTILE = [
    "\x1b[2J\x1b]0;owned\x07",
    "[red]x[/red]",
    "[/nonsense]",
    "a\u202eb\u200fc",
    "\x00\x7f\x9b",
    "\ud800",
    "🚨 Müller\nzwei",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_harmless(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = harmless(text)
    assert len(shown) == len(text)
    for character in shown:
        assert character == "\n" or ord(character) >= 32
    assert "\u202e" not in shown
    printing.table([{"a": text, "at": None, "n": 1}], {"a": "A", "at": "At", "n": "N"}, "T")
    printing.line(text)
    written = capsys.readouterr().out
    assert "\x1b" not in written
    assert "\u202e" not in written
    if text.startswith("["):
        assert text in written


def test_moments_are_local_with_their_age(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printing.time, "time", lambda: 1_780_000_000.0)
    assert printing.moment(None) == "–"
    assert printing.moment("2026-05-28T20:26:40.000Z").endswith("(0 min)")
    assert printing.moment("2026-05-28T19:00:00.000Z").endswith("(1 h)")
    assert printing.moment("2026-05-20T19:00:00.000Z").endswith("(8 d)")
