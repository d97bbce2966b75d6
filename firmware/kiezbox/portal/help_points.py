# SPDX-License-Identifier: Apache-2.0
"""Where to go for help: a box's own list, then the file of its district.

1. A district's file is points/DISTRICT.txt, named as in the configuration. One help point a line, four fields with a
   tab between them: kind, name as on the sign, address, area it is for (may be empty). A line with # says where the
   data are from and from when.
2. The order of the file is the order of the page. Whoever runs a district checks its file before the boxes go up; it is
   no promise that anybody is there, and the page says so.

Called by page.py.
"""

from kiezbox.portal.language import FOLDER

KINDS = ("meeting_point", "information_point", "fire_station", "police", "town_hall")
"""Berlin's names for the first two are Notfalltreffpunkt (formerly Kat-Leuchtturm) and Notfallinformationspunkt."""


def near(box):  # noqa: ANN001, ANN201 - a generator
    """Dicts with name, address, and kind and area if known. Wrong lines are left out."""
    for one in box.help_points():
        yield one
    district = getattr(box, "district", "")
    if not district or "/" in district:
        return
    try:
        file = open(FOLDER + "points/" + district + ".txt", "rb")
    except (OSError, ValueError):
        return  # No file for this district.
    try:
        for line in file:
            fields = str(line, "utf-8").rstrip("\n").split("\t")
            if len(fields) == 4 and fields[0] in KINDS:
                yield {"kind": fields[0], "name": fields[1], "address": fields[2], "area": fields[3]}
    finally:
        file.close()
