# SPDX-License-Identifier: Apache-2.0
"""Placing: coverage grows, links have their margin, the weakest box is the one whose loss cuts others off."""

import pytest

from kiezbox_simulator.scenario import place, place_report, schema
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


CHAIN = SQUARE.replace(
    "[[0, 0], [2000, 0], [2000, 2000], [0, 2000]]", "[[-500, -500], [9500, -500], [9500, 500], [-500, 500]]"
).replace("x_m = 1000\ny_m = 1000\nheight_m = 30", "x_m = 0\ny_m = 0\nheight_m = 5")


def roofs(*places):
    return "".join(f'[[roofs]]\nname = "{name}"\nx_m = {x}\ny_m = {y}\nheight_m = 5\n' for name, x, y in places)


def test_the_middle_of_a_chain_is_what_the_network_cannot_lose(area):
    chain = roofs(("near", 2500, 0), ("middle", 5000, 0), ("end", 7500, 0))
    proposal = place.propose(area(CHAIN.replace("[gateway]", "margin_db = 3\n[gateway]") + chain), 3)
    assert {name: loss.cut_off for name, loss in proposal.losses.items()} == {"near": 2, "middle": 1, "end": 0}
    assert proposal.by_loss == ["near", "middle", "end"]
    assert proposal.with_spare_way == 1
    assert "can least afford to lose near: 2 other boxes" in place_report.verdict(proposal)
    assert "Am wenigsten entbehrlich ist near: Ohne sie verlieren 2" in place_report.verdict(proposal, "de")


def test_with_a_way_round_the_box_with_the_longest_detour_is_named(area):
    """Two ways from the end to the gateway; losing one of three on the short way makes it longer, and cuts nobody
    off."""
    text = CHAIN.replace("[gateway]", "margin_db = 3\n[gateway]")
    ring = roofs(("short", 2500, 0), ("end", 5000, 0), ("round 1", 1200, 2000), ("round 2", 3600, 2000))
    proposal = place.propose(area(text + ring), 4)
    assert all(loss.cut_off == 0 for loss in proposal.losses.values())
    assert proposal.weakest == "short"
    assert proposal.losses["short"].longer == 1
    assert "No single box cuts another off" in place_report.verdict(proposal)
    assert "without it the way of 1 others gets longer" in place_report.verdict(proposal)


def test_where_all_hear_the_gateway_the_loss_of_ground_decides(area):
    proposal = place.propose(area(), 3)
    assert all((loss.cut_off, loss.longer) == (0, 0) for loss in proposal.losses.values())
    worst = proposal.losses[proposal.weakest].uncovered
    assert worst == max(loss.uncovered for loss in proposal.losses.values()) > 0.05
    assert proposal.with_spare_way == 3
    assert "would then have none within 400 m" in place_report.verdict(proposal)


def test_margins_are_those_of_the_link_budget_by_hand(area):
    one = area()
    links = place.Links(one)
    first, second = (schema.Place(name=n, x_m=x, y_m=0, height_m=18) for n, x in (("a", 0), ("b", 1000)))
    # 22 + 2 + 2 dBm; UMa without line of sight at 1 km, 18 m: 13.54 + 39.08 * 3 - 1.21 - 0.6 * 16.5 = 119.66;
    # noise -174 + 54 + 6 + 3 = -111, limit of SF 9 -12.5 dB.
    assert links.margin_db(first, second) == pytest.approx(26 - 119.66 + 111.02 + 12.5, abs=0.1)
    assert links.margin_db(first, second) == links.margin_db(second, first)


def test_grid_cells_are_named_as_on_a_city_map(area):
    names = [one.name for one in place.candidates(area())]
    assert names[:11] == ["A1", "B1", "C1", "D1", "E1", "F1", "G1", "H1", "I1", "J1", "A2"]
    assert len(set(names)) == 100
    assert [place._letters(number) for number in (25, 26, 27, 51, 52)] == ["Z", "AA", "AB", "AZ", "BA"]


def test_progress_hears_of_every_box(area):
    heard = []
    place.propose(area(), 4, heard.append)
    assert heard == [1, 2, 3, 4]


def test_nothing_in_reach_is_said(area):
    far = SQUARE.replace("x_m = 1000", "x_m = 90000")
    with pytest.raises(ScenarioError, match="reaches the gateway"):
        place.propose(area(far), 3)


def test_errors_of_an_area_come_together(area):
    with pytest.raises(ScenarioError) as caught:
        area("outline = [[0, 0]]\ncolour = 1\n")
    assert all(word in str(caught.value) for word in ("outline", "colour", "gateway"))


@pytest.mark.parametrize(
    "change, said",
    [
        (("outline = [[0, 0]", "grid_m = 12\noutline = [[0, 0], [50000, -50000]"), "coarser grid_m"),
        (("outline = [[0, 0], [2000, 0], [2000, 2000], [0, 2000]]", "outline = [[0, 0], [1, 0], [1, 1]]"), "metres"),
        (("outline", 'preset = "LOUD"\noutline'), "no such preset: LOUD; there are"),
        (("height_m = 30", "height_m = 30\n[air]\nmodel = 'magic'"), "air.model"),
    ],
)
def test_an_area_that_makes_no_sense_is_said(area, change, said):
    with pytest.raises(ScenarioError, match=said):
        area(SQUARE.replace(*change, 1))


def test_a_file_that_is_no_area_names_the_documentation(tmp_path):
    with pytest.raises(ScenarioError, match=r"docs/simulator.md"):
        place.load_area(tmp_path / "missing.toml")


def test_the_proposal_is_a_scenario(area):
    import tomllib

    proposal = place.propose(area(), 4)
    values = tomllib.loads(place_report.as_toml(proposal))
    scenario = parse(values | {"title": "t", "start": "2026-01-01T00:00:00Z", "duration_h": 1})
    assert len(scenario.boxes.at) == 4
    for language in ("en", "de"):
        page = place_report.render(proposal, language, "other.html")
        assert "<script" not in page
        assert f'<html lang="{language}">' in page
        assert all(box.name in page for box in proposal.boxes)
