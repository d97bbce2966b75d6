# SPDX-License-Identifier: Apache-2.0
"""Comparing two runs: the same figures, which is better where that can be said, and a warning where it cannot."""

import json

import pytest

from kiezbox_simulator.scenario import compare
from kiezbox_simulator.scenario.summary import summarise


@pytest.fixture
def pair(ran):
    return [summarise(ran(boxes={"kind": kind, "count": 5})) for kind in ("core", "stock")]


def test_comparing_says_which_is_better(pair):
    rows = {label: (one, other, which) for label, one, other, which in compare.rows(*pair)}
    assert rows["residents who could see that it arrived"][2] == "A"
    assert rows["airtime for each delivered reading"][2] == "A"
    assert rows["calls for help accepted"][2] == ""
    turned = {label: which for label, _, _, which in compare.rows(*reversed(pair))}
    assert turned["airtime for each delivered reading"] == "B"


def test_the_page_in_both_languages(pair):
    assert not compare.unlike(*pair)
    for language, word in (("en", "of them delivered"), ("de", "davon zugestellt")):
        page = compare.render(*pair, language, "other.html")
        assert "<script" not in page
        assert "class=win" in page
        assert word in page
        assert 'class="bad"' not in page


def test_runs_that_differ_in_more_than_one_thing_are_called_so(pair):
    other = {**pair[1], "seed": 2}
    assert compare.unlike(pair[0], other)
    assert "compare with care" in compare.render(pair[0], other)


@pytest.mark.parametrize("first, second, sense, which", [
    (1, 2, 1, "B"), (1, 2, -1, "A"), (1, 1, 1, ""), (None, 1, 1, ""), (1, 2, 0, ""),
])  # fmt: skip
def test_better(first, second, sense, which):
    assert compare.better(first, second, sense) == which


@pytest.mark.parametrize("text", ["[]", "{", '{"calls": {}}', "\xff"])
def test_comparing_something_else_is_an_error(tmp_path, text):
    (tmp_path / "summary.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match="is no run"):
        compare.read(tmp_path)


def test_a_folder_and_its_file_are_the_same_run(tmp_path, pair):
    (tmp_path / "summary.json").write_text(json.dumps(pair[0]))
    assert compare.read(tmp_path) == compare.read(tmp_path / "summary.json")
