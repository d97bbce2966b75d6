# SPDX-License-Identifier: Apache-2.0
"""A scenario at the clock's pace: boxes with their firmware, the real gateway process with its database, a real broker.

One run of nine minutes of the scenario in a third of a minute, in which the gateway is killed and its line is cut.
"""

import json
import os
import signal
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from kiezbox_simulator.interruption import StoppedError
from kiezbox_simulator.real_gateway.city import CityError
from kiezbox_simulator.real_gateway.folder import FolderError
from kiezbox_simulator.scenario import outcome, schema
from kiezbox_simulator.scenario.paced import Pace, PacedRun

VALUES = {
    "title": "paced", "start": "2026-01-03T16:00:00+01:00", "duration_h": 0.15,
    "map": {"width_m": 900, "height_m": 900}, "boxes": {"kind": "vm", "count": 2},
    "readings": {"interval_s": 60, "samples_per_frame": 1, "health_interval_s": 3600},
    "people": {"calls_per_box_day": 1000, "from_h": 0.035, "until_h": 0.08, "prank_share": 0, "blackout": False},
    "mode": [{"at_h": 0, "mode": "emergency"}], "limits": {"delivery_grace_h": 0.05},
    "bulletin": [{"at_h": 0.05, "headline": "Trinkwasser", "text": "Am Rathaus"}],
    "fault": [
        {"at_h": 0.06, "kind": "uplink_outage", "target": "1", "duration_h": 0.03},
        {"at_h": 0.07, "kind": "gateway_death", "target": "1", "duration_h": 0.005},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """(simulation, summary, folder, what was said) of one run."""
    out = tmp_path_factory.mktemp("paced")
    seen, said = [], []
    summary = outcome.run_paced(schema.parse(VALUES), 1, out, None, Pace(30.0), seen.append, said.append)
    return seen[-1], summary, out, said


def test_every_accepted_call_is_in_the_gateways_database_and_with_the_city(ran):
    simulation, summary, out, _ = ran
    accepted = [call for call in simulation.calls if call.accepted_us is not None]
    assert len(accepted) >= 3
    with closing(sqlite3.connect(out / "paced/gateway-1/data/gateway.sqlite")) as database:
        rows = database.execute("SELECT code, confirmed_ms FROM call JOIN message ON sequence = message_sequence")
        stored = dict(rows)
    assert {call.code for call in accepted} <= set(stored)
    assert None not in stored.values()
    paced = summary["paced"]
    assert paced["calls_stored"] == paced["calls_in_the_city"] >= len(accepted)
    assert paced["calls_missing_in_the_city"] == []
    assert summary["calls"]["delivered"] == len(accepted)
    assert summary["referee"] == {"violations": 0, "first": []}


def test_delivered_is_when_the_database_says_so_and_the_page_tells_it_later(ran):
    simulation, summary, _, _ = ran
    told = [call for call in simulation.calls if call.receipt_us is not None]
    assert told
    assert all(call.accepted_us <= call.delivered_us + 5_000_000 <= call.receipt_us + 5_000_000 for call in told)
    # The line was cut for minutes, so the city had some calls much later than the gateway.
    assert summary["paced"]["delay_to_city"]["max_s"] > summary["calls"]["delay_to_gateway"]["p50_s"] + 10


def test_the_station_of_the_city_has_the_calls_and_the_boxes_are_told(ran):
    simulation, summary, out, _ = ran
    with closing(sqlite3.connect(out / "paced/gateway-1/data/gateway.sqlite")) as database:
        stages = database.execute("SELECT DISTINCT stage, station FROM stage WHERE stage = 3").fetchall()
        told = database.execute("SELECT state FROM job JOIN job_box ON job = number WHERE kind = 'reply'").fetchall()
    assert stages == [(3, "Leitstelle (Simulation)")]
    assert ("confirmed",) in told
    assert not any("station could not" in text for _, text in simulation.events)
    # Not everybody looks at the page again in so short a time.
    shown = [call for call in simulation.calls if call.station_us is not None]
    assert len(shown) == summary["paced"]["calls_shown_with_station"]
    assert all(call.station_us > call.delivered_us + 60_000_000 for call in shown)


def test_the_gateway_was_killed_with_its_radio_and_came_back(ran):
    simulation, summary, out, _ = ran
    assert summary["paced"]["gateways"][0]["deaths"] == 1
    assert not any("could not" in text for _, text in simulation.events)
    for log in ("gateway-1", "radio-of-gateway-1"):
        assert (out / f"paced/logs/{log}.log").read_text().count("--- start") == 2
    assert summary["paced"]["gateways"][0]["stored"]["reading"] > 3


def test_the_real_command_switched_the_boxes_and_each_said_so(ran):
    simulation, _, out, _ = ran
    with closing(sqlite3.connect(out / "paced/gateway-1/data/gateway.sqlite")) as database:
        states = database.execute("SELECT state FROM job JOIN job_box ON job = number WHERE kind = 'mode'").fetchall()
        notices = database.execute("SELECT message FROM job WHERE kind = 'bulletin'").fetchall()
    assert states == [("confirmed",)] * len(simulation.boxes)
    assert [json.loads(message)["headline"] for (message,) in notices] == ["Trinkwasser"]


def test_the_reports_say_so_in_both_languages_and_nothing_keeps_running(ran):
    _, summary, out, said = ran
    assert json.loads((out / "summary.json").read_text())["paced"] == summary["paced"]
    assert "real gateway program" in (out / "report.html").read_text()
    assert "echten Gateway-Programm" in (out / "report.de.html").read_text()
    assert any(text.startswith("Gateway 1: http://127.0.0.1:") for text in said)
    assert not [one for one in psutil.Process().children(recursive=True) if "kiezbox" in " ".join(one.cmdline())]
    with pytest.raises(ValueError, match="not the same twice"):
        outcome.replay(out / "trace", out)


def test_boxes_whose_calls_no_gateway_stores_and_speeds_out_of_range_are_refused(tmp_path):
    stock = schema.parse(VALUES | {"boxes": {"kind": "stock", "count": 2}})
    with pytest.raises(ValueError, match="--kind vm or core"):
        PacedRun(stock, 1, tmp_path, Pace())
    many = schema.parse(VALUES | {"gateways": {"count": 9}})
    with pytest.raises(ValueError, match="at most 8 gateways"):
        PacedRun(many, 1, tmp_path, Pace())
    for speed in (0.0, -1.0, 1000.0, float("nan")):
        with pytest.raises(ValueError, match="at most 100"):
            Pace(speed)


def test_somebody_elses_files_stay(tmp_path):
    mine = tmp_path / "paced" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    with pytest.raises(FolderError, match="did not make"):
        outcome.run_paced(schema.parse(VALUES), 1, tmp_path, None, Pace(), None, print)
    assert mine.read_text() == "mine"


def test_a_broker_that_does_not_answer_is_named_at_once(tmp_path):
    core = schema.parse(VALUES | {"boxes": {"kind": "core", "count": 2}})
    with pytest.raises(CityError, match="No MQTT broker answers at"):
        outcome.run_paced(core, 1, tmp_path, None, Pace(1.0, "mqtt://127.0.0.1:9"), None, print)


def test_a_signal_ends_everything(tmp_path):
    core = schema.parse(VALUES | {"boxes": {"kind": "core", "count": 2}})
    started = threading.Event()

    def interrupt() -> None:
        started.wait(60)
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(StoppedError):
        outcome.run_paced(core, 1, tmp_path, None, Pace(), None, lambda _: started.set())
    thread.join()
    assert not [one for one in psutil.Process().children(recursive=True) if "kiezbox" in " ".join(one.cmdline())]
    assert list(Path(tmp_path / "paced" / "logs").glob("*.log"))
