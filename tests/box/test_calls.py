# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiezbox.box import calls as calls_module
from kiezbox.box.calls import AMEND, CANCEL, SAFE, Calls
from kiezbox.box.limits import CLIENT_PAUSE_MS
from kiezbox.box.refusal import Refused
from kiezbox.box.testing import FakeNode, FakePorts

FORM = {
    "category": "1",
    "text": "Oma ist gestürzt 🚑",
    "place": "Hauptstr. 1",
    "people": "2",
    "language": "de",
    "client": "10.0.0.2",
}
Boot = Callable[[], tuple[Calls, FakeNode, FakePorts]]


@pytest.fixture
def boot(tmp_path: Path) -> Iterator[Boot]:
    opened: list[Calls] = []

    def start() -> tuple[Calls, FakeNode, FakePorts]:
        ports, node = FakePorts(), FakeNode(1 + 100 * len(opened))
        ports.draws = 100 * len(opened)
        opened.append(Calls(ports, node, str(tmp_path)))
        opened[-1].load()
        return opened[-1], node, ports

    yield start
    for calls in opened:
        calls._journal.close()


def test_a_call_is_on_flash_before_it_has_a_code(boot: Boot) -> None:
    calls, node, _ = boot()
    code = calls.submit(FORM, exercise=False)
    kind, message, counter = node.sent[0]
    assert kind == "emergency"
    assert message["text"] == FORM["text"]
    assert (message["category"], message["people"], message["code"], message["action"]) == (1, 2, code, 0)
    after, node_after, _ = boot()
    assert after.status(code) == {
        "stages": [{"stage": 1, "time_s": 1_767_450_000, "station": ""}],
        "answer": None,
        "exercise": False,
        "cancelled": False,
    }
    assert node_after.resumed == [("emergency", message, counter)]


def test_a_call_that_flash_refused_was_never_accepted(boot: Boot, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, node, _ = boot()

    def full(kind: int, payload: bytes) -> None:
        raise OSError(28)

    monkeypatch.setattr(calls._journal, "append", full)
    with pytest.raises(Refused) as refused:
        calls.submit(FORM, exercise=False)
    assert refused.value.reason == "full"
    assert node.sent == []


def test_stages_rise_survive_a_restart_and_end_the_repetition(boot: Boot) -> None:
    calls, node, _ = boot()
    code = calls.submit(FORM, exercise=False)
    counter = node.sent[0][2]
    assert calls.open_count() == 1
    calls.stage_changed(counter, 2, 100, "", "")
    calls.stage_changed(counter, 2, 200, "", "")
    assert calls.open_count() == 0
    calls.stage_changed(counter, 5, 300, "Feuerwache Schöneberg", "Wir kommen")
    after, node_after, _ = boot()
    status = after.status(code)
    assert status is not None
    assert [(one["stage"], one["time_s"]) for one in status["stages"]] == [(1, 1_767_450_000), (2, 100), (5, 300)]
    assert status["answer"] == "Wir kommen"
    assert node_after.resumed == []


def test_the_same_text_twice_is_one_call_and_a_hasty_second_one_waits(boot: Boot) -> None:
    calls, node, ports = boot()
    code = calls.submit(FORM, exercise=False)
    assert calls.submit(FORM, exercise=False) == code
    assert len(node.sent) == 1
    with pytest.raises(Refused) as refused:
        calls.submit({**FORM, "text": "und jetzt noch etwas"}, exercise=False)
    assert refused.value.reason == "rate_client"
    ports.clock.time_ms += CLIENT_PAUSE_MS
    assert calls.submit({**FORM, "text": "und jetzt noch etwas"}, exercise=False) != code


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({}, "empty"),
        ({"text": " \0 "}, "empty"),
        ({"text": "ä" * 251}, "too_long"),
        ({"text": "x", "place": "y" * 121}, "too_long"),
    ],
)
def test_bad_forms_are_refused_and_change_nothing(boot: Boot, form: dict[str, str], reason: str) -> None:
    calls, node, _ = boot()
    with pytest.raises(Refused) as refused:
        calls.submit(form, exercise=False)
    assert refused.value.reason == reason
    assert node.sent == []
    assert list(calls._journal.records()) == []


@pytest.mark.parametrize("value", ["-1", "0", "99999", "drei", "1e3", "²", ""])
def test_a_number_that_is_none_is_left_out(boot: Boot, value: str) -> None:
    calls, node, _ = boot()
    calls.submit({"text": "x", "people": value, "category": value}, exercise=False)
    assert "people" not in node.sent[0][1]
    assert "category" not in node.sent[0][1]


def test_amend_cancel_and_safe_refer_to_the_first_call(boot: Boot) -> None:
    calls, node, _ = boot()
    code = calls.submit(FORM, exercise=True)
    first = node.sent[0][2]
    calls.change(code, AMEND, "jetzt 3 Personen")
    calls.change(code, SAFE)
    assert [kind for kind, _, _ in node.sent] == ["exercise"] * 3
    assert [message["refers_to"] for _, message, _ in node.sent[1:]] == [first, first]
    status = calls.status(code)
    assert status is not None
    assert status["cancelled"]
    assert status["exercise"]
    assert first in node.cancelled
    with pytest.raises(Refused):
        calls.change(code, CANCEL)
    with pytest.raises(Refused):
        calls.change("00000000", CANCEL)


def test_no_number_yet_is_a_refusal_not_a_crash(boot: Boot) -> None:
    calls, node, _ = boot()
    node.exhausted = True
    with pytest.raises(Refused) as refused:
        calls.submit(FORM, exercise=False)
    assert refused.value.reason == "full"


def test_old_finished_calls_leave_flash_and_open_ones_stay(boot: Boot, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, node, ports = boot()
    done = calls.submit({**FORM, "client": "a"}, exercise=False)
    calls.stage_changed(node.sent[0][2], 2, 1, "", "")
    waiting = calls.submit({**FORM, "client": "b"}, exercise=False)
    ports.clock.wall_s += calls_module.RETENTION_S + 1
    monkeypatch.setattr(calls_module, "JOURNAL_BYTES_MAX", 100)
    recent = calls.submit({**FORM, "client": "c"}, exercise=False)
    after, _, _ = boot()
    assert after.status(done) is None
    assert after.status(waiting) is not None
    assert after.status(recent) is not None


def test_memory_holds_the_newest_and_every_open_call(boot: Boot) -> None:
    calls, node, _ = boot()
    codes = [calls.submit({**FORM, "client": str(number)}, exercise=False) for number in range(60)]
    assert all(calls.status(code) is not None for code in codes)
    for _, _, counter in list(node.sent):
        calls.stage_changed(counter, 2, 1, "", "")
    for number in range(60, 120):
        calls.submit({**FORM, "client": str(number)}, exercise=False)
    assert len(calls._entries) <= calls_module.ENTRIES_MAX + 60


def test_a_call_without_room_in_custody_is_kept_and_sent_later(boot: Boot) -> None:
    calls, node, _ = boot()
    node.room = 1
    first = calls.submit({**FORM, "client": "a"}, exercise=False)
    second = calls.submit({**FORM, "client": "b"}, exercise=False)
    assert calls.status(second) is not None
    assert calls.deferred
    assert len(node.sent) == 1
    node.room = None
    calls.resume()
    assert not calls.deferred
    assert [message["code"] for _, message, _ in node.sent + node.resumed] == [first, second]
