# SPDX-License-Identifier: Apache-2.0
"""Pace and sessions: bounded, whatever comes."""

from pathlib import Path

import pytest

from kiezbox_gateway import secret_files, tokens
from kiezbox_gateway.tokens import TokenList
from kiezbox_gateway.web import access
from kiezbox_gateway.web.access import Access, Pace


@pytest.fixture
def door(tmp_path: Path) -> Access:
    secret_files.write_secret(tmp_path / "api.token", "o" * 43 + "\n")
    return Access(TokenList(tmp_path / "api.token", tmp_path / "tokens.toml"), ["gateway.local"])


def test_pace_allows_a_burst_and_then_one_at_a_time() -> None:
    pace = Pace(3, 2.0)
    assert [pace.take("a", 100.0) for _ in range(3)] == [0.0] * 3
    assert pace.take("a", 100.0) == pytest.approx(2.0)
    assert pace.take("b", 100.0) == 0.0
    assert pace.take("a", 102.0) == 0.0
    assert pace.take("a", 102.5) == pytest.approx(1.5)
    assert [pace.take("a", 1_000.0) for _ in range(4)][:3] == [0.0] * 3


def test_pace_forgets_nobody_it_slows_down_while_there_are_few() -> None:
    pace = Pace(1, 10.0)
    for index in range(10_000):
        pace.take(str(index), 5.0)
    assert len(pace._levels) == access.BUCKETS_MAX
    assert pace.take("9999", 5.0) > 0


def test_sessions_are_bounded_and_end(door: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    assert door.open_session("wrong") is None
    cookies = [door.open_session("o" * 43) for _ in range(access.SESSIONS_MAX + 5)]
    assert all(cookies)
    assert door.by_session(cookies[0] or "") is None
    caller = door.by_session(cookies[-1] or "")
    assert caller is not None
    assert caller.name == tokens.OWN_NAME
    assert access.is_form_of(caller, caller.form_secret or "")
    assert not access.is_form_of(caller, "")
    assert not access.is_form_of(caller, "ü\x00")
    door.close_session(cookies[-1] or "")
    assert door.by_session(cookies[-1] or "") is None
    monkeypatch.setattr(access.time, "monotonic", lambda: 10.0**9)
    assert door.by_session(cookies[-2] or "") is None


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer ", "Basic oooo", "bearer " + "o" * 42, "Bearer ü\udcff", "\x00"]
)
def test_no_token(door: Access, given: str) -> None:
    assert door.by_token(given) is None


def test_token(door: Access) -> None:
    found = door.by_token("bearer  " + "o" * 43 + " ")
    assert found is not None
    assert found.role == tokens.Role.OPERATOR
