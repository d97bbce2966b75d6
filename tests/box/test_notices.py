# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kiezbox.box.notices import NOTICES_MAX, Notices

NOW_S = 1_767_450_000
Boot = Callable[[], Notices]


@pytest.fixture
def boot(tmp_path: Path) -> Iterator[Boot]:
    opened: list[Notices] = []

    def start() -> Notices:
        opened.append(Notices(str(tmp_path)))
        return opened[-1]

    yield start
    for notices in opened:
        notices.journal.close()


def notice(identifier: str = "a", **changes: Any) -> dict[str, Any]:
    values = {"identifier": identifier, "language": "de", "headline": "Wasser abkochen", "sent_s": NOW_S - 60}
    return values | {"expires_s": NOW_S + 3600} | changes


def test_a_notice_survives_a_restart_until_it_expires(boot: Boot) -> None:
    assert boot().add(notice(), NOW_S)
    notices = boot()
    assert notices.valid(NOW_S) == [notice()]
    assert notices.valid(0) == [notice()]
    assert notices.valid(NOW_S + 3600) == []
    assert not notices.sweep(NOW_S)
    assert notices.sweep(NOW_S + 3600)
    assert notices.journal.size_bytes() == 0


def test_what_has_expired_is_not_taken(boot: Boot) -> None:
    notices = boot()
    assert not notices.add(notice(expires_s=NOW_S), NOW_S)
    assert notices.valid(0) == []


def test_a_later_version_takes_the_place_and_an_earlier_one_does_not(boot: Boot) -> None:
    notices = boot()
    notices.add(notice(), NOW_S)
    notices.add(notice(language="tr"), NOW_S)
    assert notices.add(notice(headline="neu", sent_s=NOW_S, action=1), NOW_S)
    assert not notices.add(notice(headline="alt", sent_s=NOW_S - 100), NOW_S)
    for one in (notices, boot()):
        assert [(each["language"], each["headline"]) for each in one.valid(NOW_S)] == [
            ("tr", "Wasser abkochen"),
            ("de", "neu"),
        ]
    assert sum(1 for _ in notices.journal.records()) == 2


def test_a_cancellation_removes_every_language(boot: Boot) -> None:
    notices = boot()
    notices.add(notice(), NOW_S)
    notices.add(notice(language="tr"), NOW_S)
    notices.add(notice("b"), NOW_S)
    assert notices.add({"identifier": "a", "action": 2, "sent_s": NOW_S}, NOW_S)
    for one in (notices, boot()):
        assert [each["identifier"] for each in one.valid(NOW_S)] == ["b"]


def test_without_room_the_least_severe_and_oldest_goes(boot: Boot) -> None:
    notices = boot()
    for number in range(NOTICES_MAX):
        assert notices.add(notice(str(number), severity=3, sent_s=NOW_S + number), NOW_S)
    assert not notices.add(notice("mild", severity=1), NOW_S)
    assert notices.add(notice("grave", severity=4), NOW_S)
    assert [one["identifier"] for one in boot().valid(NOW_S)] == [*map(str, range(1, NOTICES_MAX)), "grave"]


def test_a_flash_that_refuses_leaves_what_is_there(boot: Boot, monkeypatch: pytest.MonkeyPatch) -> None:
    notices = boot()
    notices.add(notice(), NOW_S)

    def full(*_: object) -> None:
        raise OSError(28)

    monkeypatch.setattr(notices.journal, "append", full)
    monkeypatch.setattr(notices.journal, "rewrite", full)
    assert not notices.add(notice("b"), NOW_S)
    assert not notices.sweep(NOW_S + 9_999)
    assert notices.valid(NOW_S) == [notice()]
