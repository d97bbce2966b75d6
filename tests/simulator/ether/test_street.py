# SPDX-License-Identifier: Apache-2.0
"""The description of a channel: read back as written, every mistake named in one sentence."""

from pathlib import Path
from typing import Any

import pytest

from kiezbox_simulator.ether.street import Link, Place, Street, StreetError, parse, read

GOOD = Street("MEDIUM_FAST", (Place(1, "a"), Place(0x6B780002, "b")), (Link("a", "b", -97.5),), 0, 7)


def test_reads_what_it_wrote(tmp_path: Path) -> None:
    path = tmp_path / "street.json"
    path.write_text(GOOD.to_json())
    assert read(path) == GOOD


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([], "described by an object"),
        ({"stations": []}, "no station"),
        ({"stations": [{"node_num": "1", "name": "a"}], "colour": 1}, "unknown key colour"),
        ({"stations": [{"node_num": 1, "name": "a"}]}, "has a node_num"),
        ({"stations": [{"node_num": "1", "name": "a"}, {"node_num": "1", "name": "b"}]}, "share the number"),
        ({"stations": [{"node_num": "1", "name": "a"}], "links": [["a", "b", -90]]}, "joins two stations"),
        ({"stations": [{"node_num": "1", "name": "a"}], "links": [["a"]]}, "a link is"),
        ({"stations": [{"node_num": "1", "name": "a"}], "port": 70000}, "at most 65535"),
    ],
)
def test_names_the_mistake(values: Any, said: str) -> None:
    with pytest.raises(StreetError, match=said):
        parse(values)


def test_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(StreetError, match=r"nowhere\.json cannot be read"):
        read(tmp_path / "nowhere.json")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(StreetError, match=r"broken\.json"):
        read(tmp_path / "broken.json")
