# SPDX-License-Identifier: Apache-2.0
from kiezbox.protocol.neighbours import SIZE, Neighbours


def test_the_latest_of_each_is_kept():
    neighbours = Neighbours()
    neighbours.heard(1, -90, 5, 100)
    neighbours.heard(1, -80, 7, 200)
    assert neighbours.nodes == {1: (-80, 7, 200)}


def test_the_one_not_heard_for_longest_makes_room():
    neighbours = Neighbours()
    for number in range(SIZE):
        neighbours.heard(number, -90, 5, 100 + number)
    neighbours.heard(0, -90, 5, 1_000)
    neighbours.heard(99, -90, 5, 1_001)
    assert len(neighbours.nodes) == SIZE
    assert 1 not in neighbours.nodes
    assert 0 in neighbours.nodes
    assert 99 in neighbours.nodes
