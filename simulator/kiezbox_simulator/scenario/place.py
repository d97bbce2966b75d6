# SPDX-License-Identifier: Apache-2.0
"""Where should boxes stand? Proposes positions in an area and says how well they cover it, and which box the network
can least afford to lose.

Greedy cover (the usual approximation, Nemhauser, Wolsey, Fisher 1978: at least 63 % of the best): first a spanning
start at the gateway, then always the candidate that adds most residents' ground within walking distance while it
still reaches the network with margin. Links are mean path losses of `world/link.py`; shadowing of real roofs is not
known, so the margin stands for it. Not here: drawing (place_report.py).
"""

import math
import tomllib
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kiezbox.protocol.airtime import PRESETS
from kiezbox_simulator.scenario.schema import Place, ScenarioError
from kiezbox_simulator.world.link import Channel, Site, mean_received_dbm, noise_dbm
from kiezbox_simulator.world.reception import SNR_LIMIT_DB


class Area(BaseModel):
    """An area file: the outline of a district (metres), its gateway, and optionally the roofs that can be had."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = "Area"
    outline: tuple[tuple[float, float], ...] = Field(min_length=3)
    gateway: Place
    roofs: tuple[Place, ...] = ()
    grid_m: float = Field(default=200.0, gt=10)
    walk_m: float = Field(default=400.0, gt=10)
    box_height_m: float = Field(default=18.0, ge=1, le=150)
    preset: str = "MEDIUM_FAST"
    power_dbm: float = Field(default=22.0, ge=-9, le=27)
    antenna_dbi: float = 2.0
    margin_db: float = Field(default=12.0, ge=0)


@dataclass(frozen=True)
class Proposal:
    """`boxes` in the order of their worth. Shares 0 to 1 of the ground within walking distance, after each box.
    `lost_without`: by box name, how many others lose their way to the gateway when it fails."""

    area: Area
    boxes: tuple[Place, ...]
    coverage: tuple[float, ...]
    links: tuple[tuple[str, str, float], ...]
    lost_without: dict[str, int]

    @property
    def weakest(self) -> str | None:
        """The box whose loss cuts off most others, else covers most; None if no single loss cuts anybody off."""
        cut = {name: lost for name, lost in self.lost_without.items() if lost}
        return max(sorted(cut), key=lambda name: cut[name]) if cut else None


def load_area(path: Path) -> Area:
    """Read an area file. Raises ScenarioError with every error in it."""
    try:
        area = Area.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ScenarioError(f"{path}: {error}") from error
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise ScenarioError(f"{path} has {len(lines)} error(s):\n" + "\n".join(lines)) from error
    if area.preset not in PRESETS:
        raise ScenarioError(f"{path}: no such preset: {area.preset}")
    return area


def inside(outline: tuple[tuple[float, float], ...], x_m: float, y_m: float) -> bool:
    """Whether a point lies in a polygon (even-odd rule)."""
    within = False
    for (x1, y1), (x2, y2) in zip(outline, (*outline[1:], outline[0]), strict=True):
        if (y1 > y_m) != (y2 > y_m) and x_m < (x2 - x1) * (y_m - y1) / (y2 - y1) + x1:
            within = not within
    return within


def grid(area: Area, pitch_m: float) -> list[tuple[float, float]]:
    """Points of the area, `pitch_m` apart."""
    xs, ys = [x for x, _ in area.outline], [y for _, y in area.outline]
    return [
        (x, y)
        for row in range(math.ceil((max(ys) - min(ys)) / pitch_m))
        for column in range(math.ceil((max(xs) - min(xs)) / pitch_m))
        if inside(
            area.outline,
            x := min(xs) + (column + 0.5) * pitch_m,
            y := min(ys) + (row + 0.5) * pitch_m,
        )
    ]


def link_margin_db(area: Area, first: Place, second: Place) -> float:
    """By how much the mean signal lies above the demodulator's limit, in the weaker direction."""
    air = Channel(0, model="log_distance", shadowing_db=0.0, ambient_noise_db=3.0)
    preset = PRESETS[area.preset]
    sites = [Site(p.name, p.x_m, p.y_m, p.height_m, area.antenna_dbi) for p in (first, second)]
    limit_dbm = noise_dbm(air, preset.bandwidth_hz) + SNR_LIMIT_DB[preset.spreading_factor]
    return mean_received_dbm(air, area.power_dbm, sites[0], sites[1]) - limit_dbm


def propose(area: Area, count: int) -> Proposal:
    """Choose `count` positions. Raises ScenarioError when no candidate reaches the gateway."""
    candidates = list(area.roofs) or [
        Place(name=f"{number:03d}", x_m=round(x), y_m=round(y), height_m=area.box_height_m)
        for number, (x, y) in enumerate(grid(area, area.grid_m), 1)
    ]
    ground = grid(area, max(25.0, area.walk_m / 8))
    near = {
        place.name: {
            index for index, (x, y) in enumerate(ground) if math.hypot(place.x_m - x, place.y_m - y) <= area.walk_m
        }
        for place in candidates
    }
    chosen: list[Place] = []
    covered: set[int] = set()
    shares = []
    network = [area.gateway]
    left = candidates
    while left and len(chosen) < count:
        ways = {
            place.name: [one for one in network if link_margin_db(area, place, one) >= area.margin_db] for place in left
        }
        reachable = [place for place in left if ways[place.name]]
        if not reachable:
            break
        # Most new ground first; among equals the one with more ways to go, then by name.
        best = max(
            reachable, key=lambda place: (len(near[place.name] - covered), min(3, len(ways[place.name])), place.name)
        )
        chosen.append(best)
        network.append(best)
        covered |= near[best.name]
        shares.append(len(covered) / max(1, len(ground)))
        left = [place for place in left if place is not best]
    if not chosen:
        raise ScenarioError(f"no position in {area.name} reaches the gateway with {area.margin_db:g} dB to spare")
    links = [
        (first.name, second.name, round(margin, 1))
        for index, first in enumerate(network)
        for second in network[index + 1 :]
        if (margin := link_margin_db(area, first, second)) >= area.margin_db
    ]
    lost = {
        place.name: _cut_off(area.gateway.name, [one.name for one in chosen], links, place.name) for place in chosen
    }
    return Proposal(area, tuple(chosen), tuple(shares), tuple(links), lost)


def _cut_off(gateway: str, boxes: list[str], links: list[tuple[str, str, float]], gone: str) -> int:
    """How many boxes cannot reach the gateway without the box `gone`."""
    neighbours: dict[str, list[str]] = {}
    for first, second, _ in links:
        neighbours.setdefault(first, []).append(second)
        neighbours.setdefault(second, []).append(first)
    found, queue = {gateway, gone}, deque([gateway])
    while queue:
        for other in neighbours.get(queue.popleft(), ()):
            if other not in found:
                found.add(other)
                queue.append(other)
    return sum(name not in found for name in boxes)
