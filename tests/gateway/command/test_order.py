# SPDX-License-Identifier: Apache-2.0
"""How people say when a mode ends and what a setting is to be."""

import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from kiezbox_gateway.command import CommandError
from kiezbox_gateway.command.order import end_of, setting_of


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("given", "now", "end"),
    [
        ("18:30", "2026-11-25T17:00", "2026-11-25T18:30+01:00"),
        ("18:30", "2026-11-25T18:30", "2026-11-26T18:30+01:00"),
        ("06:00", "2026-12-31T23:00", "2027-01-01T06:00+01:00"),
        # The night in which clocks are put back has an hour more.
        ("06:00", "2026-10-24T23:00", "2026-10-25T06:00+01:00"),
        ("12h", "2026-10-24T20:00", "2026-10-25T07:00+01:00"),
        (" 0.5h ", "2026-11-25T17:00", "2026-11-25T17:30+01:00"),
        ("2026-11-26T06:00", "2026-11-25T17:00", "2026-11-26T06:00+01:00"),
        ("2026-11-26 06:00", "2026-11-25T17:00", "2026-11-26T06:00+01:00"),
        ("2026-11-26T06:00Z", "2026-11-25T17:00", "2026-11-26T07:00+01:00"),
    ],
)
def test_end(given: str, now: str, end: str) -> None:
    found = end_of(given, datetime.fromisoformat(now).astimezone())
    assert found == datetime.fromisoformat(end)
    assert found.utcoffset() == datetime.fromisoformat(end).utcoffset()


@pytest.mark.parametrize(
    "given", ["", "h", "nanh", "infh", "1e300h", "25:00", "tomorrow", "18:30:61", "0001-01-01T00:00"]
)
def test_what_is_no_time(given: str) -> None:
    with pytest.raises(CommandError, match="18:30"):
        end_of(given, datetime.fromisoformat("2026-11-25T17:00").astimezone())


@pytest.mark.parametrize(
    ("key", "given", "value"),
    [
        ("reading_interval_s", "600", 600),
        ("reading_interval_s", "-1", "-1"),
        ("short_name", "1234", "1234"),
        ("name", "7", "7"),
        ("role", "ROUTER", "ROUTER"),
        ("place", "", ""),
        ("help_points", '[{"name": "Rathaus"}]', [{"name": "Rathaus"}]),
    ],
)
def test_value_of_a_setting(key: str, given: str, value: object) -> None:
    assert setting_of(key, given) == value


@pytest.mark.parametrize("given", ["Rathaus", "[", "[" * 100_000])
def test_help_points_are_json(given: str) -> None:
    with pytest.raises(CommandError, match="Am Platz 1"):
        setting_of("help_points", given)
