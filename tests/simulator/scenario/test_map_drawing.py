# SPDX-License-Identifier: Apache-2.0
"""The map: hops, the way of each box, everything inside the frame, names that cannot break the page."""

import re

from kiezbox_simulator.scenario import map_drawing
from kiezbox_simulator.world.link import Site

USES = {(1, 0): 50, (2, 1): 9, (2, 3): 30, (3, 0): 5, (0, 1): 40, (4, 9): 3}


def sites(count=5):
    return {n: (Site(f"<n{n}>", 300.0 * n, 100.0 * n * n), "gateway" if n == 0 else "core") for n in range(count)}


def test_hops_are_the_fewest_over_links_in_their_direction():
    assert map_drawing.hops_to([0], USES) == {0: 0, 1: 1, 3: 1, 2: 2}
    assert map_drawing.hops_to([1], [(0, 1)]) == {1: 0, 0: 1}


def test_a_link_counts_from_so_many_frames_on():
    assert map_drawing.used_links(USES, 30) == [(1, 0), (2, 3), (0, 1)]


def test_the_way_of_a_box_is_the_nearer_neighbour_that_carried_most():
    hops = map_drawing.hops_to([0], USES)
    assert map_drawing.ways(hops, USES) == {1: 0, 2: 3, 3: 0}


def test_everything_stands_inside_and_is_marked():
    hops = map_drawing.hops_to([0], USES)
    drawn = map_drawing.draw("map", sites(), USES, hops, {2: "two & more"}, [2], [(0, 0), (1500, 0), (0, 1700)], 200.0)
    width, height = map(float, re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawn).groups())
    for x, y in re.findall(r'cx="([-\d.]+)" cy="([-\d.]+)"', drawn):
        assert 0 <= float(x) <= width
        assert 0 <= float(y) <= height
    assert drawn.count('class="way"') == 3
    assert drawn.count('class="ring"') == 1
    assert drawn.count('class="walk"') == 4
    assert drawn.count('class="nohop"') == 1
    assert "&lt;n2&gt;: two &amp; more" in drawn
    assert "<n2>" not in drawn


def test_one_place_alone_is_a_map_too():
    assert "<rect" in map_drawing.draw("map", sites(1), {}, {0: 0}, {})


def test_many_places_have_no_names_and_few_have():
    few = map_drawing.draw("map", sites(5), {}, {}, {})
    many = map_drawing.draw("map", sites(60), {}, {}, {})
    assert few.count('class="name"') == 5
    assert many.count('class="name"') == 0
