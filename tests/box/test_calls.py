# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiezbox.box import calls as calls_module
from kiezbox.box.call_entry import AMEND, CANCEL, SAFE
from kiezbox.box.calls import Calls
from kiezbox.box.limits import CLIENT_PAUSE_MS
from kiezbox.box.refusal import Refused
from kiezbox.box.testing import FakeNode, FakePorts, FakeRoom

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
        opened.append(Calls(ports, str(tmp_path), FakeRoom()))
        opened[-1].node = node
        opened[-1].load()
        return opened[-1], node, ports

    yield start
    for calls in opened:
        calls.journal.close()


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

    monkeypatch.setattr(calls.journal, "append", full)
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
    assert [kind for kind, _ in calls.journal.records()] == [calls_module._PADDING]


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


def test_finished_calls_leave_flash_when_their_time_is_over_and_open_ones_stay(boot: Boot) -> None:
    calls, node, ports = boot()
    done = calls.submit({**FORM, "client": "a"}, exercise=False)
    calls.change(done, AMEND, "und noch etwas")
    for _, _, counter in list(node.sent):
        calls.stage_changed(counter, 2, ports.clock.wall_s, "", "")
    waiting = calls.submit({**FORM, "client": "b"}, exercise=False)
    ports.clock.wall_s += calls_module.RETENTION_S
    assert not calls.sweep()
    ports.clock.wall_s += 1
    recent = calls.submit({**FORM, "client": "c"}, exercise=False)
    assert calls.sweep()
    assert not calls.sweep()
    assert Path(calls.journal.path).read_bytes().count(FORM["place"].encode()) == 2
    after, _, _ = boot()
    for one in (calls, after):
        assert one.status(done) is None
        assert one.status(waiting) is not None
        assert one.status(recent) is not None


def test_news_of_a_call_keep_it_for_another_while(boot: Boot) -> None:
    calls, node, ports = boot()
    code = calls.submit(FORM, exercise=False)
    calls.stage_changed(node.sent[0][2], 2, ports.clock.wall_s, "", "")
    ports.clock.wall_s += calls_module.RETENTION_S - 10
    calls.stage_changed(node.sent[0][2], 5, ports.clock.wall_s, "Feuerwache", "Wir kommen")
    ports.clock.wall_s += 20
    assert not calls.sweep()
    assert calls.status(code) is not None
    ports.clock.wall_s += calls_module.RETENTION_S
    assert calls.sweep()
    assert calls.status(code) is None


def test_without_a_clock_nothing_is_deleted_for_its_age(boot: Boot) -> None:
    calls, node, ports = boot()
    calls.submit(FORM, exercise=False)
    calls.stage_changed(node.sent[0][2], 2, 1, "", "")
    ports.clock.wall_s = 0
    assert not calls.sweep()


def test_the_oldest_finished_calls_go_when_there_are_very_many(boot: Boot) -> None:
    calls, node, _ = boot()
    calls.bytes_max = 20_000
    codes = [calls.submit({**FORM, "client": str(number)}, exercise=False) for number in range(120)]
    for _, _, counter in node.sent[:-1]:
        calls.stage_changed(counter, 2, 1, "", "")
    assert calls.sweep()
    assert calls.journal.size_bytes() <= 20_000
    assert calls.status(codes[0]) is None
    assert calls.status(codes[-1]) is not None


def test_memory_holds_the_newest_and_flash_knows_the_others(boot: Boot) -> None:
    calls, node, _ = boot()
    codes = [calls.submit({**FORM, "client": str(number)}, exercise=False) for number in range(100)]
    assert len(calls._entries) == calls_module.ENTRIES_MAX
    calls.stage_changed(node.sent[0][2], 2, 7, "", "")
    calls.change(codes[0], AMEND, "noch etwas")
    again, _, _ = boot()
    for one in (calls, again):
        for code in codes:
            status = one.status(code)
            assert status is not None
            assert [stage["stage"] for stage in status["stages"]] == ([1, 2] if code == codes[0] else [1])
        assert len(one._entries) == calls_module.ENTRIES_MAX
        assert one.open_count() == 100
    assert calls.status("00000000") is None


def test_a_cancellation_is_one_write(boot: Boot, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, _, _ = boot()
    code = calls.submit(FORM, exercise=False)
    appended: list[int] = []
    append = calls.journal.append
    monkeypatch.setattr(calls.journal, "append", lambda kind, payload: (appended.append(kind), append(kind, payload)))
    calls.change(code, CANCEL)
    assert len(appended) == 1
    again, node, _ = boot()
    status = again.status(code)
    assert status is not None
    assert status["cancelled"]
    assert [message["action"] for _, message, _ in node.resumed] == [CANCEL]
    again.change(code, SAFE)
    again.change(code, SAFE)
    assert [message["action"] for _, message, _ in node.sent] == [SAFE]


def test_additions_have_an_end(boot: Boot) -> None:
    calls, _, _ = boot()
    code = calls.submit(FORM, exercise=False)
    for number in range(calls_module.AMENDMENTS_MAX):
        calls.change(code, AMEND, f"noch {number}")
    with pytest.raises(Refused) as refused:
        calls.change(code, AMEND, "zu viel")
    assert refused.value.reason == "rate_client"
    calls.change(code, SAFE)


def test_a_receipt_heard_again_costs_no_write(boot: Boot) -> None:
    calls, node, _ = boot()
    calls.submit(FORM, exercise=False)
    calls.stage_changed(node.sent[0][2], 2, 7, "", "")
    calls.stage_changed(node.sent[0][2], 5, 9, "Wache", "Wir kommen")
    size = calls.journal.size_bytes()
    for _ in range(5):
        calls.stage_changed(node.sent[0][2], 2, 8, "", "")
        calls.stage_changed(node.sent[0][2], 5, 9, "Wache", "Wir kommen")
    assert calls.journal.size_bytes() == size


def test_near_duplicates_of_one_phone_are_one_call_and_of_two_phones_are_two(boot: Boot) -> None:
    calls, node, _ = boot()
    code = calls.submit(FORM, exercise=False)
    assert calls.submit({**FORM, "text": "oma ist  gestürzt! 🚑", "language": "en"}, exercise=False) == code
    assert calls.submit({**FORM, "client": "10.0.0.3"}, exercise=False) != code
    assert len(node.sent) == 2


def test_exercises_have_an_end_and_emergencies_have_none(boot: Boot) -> None:
    calls, _, _ = boot()
    for number in range(calls_module.EXERCISES_OPEN_MAX):
        calls.submit({**FORM, "client": f"e{number}"}, exercise=True)
    with pytest.raises(Refused) as refused:
        calls.submit({**FORM, "client": "one more"}, exercise=True)
    assert refused.value.reason == "full"
    assert calls.submit({**FORM, "client": "real"}, exercise=False)
    assert calls.open_count() == 1


def test_emergencies_are_resumed_before_exercises(boot: Boot) -> None:
    calls, _, _ = boot()
    calls.submit({**FORM, "client": "a"}, exercise=True)
    calls.submit({**FORM, "client": "b"}, exercise=False)
    _, node, _ = boot()
    assert [kind for kind, _, _ in node.resumed] == ["emergency", "exercise"]


def test_the_button_makes_a_call_that_can_be_cancelled(boot: Boot) -> None:
    calls, node, _ = boot()
    assert calls.pressed() is None
    code = calls.press(exercise=False)
    kind, message, counter = node.sent[0]
    assert (kind, message["action"], message["button"]) == ("button", 0, 1)
    assert "code" not in message
    again, node, _ = boot()
    assert again.pressed() == code
    assert [kind for kind, _, _ in node.resumed] == ["button"]
    again.change(code, CANCEL)
    assert node.sent[0][1]["refers_to"] == counter
    assert again.pressed() is None
    assert calls.press(exercise=True) != code


def test_a_call_that_is_on_flash_is_not_refused_for_want_of_memory(boot: Boot, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, node, _ = boot()

    def exhausted(*_: object) -> int:
        raise MemoryError

    monkeypatch.setattr(node, "send", exhausted)
    code = calls.submit({**FORM, "client": "a"}, exercise=False)
    assert calls.deferred
    assert calls.submit({**FORM, "client": "a"}, exercise=False) == code, "not stored twice"
    monkeypatch.undo()
    calls.resume()
    assert [message["code"] for _, message, _ in node.sent + node.resumed] == [code]


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


def test_a_call_that_made_room_for_a_new_one_is_resumed_later(boot: Boot) -> None:
    calls, node, _ = boot()
    calls.submit({**FORM, "client": "a"}, exercise=False)
    assert not calls.deferred
    node.parks = True
    calls.submit({**FORM, "client": "b"}, exercise=False)
    assert calls.deferred
    node.sent.pop(0)  # BoxNode does not hold it any more.
    calls.resume()
    assert not calls.deferred
    assert len(node.resumed) == 1
