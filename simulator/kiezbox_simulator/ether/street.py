# SPDX-License-Identifier: Apache-2.0
"""What stands on the channel and who hears whom: the JSON file an ether process is started with.

    {"port": 0, "preset": "MEDIUM_FAST", "seed": 1,
     "stations": [{"node_num": "6b780001", "name": "box 1"}, ...],
     "links": [["box 1", "box 2", -95.0], ...]}

A link holds in both directions and gives the mean power in dBm at the receiver; stations without one do not hear each
other. Written by the demo and by tests, read by `__main__.py`. Every mistake is a StreetError with one sentence.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class StreetError(ValueError):
    """The description of the channel cannot be used."""


@dataclass(frozen=True)
class Place:
    """One radio: its node number and the name people know it by."""

    node_num: int
    name: str


@dataclass(frozen=True)
class Link:
    """Two places by name, and the mean power in dBm that each receives from the other."""

    first: str
    second: str
    power_dbm: float


@dataclass(frozen=True)
class Street:
    """The whole channel. `port` 0 takes a free one."""

    preset: str
    places: tuple[Place, ...]
    links: tuple[Link, ...]
    port: int = 0
    seed: int = 1

    def to_json(self) -> str:
        """The file's text."""
        return json.dumps(
            {
                "port": self.port,
                "preset": self.preset,
                "seed": self.seed,
                "stations": [{"node_num": f"{place.node_num:08x}", "name": place.name} for place in self.places],
                "links": [[link.first, link.second, link.power_dbm] for link in self.links],
            },
            indent=1,
        )


def read(path: Path) -> Street:
    """Read and check a file. Raises StreetError."""
    try:
        return parse(json.loads(path.read_text()))
    except OSError as error:
        raise StreetError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise StreetError(f"{path}: {error}") from None


def parse(values: Any) -> Street:
    """Check what the file holds. Raises StreetError."""
    if not isinstance(values, dict):
        raise StreetError("the channel is described by an object")
    unknown = set(values) - {"port", "preset", "seed", "stations", "links"}
    if unknown:
        raise StreetError(f"unknown key {', '.join(sorted(unknown))}")
    places, seed, port = _places(values), values.get("seed", 1), values.get("port", 0)
    names = {place.name for place in places}
    links = []
    for value in values.get("links", []):
        try:
            first, second, power_dbm = value
            link = Link(first, second, float(power_dbm))
        except (TypeError, ValueError):
            raise StreetError(f"a link is [name, name, dBm], not {value!r}") from None
        if first == second or {first, second} - names:
            raise StreetError(f"a link joins two stations of the list, not {first!r} and {second!r}")
        links.append(link)
    if not isinstance(seed, int) or not isinstance(port, int) or not 0 <= port <= 65535:
        raise StreetError("seed and port are whole numbers, the port at most 65535")
    return Street(str(values.get("preset")), places, tuple(links), port, seed)


def _places(values: dict[str, Any]) -> tuple[Place, ...]:
    places: list[Place] = []
    for value in values.get("stations", []):
        try:
            place = Place(int(value["node_num"], 16), str(value["name"]))
        except (TypeError, KeyError, ValueError):
            raise StreetError(f"a station has a node_num (hexadecimal text) and a name, not {value!r}") from None
        if any(place.node_num == other.node_num or place.name == other.name for other in places):
            raise StreetError(f"two stations share the number or the name of {place.name!r}")
        places.append(place)
    if not places:
        raise StreetError("there is no station")
    return tuple(places)
