# SPDX-License-Identifier: Apache-2.0
"""Placing: coverage grows, links have their margin, the weakest box is the one whose loss cuts others off."""

import pytest

from kiezbox_simulator.scenario import place, place_report
from kiezbox_simulator.scenario.schema import ScenarioError, parse

SQUARE = """
outline = [[0, 0], [2000, 0], [2000, 2000], [0, 2000]]
[gateway]
name = "gateway"
x_m = 1000
y_m = 1000
height_m = 30
"""


@pytest.fixture
def area(tmp_path):
    def make(text=SQUARE):
        path = tmp_path / "area.toml"
        path.write_text(text)
        return place.load_area(path)

    return make


def test_each_box_adds_coverage_and_keeps_its_margin(area):
    proposal = place.propose(area(), 8)
    assert len(proposal.boxes) == 8
    assert list(proposal.coverage) == sorted(proposal.coverage)
    assert proposal.coverage[-1] > 0.7
    assert all(margin >= 12 for _, _, margin in proposal.links)
    assert all(place.inside(proposal.area.outline, box.x_m, box.y_m) for box in proposal.boxes)
    assert place.propose(area(), 8) == proposal


def test_the_middle_of_a_chain_is_what_the_network_cannot_lose(area):
    roofs = "".join(
        f'[[roofs]]\nname = "{name}"\nx_m = {x}\ny_m = 0\nheight_m = 5\n'
        for name, x in (("near", 6000), ("middle", 12_000), ("end", 18_000))
    )
    text = SQUARE.replace(
        "[[0, 0], [2000, 0], [2000, 2000], [0, 2000]]", "[[-500, -500], [18500, -500], [18500, 500], [-500, 500]]"
    )
    text = text.replace("x_m = 1000\ny_m = 1000\nheight_m = 30", "x_m = 0\ny_m = 0\nheight_m = 5").replace(
        "[gateway]", "margin_db = 6\n[gateway]"
    )
    proposal = place.propose(area(text + roofs), 3)
    assert proposal.lost_without == {"near": 2, "middle": 1, "end": 0}
    assert proposal.weakest == "near"
    assert "can least afford to lose near: 2 other boxes" in place_report.verdict(proposal)


def test_nothing_in_reach_is_said(area):
    far = SQUARE.replace("x_m = 1000", "x_m = 90000")
    with pytest.raises(ScenarioError, match="reaches the gateway"):
        place.propose(area(far), 3)


def test_errors_of_an_area_come_together(area):
    with pytest.raises(ScenarioError) as caught:
        area("outline = [[0, 0]]\ncolour = 1\n")
    assert all(word in str(caught.value) for word in ("outline", "colour", "gateway"))


def test_the_proposal_is_a_scenario(area):
    import tomllib

    proposal = place.propose(area(), 4)
    values = tomllib.loads(place_report.as_toml(proposal))
    scenario = parse(values | {"title": "t", "start": "2026-01-01T00:00:00Z", "duration_h": 1})
    assert len(scenario.boxes.at) == 4
    page = place_report.render(proposal)
    assert "<script" not in page
    assert all(box.name in page for box in proposal.boxes)
