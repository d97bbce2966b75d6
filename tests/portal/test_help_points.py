# SPDX-License-Identifier: Apache-2.0
"""Help points: every district's file is whole, a box's own list comes first, a wrong file harms nothing."""

from pathlib import Path

import pytest

from kiezbox.portal import help_points
from kiezbox.portal.testing import MemoryBox
from tests.portal.box_process import BoxProcess

FILES = sorted((Path(help_points.__file__).parent / "points").glob("*.txt"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_names_its_source_and_every_line_is_a_place(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert "read 20" in "".join(line for line in lines if line.startswith("#"))
    places = [line.split("\t") for line in lines if not line.startswith("#")]
    assert places
    for kind, name, address, area in places:
        assert kind in help_points.KINDS
        assert name and "Berlin" in address
        assert max(map(len, (name, address, area))) < 80
    box = MemoryBox()
    box.district = path.stem
    assert len(list(help_points.near(box))) == len(places)


def test_a_boxs_own_list_comes_first() -> None:
    box = MemoryBox()
    box.district = "neukoelln"
    box.points = [{"name": "Nachbarschaftshaus", "address": "hier"}]
    names = [one["name"] for one in help_points.near(box)]
    assert names[:2] == ["Nachbarschaftshaus", "Rathaus Neukölln"]


@pytest.mark.parametrize("district", ["", "nowhere", "../texts/de", "a\0b"])
def test_a_district_without_a_file_has_none(district: str) -> None:
    box = MemoryBox()
    box.district = district
    assert list(help_points.near(box)) == []


def test_on_the_page(box: BoxProcess) -> None:
    assert "Gehen Sie zur nächsten Feuerwache" in box.get("/de/help").body
    box.tell("district treptow-koepenick")
    page = box.get("/de/help").body
    assert "Notfalltreffpunkt (früher Kat-Leuchtturm)" in page
    assert "Hans-Schmidt-Straße" in page
    assert "Ob ein Ort gerade geöffnet ist, weiß diese Box nicht." in page
    assert "sign: Notfalltreffpunkt" in box.get("/en/help").body
