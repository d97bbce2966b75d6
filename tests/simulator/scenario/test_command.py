# SPDX-License-Identifier: Apache-2.0
"""The commands as a person types them."""

import json
import urllib.request

import pytest
import typer
from typer.testing import CliRunner

from kiezbox_simulator.scenario import command, outcome
from kiezbox_simulator.scenario.watch import LiveView

SMALL = """
title = "small"
start = 2026-01-03T06:00:00+01:00
duration_h = 3
mode = [{at_h = 0, mode = "emergency"}]
[map]
width_m = 1500
height_m = 1500
[boxes]
kind = "core"
count = 4
[people]
calls_per_box_day = 30
until_h = 2
"""


@pytest.fixture
def sim(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(SMALL)
    app = typer.Typer()
    command.register(app)

    def call(*words):
        return CliRunner().invoke(app, [*words])

    return call


def test_run_writes_its_three_files_and_replay_proves_them(sim, tmp_path):
    result = sim("run", "small.toml", "--seed", "3", "--out", "out")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.html", "summary.json", "trace"]
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert {"seed", "simulated_s", "wall_s", "trace_sha256", "calls", "referee"} <= set(summary)
    assert (summary["seed"], summary["simulated_s"]) == (3, 10_800)
    again = sim("replay", "out/trace")
    assert again.exit_code == 0, again.output
    assert "Equal: all" in again.output


def test_replay_names_the_first_event_that_differs(sim, tmp_path):
    sim("run", "small.toml", "--out", "out")
    trace = tmp_path / "out/trace"
    lines = trace.read_text().splitlines(keepends=True)
    lines[20] = lines[20].replace(" ", "  ", 1)
    trace.write_text("".join(lines))
    result = sim("replay", "out/trace")
    assert result.exit_code == 1
    assert "Event 20 differs" in result.output


def test_replay_of_something_else_is_one_clear_error(sim, tmp_path):
    (tmp_path / "x").write_text("hello\n")
    result = sim("replay", "x")
    assert result.exit_code == 2
    assert "not a trace" in result.output


def test_a_wrong_scenario_is_one_clear_error(sim):
    result = sim("run", "nowhere")
    assert result.exit_code == 2
    assert "no such scenario" in result.output


def test_compare_and_list(sim, tmp_path):
    sim("run", "small.toml", "--out", "ours")
    sim("run", "small.toml", "--kind", "stock", "--out", "stock")
    result = sim("compare", "ours", "stock", "--out", "page.html")
    assert result.exit_code == 0, result.output
    assert "of them delivered" in result.output
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert "january-2026" in sim("list").output


def test_a_shortened_run_leaves_out_what_comes_later(small):
    scenario = outcome.shortened(small(fault=[{"at_h": 2, "kind": "power_cut"}]), 1.0)
    assert (scenario.duration_h, scenario.fault) == (1.0, ())


def test_the_live_view_serves_the_run_as_it_stands(small, ran):
    view = LiveView()
    try:
        assert "Starting" in urllib.request.urlopen(view.url).read().decode()  # noqa: S310  Loopback.
        simulation = ran()
        view.draw(simulation, running=True)
        page = urllib.request.urlopen(view.url).read().decode()  # noqa: S310
        assert "running" in page
        assert 'http-equiv="refresh"' in page
        view.draw(simulation, running=False)
        assert "refresh" not in urllib.request.urlopen(view.url).read().decode()  # noqa: S310
    finally:
        view.close()
