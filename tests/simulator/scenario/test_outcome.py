# SPDX-License-Identifier: Apache-2.0
"""From a scenario to files and back."""

import json

import pytest

from kiezbox_simulator.scenario import outcome


def test_a_shortened_run_leaves_out_what_comes_later(small):
    scenario = outcome.shortened(small(fault=[{"at_h": 2, "kind": "power_cut"}]), 1.0)
    assert (scenario.duration_h, scenario.fault) == (1.0, ())
    assert outcome.shortened(small(), None).duration_h == outcome.shortened(small(), 99.0).duration_h == 3


def test_a_run_leaves_both_reports_summary_and_trace_and_can_be_replayed(small, tmp_path):
    seen = []
    summary = outcome.run(small(duration_h=0.5), 4, tmp_path / "out", None, lambda _: seen.append(1))
    assert len(seen) > 100
    for name, language, other in (("report.html", "en", "report.de.html"), ("report.de.html", "de", "report.html")):
        page = (tmp_path / "out" / name).read_text(encoding="utf-8")
        assert f'<html lang="{language}">' in page
        assert f'href="{other}"' in page
    assert json.loads((tmp_path / "out/summary.json").read_text())["trace_sha256"] == summary["trace_sha256"]
    again = []
    difference, count = outcome.replay(tmp_path / "out/trace", tmp_path / "again", lambda _: again.append(1))
    assert (difference, count) == (None, summary["trace_events"])
    assert again == seen


def test_a_run_of_boxes_with_their_firmware_is_replayed_event_for_event(small, tmp_path):
    scenario = small(
        duration_h=0.4,
        boxes={"kind": "vm", "count": 2},
        people={"calls_per_box_day": 400, "from_h": 0.1, "until_h": 0.3},
        fault=[{"at_h": 0.2, "kind": "power_cut", "target": "1", "duration_h": 0.02, "torn": True}],
    )
    summary = outcome.run(scenario, 5, tmp_path / "out")
    trace = tmp_path / "out/trace"
    assert summary["calls"]["accepted"] > 0
    assert outcome.replay(trace, tmp_path / "again") == (None, summary["trace_events"])
    lines = trace.read_text().splitlines(keepends=True)
    changed = next(number for number, line in enumerate(lines) if " accepted " in line)
    lines[changed] = lines[changed].replace(" accepted ", " refused ")
    trace.write_text("".join(lines))
    difference, _ = outcome.replay(trace, tmp_path / "again")
    assert difference is not None
    number, recorded, now = difference
    assert number == changed
    assert recorded == now.replace(" accepted ", " refused ")


def test_a_trace_of_a_scenario_that_is_none_is_one_error(tmp_path):
    (tmp_path / "trace").write_text('{"scenario": {"title": "x", "start": "2026-01-03T06:00:00+01:00"}, "seed": 1}\n')
    with pytest.raises(ValueError, match="duration_h"):
        outcome.replay(tmp_path / "trace", tmp_path / "again")
