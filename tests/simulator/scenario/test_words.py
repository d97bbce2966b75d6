# SPDX-License-Identifier: Apache-2.0
"""Two languages: the same sentences with the same fields, numbers as each writes them."""

import re
import string
from pathlib import Path

import pytest

from kiezbox_simulator.scenario import report, words
from kiezbox_simulator.scenario.event_texts import PHRASES
from kiezbox_simulator.scenario.report_texts import TEXTS, TONGUES
from kiezbox_simulator.scenario.words import Words
from kiezbox_simulator.virtual.station import REASONS
from kiezbox_simulator.world import call_texts

EN, DE = Words("en"), Words("de")


def fields(text):
    return {field for _, field, _, _ in string.Formatter().parse(text) if field}


def test_both_columns_have_the_same_fields_and_no_empty_text():
    for name, (english, german) in TEXTS.items():
        assert fields(english) == fields(german), name
        assert english.strip() and german.strip(), name


def test_every_name_that_the_code_asks_for_exists_and_no_other():
    folder = Path(words.__file__).parent
    code = "".join(path.read_text() for path in folder.glob("*.py") if path.name != "report_texts.py")
    asked = set(re.findall(r"""words\(\s*["']([a-z_0-9]+)["']""", code)) | set(
        re.findall(r'"((?:c|use)_[a-z_0-9]+)"', code)
    )
    asked |= {f"fate_{reason}" for reason in REASONS} | {name for _, name in report.AIR_KINDS}
    asked |= {f"kind_{kind}" for kind in ("vm", "core", "stock")}
    asked |= {f"a_{key}" for key in ("radio", "air", "frames", "time", "model", "same")}
    asked = {name for name in asked if not name.endswith("_")} - {"name"}
    quoted = set(re.findall(r'"([a-z_0-9]+)"', code)) | {"other_language", "printed_by"}
    assert asked <= set(TEXTS)
    assert set(TEXTS) <= asked | quoted


def test_numbers_and_durations():
    assert (EN.number(1234.5, 1), DE.number(1234.5, 1)) == ("1,234.5", "1.234,5")
    assert (EN.percent(99.5), DE.percent(99.5), DE.percent(None)) == ("99.5 %", "99,5 %", "–")
    assert (EN.short(22.0), DE.short(0.25)) == ("22", "0,25")
    assert [DE.duration(s) for s in (None, 0.4, 1.5, 119.96, 600, 86_400)] == [
        "–", "400 ms", "1,5 s", "120,0 s", "10,0 min", "24,0 h",
    ]  # fmt: skip


def test_clock_counts_days_from_midnight():
    assert EN.clock(0, 6 * 3600) == "day 1, 06:00"
    assert DE.clock(20 * 3600 + 90, 6 * 3600) == "Tag 2, 02:01"


def test_known_phrases_become_german_and_others_stay():
    assert (
        DE.phrase("Rathaus: power cut in the middle of a flash write")
        == "Rathaus: Strom unterbrochen mitten im Schreiben"
    )
    assert EN.phrase("Rathaus: power cut") == "Rathaus: power cut"
    assert DE.phrase("something new") == "something new"
    for place, (phrase, _) in enumerate(PHRASES):
        assert not any(earlier in phrase for earlier, _ in PHRASES[:place]), phrase


ENGLISH = {
    "a",
    "and",
    "at",
    "before",
    "call",
    "could",
    "does",
    "has",
    "it",
    "no",
    "nobody",
    "not",
    "of",
    "only",
    "the",
    "which",
}


@pytest.mark.parametrize("name", ["attackers", "faults", "power", "referee", "simulation"])
def test_whatever_a_run_notes_is_german_on_the_german_page(name):
    code = (Path(words.__file__).parent / f"{name}.py").read_text()
    noted = re.findall(r"""(?:\.note|_violate)\((?:[^"()]|\w+\(\))*?f"([^"]*)\"""", code)
    assert noted
    for text in noted:
        plain = re.sub(r"\{[^}]*\}", "7", text.replace("{mode}", "emergency"))
        german = DE.phrase(plain)
        assert not set(re.findall(r"[a-z]+", german.lower())) & ENGLISH, german


def test_every_language_of_a_call_has_a_name():
    assert {language for language, _ in call_texts.LANGUAGE_SHARES} <= set(TONGUES)
    assert (EN.tongue("de"), DE.tongue("de"), DE.tongue("xx")) == ("German", "Deutsch", "xx")


def test_another_language_is_an_error():
    with pytest.raises(ValueError, match="en, de"):
        Words("fr")
    with pytest.raises(KeyError):
        EN("no_such_text")
