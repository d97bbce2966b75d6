# SPDX-License-Identifier: Apache-2.0
"""The commands as a person types them."""

import json
import socket

import pytest
import typer
from typer.testing import CliRunner

from kiezbox_simulator.scenario import command

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
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "report.de.html", "report.html", "summary.json", "trace",
    ]  # fmt: skip
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
    assert (tmp_path / "page.html").read_text().startswith('<!doctype html><html lang="en">')
    assert (tmp_path / "page.de.html").read_text().startswith('<!doctype html><html lang="de">')
    assert 'href="page.html"' in (tmp_path / "page.de.html").read_text()
    assert "january-2026" in sim("list").output


AREA = """
name = "Kiez"
outline = [[0, 0], [1500, 0], [1500, 1500], [0, 1500]]
[gateway]
name = "Rathaus"
x_m = 700
y_m = 700
"""


def test_place_writes_both_pages_and_names_the_weakest_box(sim, tmp_path):
    (tmp_path / "area.toml").write_text(AREA)
    result = sim("place", "--boxes", "4", "--area", "area.toml", "--out", "maps/kiez.html")
    assert result.exit_code == 0, result.output
    assert "can least afford to lose" in " ".join(result.output.split())
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == ["kiez.de.html", "kiez.html"]


def test_place_with_a_wrong_area_is_one_clear_error(sim, tmp_path):
    (tmp_path / "area.toml").write_text("colour = 1")
    result = sim("place", "--boxes", "4", "--area", "area.toml")
    assert result.exit_code == 2
    assert "outline" in result.output
    assert "Traceback" not in result.output


def test_compare_of_something_else_is_one_clear_error(sim):
    result = sim("compare", "nowhere", "nothing")
    assert result.exit_code == 2
    assert "is no run" in result.output


def test_a_wrong_kind_names_the_right_ones(sim):
    result = sim("run", "small.toml", "--kind", "magic")
    assert result.exit_code == 2
    assert "'vm', 'core' or 'stock'" in result.output


def test_watch_runs_to_its_end_and_leaves_the_report(sim, tmp_path):
    result = sim("watch", "small.toml", "--speed", "0", "--hours", "0.5", "--once")
    assert result.exit_code == 0, result.output
    assert "Look at http://127.0.0.1:" in result.output
    assert (tmp_path / "build/sim/watch-small/report.html").exists()


def test_watch_on_a_port_that_is_taken_says_so(sim):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = sim("watch", "small.toml", "--port", str(taken.getsockname()[1]))
    assert result.exit_code == 2
    assert "Choose another" in result.output


@pytest.mark.parametrize("name", ["run", "replay", "compare", "place", "watch", "list"])
def test_every_command_explains_itself(sim, name):
    result = sim(name, "--help")
    assert result.exit_code == 0
    assert len(result.output) > 200


def test_paced_and_speed_are_refused_where_they_mean_nothing(sim):
    for words, said in (
        (("run", "small.toml", "--paced", "--kind", "stock"), "--kind vm or core"),
        (("run", "small.toml", "--speed", "5"), "--speed goes with --paced"),
        (("run", "small.toml", "--paced", "--speed", "0"), "above 0 and at most 100"),
        (("watch", "small.toml", "--paced", "--speed", "600"), "above 0 and at most 100"),
        (("run", "small.toml", "--paced", "--city-mqtt", "http://city"), "takes mqtt://host:port"),
    ):
        result = sim(*words)
        assert result.exit_code == 2, result.output
        assert said in result.output


def test_a_scenario_runs_and_can_be_watched_at_the_clocks_pace(sim, tmp_path):
    result = sim("watch", "small.toml", "--paced", "--speed", "100", "--hours", "0.05", "--once", "--language", "de")
    assert result.exit_code == 0, result.output
    assert "At 100 times real time this takes 1.8 s" in result.output
    assert "Gateway 1: http://127.0.0.1:" in result.output
    assert "the city's subscriber 0 of them" in result.output
    summary = json.loads((tmp_path / "build/sim/watch-small/summary.json").read_text())
    assert summary["paced"]["speed"] == 100.0
    assert [gateway["name"] for gateway in summary["paced"]["gateways"]] == ["Gateway 1"]
    assert (tmp_path / "build/sim/watch-small/paced/gateway-1/gateway.toml").exists()
