# SPDX-License-Identifier: Apache-2.0
"""Texts: complete, in one order, without markup; choice of language; times and numbers."""

import random
import re
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from kiezbox.portal import language

FOLDER = Path(language.__file__).parent
NAMES = [name for name, _ in language.NAMES]
SOURCES = "".join((FOLDER / name).read_text() for name in ("page.py", "routes.py", "language.py"))
BUILT_KEYS = (
    "mode_",
    "category_",
    "stage_",
    "no_power_",
    "about_",
    "way_",
    "call_",
    "practice_",
    "exercise_",
    "home",
    "safe_",
    "cancel_",
    "amend_",
    "kind_",
)
REFUSALS = {"rate_client", "rate_box", "too_long", "empty", "mode", "full", "unknown_code", "bad_code", "over"}


def texts(name: str) -> dict[str, str]:
    lines = (FOLDER / "texts" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    assert all(" = " in line for line in lines)
    pairs = [line.split(" = ", 1) for line in lines]
    assert len({key for key, _ in pairs}) == len(pairs), "a key twice"
    return dict(pairs)


def test_there_is_a_file_for_each_language_and_none_besides() -> None:
    assert sorted(path.stem for path in (FOLDER / "texts").iterdir()) == sorted(NAMES)
    assert len(NAMES) == 9


@pytest.mark.parametrize("name", NAMES)
def test_a_language_is_complete(name: str) -> None:
    german = texts("de")
    own = texts(name)
    assert list(own) == list(german)
    for key, text in own.items():
        assert text.strip() == text and text, key
        assert text.count("{}") == german[key].count("{}"), key
        assert not re.search(r"[<>&]", text), key
        assert "  " not in text, key
        assert len(f"{key} = {text}".encode()) < language.LINE_LENGTH_MAX
    same = [key for key, text in own.items() if text == german[key] and len(text) > 14]
    if name not in ("de", "ls"):
        assert same == [], "not translated"
    for key in ("not_112", "call_first", "practice_first", "exercise_first", "maintenance_instead"):
        assert "112" in own[key], key


def test_every_key_is_used_and_every_used_key_exists() -> None:
    german = texts("de")
    named = set(re.findall(r'"([a-z][a-z0-9_]*)"', SOURCES)) | set(re.findall(r"\{([a-z][a-z0-9_]*)\}", SOURCES))
    unused = [key for key in german if key not in named | REFUSALS and not key.startswith(BUILT_KEYS)]
    assert unused == []
    asked = re.findall(r'\bt\("([a-z0-9_]+)"[,)]', SOURCES) + re.findall(r"\{([a-z][a-z0-9_]*)\}", SOURCES)
    asked = set(asked) - {"key"}
    assert asked - set(german) == set()
    assert set(german) >= REFUSALS


@pytest.mark.parametrize("name", ["de", "ls"])
def test_easy_language_has_short_sentences(name: str) -> None:
    longest = max(len(sentence.split()) for text in texts(name).values() for sentence in re.split(r"[.:?!]\s", text))
    assert longest <= (13 if name == "ls" else 30)


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("de-DE,de;q=0.9,en;q=0.8", "de"),
        ("fr-FR,fr;q=0.9,ar;q=0.5,en;q=0.4", "ar"),
        ("uk-UA", "uk"),
        ("vi", "vi"),
        ("tr;q=0.2, pl;q=0.9", "pl"),
        ("de-simple, de;q=0.5", "ls"),
        ("RU-ru", "ru"),
        ("", "en"),
        ("*", "en"),
        ("zz", "en"),
        ("den", "en"),
        ("de;q=0", "en"),
        ("de;q=abc,tr;q=;;,,,=", "en"),
        ("ls", "en"),
    ],
)
def test_the_phone_chooses(header: str, chosen: str) -> None:
    assert language.choose(header) == chosen


def test_local_time_is_berlins_through_both_changes_of_the_clock() -> None:
    zone = ZoneInfo("Europe/Berlin")
    for year in range(2025, 2040):
        for month, last in ((3, 31), (10, 31), (1, 1), (6, 30), (12, 31), (2, 28)):
            for hour in range(-170, 30):
                unix_s = int(datetime(year, month, last, tzinfo=zone).timestamp()) + hour * 3600 + 59 * 60
                expected = datetime.fromtimestamp(unix_s, zone).strftime("%d.%m. %H:%M")
                assert language.local_time(unix_s) == expected


@pytest.mark.parametrize(
    ("value", "decimals", "written"),
    [(-13, 1, "−1,3"), (0, 1, "0,0"), (5, 2, "0,05"), (-5, 1, "−0,5"), (1013, 0, "1013")],
)
def test_numbers(value: int, decimals: int, written: str) -> None:
    german = language.Texts("de")
    assert german.number(value, decimals) == written
    german.close()


def test_ages_and_a_key_that_is_missing() -> None:
    english = language.Texts("en")
    shown = [english.age(seconds) for seconds in (0, 59, 60, 5399, 5400, 86_400, 172_800)]
    assert shown == ["just now", "just now", "1 min ago", "89 min ago", "2 h ago", "24 h ago", "2 days ago"]
    with pytest.raises(KeyError):
        english("nowhere")
    english.close()


@pytest.mark.parametrize("name", NAMES)
def test_every_text_is_found_from_everywhere(name: str) -> None:
    expected = texts(name)
    looked_up = language.Texts(name)
    keys = list(expected)
    rng = random.Random(3)
    for order in (keys, keys[::-1], rng.choices(keys, k=300)):
        assert [looked_up(key) for key in order] == [expected[key] for key in order]
    for wrong in ("hom", "ome", "home ", "not_112\nx", ""):
        with pytest.raises(KeyError):
            looked_up(wrong)
    looked_up.close()
