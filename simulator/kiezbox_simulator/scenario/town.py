# SPDX-License-Identifier: Apache-2.0
"""From a scenario to places: where boxes, gateways and strangers stand, their node numbers, names and keys.
Deterministic by seed."""

import hashlib
import math
from dataclasses import dataclass

from kiezbox_simulator.scenario.schema import Place, Scenario
from kiezbox_simulator.world import chance
from kiezbox_simulator.world.link import Site

PLACES = (
    "Rathaus", "Feuerwache", "Bibliothek", "Grundschule", "Apotheke", "Marktplatz", "Kirche", "Bahnhof", "Stadtbad",
    "Polizeiwache", "Kita", "Seniorenheim", "Sporthalle", "Bürgeramt", "Poststelle", "Park", "Krankenhaus",
    "Gymnasium", "Nachbarschaftshaus", "Wasserwerk",
)  # fmt: skip
"""Kinds of places where a box would hang; numbered when there are more boxes than kinds."""


@dataclass(frozen=True)
class Inhabitant:
    """One radio of the town."""

    node_num: int
    site: Site
    kind: str
    root_key: bytes


def secret(seed: int, *parts: object) -> bytes:
    """32 bytes for this run; secret from nobody who knows the seed."""
    return hashlib.blake2b(repr((seed, parts)).encode(), digest_size=32).digest()


def inhabitants(scenario: Scenario, seed: int) -> list[Inhabitant]:
    """Boxes first, then gateways, then strangers."""
    boxes = scenario.boxes.at or _spread(scenario, seed)
    found = [
        Inhabitant(
            0x0B00_0000 + number + 1,
            _site(place, scenario.boxes.antenna_dbi),
            scenario.boxes.kind,
            secret(seed, "root", place.name),
        )
        for number, place in enumerate(boxes)
    ]
    gateways = scenario.gateways.at or _gateway_places(scenario)
    found += [
        Inhabitant(0x0C00_0000 + number + 1, _site(place, scenario.gateways.antenna_dbi), "gateway", b"")
        for number, place in enumerate(gateways)
    ]
    for number in range(scenario.strangers.count):
        key = f"stranger-{number + 1}"
        x_m = scenario.map.width_m * chance.uniform(seed, key, "x")
        y_m = scenario.map.height_m * chance.uniform(seed, key, "y")
        found.append(
            Inhabitant(0x0D00_0000 + number + 1, Site(key, x_m, y_m, scenario.strangers.height_m, 0.0), "stranger", b"")
        )
    return found


def _site(place: Place, antenna_dbi: float) -> Site:
    return Site(place.name, place.x_m, place.y_m, place.height_m, antenna_dbi)


def _name(number: int) -> str:
    kind = PLACES[number % len(PLACES)]
    again = number // len(PLACES)
    return kind if again == 0 else f"{kind} {again + 1}"


def _spread(scenario: Scenario, seed: int) -> list[Place]:
    count, area = scenario.boxes.count, scenario.map
    places = []
    columns = max(1, round(math.sqrt(count * area.width_m / area.height_m)))
    rows = math.ceil(count / columns)
    for number in range(count):
        key = f"box {number}"
        if scenario.boxes.placement == "random":
            x_m = area.width_m * chance.uniform(seed, key, "x")
            y_m = area.height_m * chance.uniform(seed, key, "y")
        else:
            # Roofs are where they are: a grid, shaken by a quarter of its pitch.
            column, row = number % columns, number // columns
            x_m = area.width_m * (column + 0.5 + 0.5 * (chance.uniform(seed, key, "x") - 0.5)) / columns
            y_m = area.height_m * (row + 0.5 + 0.5 * (chance.uniform(seed, key, "y") - 0.5)) / rows
        places.append(Place(name=_name(number), x_m=round(x_m, 1), y_m=round(y_m, 1), height_m=scenario.boxes.height_m))
    return places


def _gateway_places(scenario: Scenario) -> list[Place]:
    count, area = scenario.gateways.count, scenario.map
    columns = max(1, round(math.sqrt(count * area.width_m / area.height_m)))
    rows = math.ceil(count / columns)
    return [
        Place(
            name=f"Gateway {number + 1}",
            x_m=round(area.width_m * (number % columns + 0.5) / columns, 1),
            y_m=round(area.height_m * (number // columns + 0.5) / rows, 1),
            height_m=scenario.gateways.height_m,
        )
        for number in range(count)
    ]
