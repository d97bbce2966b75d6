# SPDX-License-Identifier: Apache-2.0
"""Scenario files: what ships is right, what is wrong is named, everything at once."""

import pytest

from kiezbox_simulator.scenario import schema

LEAST = {"title": "t", "start": "2026-01-03T06:00:00+01:00", "duration_h": 6, "boxes": {"count": 3}}


@pytest.mark.parametrize("name", schema.shipped())
def test_shipped_scenarios_are_valid_and_explain_themselves(name):
    scenario = schema.load(schema.find(name))
    assert scenario.title
    assert len(scenario.description) > 40


def test_the_five_scenarios_ship():
    assert schema.shipped() == ["everyday-schoeneberg", "growth", "hostile", "january-2026", "koepenick-2019"]
    sizes = {name: schema.load(schema.find(name)) for name in schema.shipped()}
    assert (sizes["everyday-schoeneberg"].boxes.count, sizes["everyday-schoeneberg"].duration_h) == (20, 168)
    assert (sizes["koepenick-2019"].boxes.count, sizes["january-2026"].boxes.count) == (60, 100)
    assert sizes["january-2026"].duration_h == 120


def test_all_errors_are_reported_together_and_unknown_keys_are_errors():
    wrong = LEAST | {
        "duration_h": -1,
        "colour": "blue",
        "radio": {"preset": "WARP", "hop_limit": 9},
        "boxes": {"kind": "x"},
    }
    with pytest.raises(schema.ScenarioError) as caught:
        schema.parse(wrong, "here.toml")
    message = str(caught.value)
    for part in ("here.toml", "duration_h", "colour", "radio", "boxes.kind"):
        assert part in message


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"start": "2026-01-03T06:00:00"}, "time zone"),
        ({"mode": [{"at_h": 7, "mode": "emergency"}]}, "after the end"),
        ({"radio": {"preset": "WARP"}}, "WARP"),
        ({"boxes": {"count": 2, "at": [{"name": "a", "x_m": 0, "y_m": 0}]}}, "either count or at"),
        ({"boxes": {"at": [{"name": "a", "x_m": 0, "y_m": 0}] * 2}}, "used twice"),
    ],
)
def test_contradictions_are_explained(change, what):
    with pytest.raises(schema.ScenarioError, match=what):
        schema.parse(LEAST | change)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"duration_hours": 3}, "duration_hours: there is no such key; did you mean duration_h?"),
        ({"boxes": {"count": 2, "hight_m": 3}}, "boxes.hight_m: there is no such key; did you mean height_m?"),
        ({"energy": {"panel_w": 3}}, "energy.panel_w: there is no such key; did you mean panel_wp?"),
        ({"fault": [{"at_h": 1, "kind": "sensor", "until_h": 2}]}, "fault.1.until_h: there is no such key"),
        ({"limits": {"x": 2}}, "limits.x: there is no such key; there are duty_pct, delivery_grace_h"),
    ],
)
def test_an_unknown_key_gets_a_sentence_that_helps(change, sentence):
    with pytest.raises(schema.ScenarioError) as caught:
        schema.parse(LEAST | change)
    assert sentence in str(caught.value)


def test_a_town_of_another_size_is_as_dense():
    town = schema.load(schema.find("growth"))
    for count in (10, 1000):
        other = schema.resized(town, count)
        assert other.boxes.count == count
        density = count / (other.map.width_m * other.map.height_m)
        assert density == pytest.approx(town.boxes.count / (town.map.width_m * town.map.height_m))
    assert schema.resized(town, 1000).gateways.count == 30
    with pytest.raises(schema.ScenarioError, match="place of each box"):
        schema.resized(schema.parse(LEAST | {"boxes": {"at": [{"name": "a", "x_m": 0, "y_m": 0}]}}), 5)


def test_a_missing_scenario_names_those_there_are():
    with pytest.raises(schema.ScenarioError, match="january-2026"):
        schema.find("nowhere")


def test_a_broken_file_is_one_error(tmp_path):
    (tmp_path / "x.toml").write_text("title = ")
    with pytest.raises(schema.ScenarioError, match=r"x\.toml"):
        schema.load(tmp_path / "x.toml")


def test_changes_are_merged_into_tables():
    scenario = schema.load(schema.find("growth"), boxes={"count": 7}, duration_h=1.0)
    assert (scenario.boxes.count, scenario.boxes.kind, scenario.duration_h) == (7, "core", 1.0)
