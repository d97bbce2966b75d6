# SPDX-License-Identifier: Apache-2.0
"""Each alarm is raised by what it names and by nothing else; in a running gateway it comes and goes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kiezbox_gateway import alarms, box_files, language
from kiezbox_gateway.alarms import KINDS, Facts
from kiezbox_gateway.blackout import Proposal
from kiezbox_gateway.box_faults import FaultyBox
from tests.gateway.city.certificates import Authority
from tests.gateway.deployment import emergency
from tests.gateway.running import running_gateway

CAUSES: dict[str, dict[str, Any]] = {
    "call_unread": {"calls_unread": 2},
    "call_not_at_city": {"calls_not_at_city": 1},
    "answer_not_delivered": {"answers_lost": 1},
    "call_in_box": {"calls_kept": {"Box 1": 2}},
    "blackout_proposed": {"blackout_proposed": (Proposal(1, "Box 1", grid_lost=True),)},
    "texts_surplus": {"texts_surplus": 3},
    "radio_away": {"radio_ready": False, "radio_state_s": 61},
    "radio_contended": {"radio_contended": True},
    "radio_settings": {"radio_differences": ("region",)},
    "gateway_number_taken": {"number_taken": True},
    "store_failed": {"store_alarm": "full"},
    "disk_low": {"disk_low": True},
    "disk_reserve_gone": {"disk_has_reserve": False},
    "city_away": {"city_connected": False, "city_since_s": 301},
    "city_refused": {"city_refused": 1},
    "certificate_expires": {"certificate_left_s": 29 * 86_400},
    "clock_not_in_step": {"clock_wanted": True, "clock_quality": 0},
    "box_silent": {"boxes_silent": ("Box 1",)},
    "box_faulty": {"boxes_faulty": (FaultyBox("Box 1", ("radio silent",), 3),)},
    "key_change_open": {"keys_open": ("Box 1",)},
    "restart_needed": {"files_changed": ("boxes.toml",)},
    "store_restored": {"incidents": frozenset({"restored"})},
    "readings_thinned": {"incidents": frozenset({"readings_thinned"})},
    "backup_old": {"backup_age_s": 3 * 86_400},
}


def test_a_gateway_in_order_raises_nothing() -> None:
    assert alarms.judge(Facts()) == []
    # Short interruptions are none.
    assert alarms.judge(Facts(radio_ready=False, radio_state_s=59, city_connected=False, city_since_s=299)) == []
    assert alarms.judge(Facts(certificate_left_s=31 * 86_400, clock_wanted=False, clock_quality=0)) == []
    assert [each.name for each in alarms.judge(Facts(uptime_s=3 * 86_400))] == ["backup_old"]


@pytest.mark.parametrize("name", KINDS)
def test_each_alarm_by_its_cause(name: str) -> None:
    assert set(CAUSES) == set(KINDS)
    (alarm,) = alarms.judge(replace(Facts(), **CAUSES[name]))
    assert alarm.name == name
    for chosen in language.LANGUAGES:
        with language.use(chosen):
            assert alarm.sentence
            assert alarm.advice


def test_all_at_once_people_come_first() -> None:
    everything: dict[str, Any] = {}
    for cause in CAUSES.values():
        everything |= cause
    everything["incidents"] = frozenset({"restored", "readings_thinned"})
    raised = alarms.judge(replace(Facts(), **everything))
    assert [alarm.name for alarm in raised] == list(KINDS)
    assert raised[0].name == "call_unread"
    assert raised[0].urgent


def test_long_lists_are_cut() -> None:
    (alarm,) = alarms.judge(Facts(boxes_silent=tuple(f"Box {index}" for index in range(200))))
    assert len(alarm.detail) < 60
    assert "+195" in alarm.detail


async def test_in_a_running_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    async with running_gateway(tmp_path) as running:
        gateway, box = running.gateway, running.boxes[0]
        watch = alarms.Watch()
        await watch.look(gateway)
        assert await alarms.look(gateway) == []
        running.deliver(box, box.send("emergency", emergency("Zwiebelfisch", "ALRM2345"))[1])
        await running.stored(1)
        assert await alarms.look(gateway) == []
        monkeypatch.setattr(alarms, "CALL_UNREAD_S", -1)
        monkeypatch.setattr(alarms, "CALL_WAITING_S", -1)
        await watch.look(gateway)
        assert [alarm.name for alarm in await alarms.look(gateway)] == ["call_unread", "call_not_at_city"]
        # Refused once and still waiting; what was taken at a later attempt is no alarm.
        gateway.city.status.set_aside["refused_0x87"] = 1
        assert "city_refused" in {alarm.name for alarm in await alarms.look(gateway)}
        rows = await gateway.store.rows("SELECT sequence FROM message")
        await gateway.store.confirm([row[0] for row in rows], 1)
        assert [alarm.name for alarm in await alarms.look(gateway)] == ["call_unread"]
        await running.request("POST", "/api/v1/calls/ALRM2345/stage", {"stage": 4})
        await watch.look(gateway)
        assert [alarm.name for alarm in await alarms.look(gateway) if alarm.name != "city_refused"] == []
        box_files.enroll_box(gateway.configuration.boxes.file, 77, "Neu")
        assert "restart_needed" in {alarm.name for alarm in await alarms.look(gateway)}
        await running.request("POST", "/api/v1/boxes/reload")
        assert "restart_needed" not in {alarm.name for alarm in await alarms.look(gateway)}
        gateway.started_s -= 20_000
        found = {alarm.name: alarm for alarm in await alarms.look(gateway)}
        assert "Box 1" in found["box_silent"].detail
        assert "Box 0" not in found["box_silent"].detail
    written = capsys.readouterr().out
    assert "alarm_raised" in written
    assert "alarm_cleared" in written
    assert "Zwiebelfisch" not in written


def test_end_of_a_certificate(tmp_path: Path) -> None:
    assert alarms.certificate_left_s(None, 0) is None
    assert alarms.certificate_left_s(tmp_path / "none.pem", 0) is None
    (tmp_path / "bad.pem").write_bytes(b"\x00\xff")
    assert alarms.certificate_left_s(tmp_path / "bad.pem", 0) is None
    authority = Authority(tmp_path)
    certificate, _ = authority.issue("gateway")
    left_s = alarms.certificate_left_s(certificate, 1_700_000_000.0)
    assert left_s is not None
    assert alarms.certificate_left_s(certificate, 1_700_000_000.0 + left_s + 5) == pytest.approx(-5)
