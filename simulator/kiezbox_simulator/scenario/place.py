# SPDX-License-Identifier: Apache-2.0
"""Where should boxes stand? Proposes positions in an area and says how well they cover it, and which single box the
network can least afford to lose.

Greedy cover (the usual approximation, Nemhauser, Wolsey, Fisher 1978: at least 63 % of the best): always the candidate
that adds most ground within walking distance while it still reaches the network with margin; among equals the one with
more ways to go. Links are median path losses without line of sight (`world/link.py`); shadowing of real roofs is not
known, so the margin stands for it. Not here: drawing (place_report.py).
"""

import math
import tomllib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kiezbox.protocol.airtime import PRESETS
from kiezbox_simulator.scenario.schema import Air, Place, ScenarioError
from kiezbox_simulator.world.link import Channel, Site, median_loss_db, noise_dbm
from kiezbox_simulator.world.reception import SNR_LIMIT_DB

CANDIDATES_MAX = 20_000
"""Positions that are looked at; a finer grid on a larger area is an error, not an hour of waiting."""


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
    air: Air = Air()

    @model_validator(mode="after")
    def _makes_sense(self) -> "Area":
        if self.preset not in PRESETS:
            raise ValueError(f"no such preset: {self.preset}; there are {', '.join(sorted(PRESETS))}")
        names = [place.name for place in (self.gateway, *self.roofs)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"names used twice: {', '.join(twice)}")
        if surface_m2(self.outline) < self.grid_m**2 and not self.roofs:
            raise ValueError("the outline encloses less than one grid cell; are its points metres and in order?")
        if surface_m2(self.outline) / self.grid_m**2 > CANDIDATES_MAX and not self.roofs:
            raise ValueError(f"more than {CANDIDATES_MAX} positions; give a coarser grid_m, or roofs")
        return self


@dataclass(frozen=True)
class Loss:
    """What the failure of one box costs: boxes that lose their way to the gateway, boxes whose way gets longer, and the
    share (0 to 1) of the ground that no other box covers."""

    cut_off: int
    longer: int
    uncovered: float


@dataclass(frozen=True)
class Proposal:
    """`boxes` in the order of their worth. Shares 0 to 1 of the ground within walking distance, after each box. `links`
    are (name, name, margin in dB); `losses` says by box what its failure costs."""

    area: Area
    boxes: tuple[Place, ...]
    coverage: tuple[float, ...]
    links: tuple[tuple[str, str, float], ...]
    losses: dict[str, Loss]

    @property
    def by_loss(self) -> list[str]:
        """Names of the boxes, the one whose failure costs most first."""
        return sorted(
            self.losses,
            key=lambda name: (
                -self.losses[name].cut_off, -self.losses[name].longer, -self.losses[name].uncovered, name
            ),
        )  # fmt: skip

    @property
    def weakest(self) -> str:
        """The box that the network can least afford to lose."""
        return self.by_loss[0]

    @property
    def with_spare_way(self) -> int:
        """How many boxes keep a way to the gateway whichever single other box fails."""
        return sum(name not in _cut_by_any(self) for name in self.losses)


def _cut_by_any(proposal: Proposal) -> set[str]:
    boxes = [box.name for box in proposal.boxes]
    gateway = proposal.area.gateway.name
    cut: set[str] = set()
    for gone in boxes:
        if proposal.losses[gone].cut_off:
            reached = hops_from(gateway, proposal.links, gone)
            cut.update(name for name in boxes if name not in reached and name != gone)
    return cut


def load_area(path: Path) -> Area:
    """Read an area file. Raises ScenarioError with every error in it."""
    try:
        return Area.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ScenarioError(f"{path}: {error}. What an area file holds: docs/simulator.md") from error
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, item['loc'])) or 'area'}: {item['msg']}" for item in error.errors()]
        raise ScenarioError(f"{path} has {len(lines)} error(s):\n" + "\n".join(lines)) from error


def surface_m2(outline: tuple[tuple[float, float], ...]) -> float:
    """What a polygon encloses (shoelace formula)."""
    pairs = zip(outline, (*outline[1:], outline[0]), strict=True)
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs)) / 2.0


def inside(outline: tuple[tuple[float, float], ...], x_m: float, y_m: float) -> bool:
    """Whether a point lies in a polygon (even-odd rule)."""
    within = False
    for (x1, y1), (x2, y2) in zip(outline, (*outline[1:], outline[0]), strict=True):
        if (y1 > y_m) != (y2 > y_m) and x_m < (x2 - x1) * (y_m - y1) / (y2 - y1) + x1:
            within = not within
    return within


def grid(area: Area, pitch_m: float) -> list[tuple[int, int, float, float]]:
    """Points of the area, `pitch_m` apart: (column, row, east, north)."""
    xs, ys = [x for x, _ in area.outline], [y for _, y in area.outline]
    return [
        (column, row, x, y)
        for row in range(math.ceil((max(ys) - min(ys)) / pitch_m))
        for column in range(math.ceil((max(xs) - min(xs)) / pitch_m))
        if inside(
            area.outline,
            x := min(xs) + (column + 0.5) * pitch_m,
            y := min(ys) + (row + 0.5) * pitch_m,
        )
    ]


def candidates(area: Area) -> list[Place]:
    """The roofs, or else a grid whose cells are named as on a city map: letters to the east, numbers to the north."""
    if area.roofs:
        return list(area.roofs)
    return [
        Place(name=f"{_letters(column)}{row + 1}", x_m=round(x), y_m=round(y), height_m=area.box_height_m)
        for column, row, x, y in grid(area, area.grid_m)
    ]


def _letters(number: int) -> str:
    return ("" if number < 26 else _letters(number // 26 - 1)) + chr(ord("A") + number % 26)


class Links:
    """Margins between places of an area, in dB over the demodulator's limit, on the median path without line of
    sight."""

    def __init__(self, area: Area) -> None:
        air = area.air
        self._area = area
        self._channel = Channel(0, model=air.model, exponent=air.exponent, ambient_noise_db=air.city_noise_db)
        preset = PRESETS[area.preset]
        self._limit_dbm = noise_dbm(self._channel, preset.bandwidth_hz) + SNR_LIMIT_DB[preset.spreading_factor]

    def margin_db(self, first: Place, second: Place) -> float:
        """The same in both directions."""
        area = self._area
        one, other = (Site(p.name, p.x_m, p.y_m, p.height_m, area.antenna_dbi) for p in (first, second))
        received_dbm = area.power_dbm + 2 * area.antenna_dbi - median_loss_db(self._channel, one, other)
        return received_dbm - self._limit_dbm


def propose(area: Area, count: int, progress: Callable[[int], None] | None = None) -> Proposal:
    """Choose `count` positions; `progress(chosen)` hears of each. Raises ScenarioError when no candidate reaches the
    gateway."""
    links = Links(area)
    left = {place.name: place for place in candidates(area)}
    ground = grid(area, max(25.0, area.walk_m / 8))
    near = {
        place.name: frozenset(
            index
            for index, (_, _, x, y) in enumerate(ground)
            if math.hypot(place.x_m - x, place.y_m - y) <= area.walk_m
        )
        for place in left.values()
    }
    network = [area.gateway]
    ways: dict[str, list[tuple[str, float]]] = {name: [] for name in left}
    covered: set[int] = set()
    shares = []
    while left and len(network) <= count:
        newest = network[-1]
        for name, place in left.items():
            margin_db = links.margin_db(place, newest)
            if margin_db >= area.margin_db:
                ways[name].append((newest.name, margin_db))
        reachable = [name for name in left if ways[name]]
        if not reachable:
            break
        # Most new ground first; among equals more ways to go, then the better link, then the name.
        best = min(
            reachable,
            key=lambda name: (
                -len(near[name] - covered), -min(3, len(ways[name])), -max(margin for _, margin in ways[name]), name
            ),
        )  # fmt: skip
        network.append(left.pop(best))
        covered |= near[best]
        shares.append(len(covered) / max(1, len(ground)))
        if progress is not None:
            progress(len(network) - 1)
    chosen = network[1:]
    if not chosen:
        raise ScenarioError(
            f"no position in {area.name} reaches the gateway {area.gateway.name} with {area.margin_db:g} dB to spare: "
            "raise the gateway, move it nearer, or lower margin_db"
        )
    found = tuple((other, place.name, round(margin, 1)) for place in chosen for other, margin in ways[place.name])
    names = [place.name for place in chosen]
    return Proposal(
        area, tuple(chosen), tuple(shares), found, _losses(area.gateway.name, names, found, near, len(ground))
    )


def hops_from(gateway: str, links: tuple[tuple[str, str, float], ...], gone: str = "") -> dict[str, int]:
    """Hops to the gateway of every place that reaches it, without the place `gone`."""
    neighbours: dict[str, list[str]] = {}
    for first, second, _ in links:
        neighbours.setdefault(first, []).append(second)
        neighbours.setdefault(second, []).append(first)
    found, queue = {gateway: 0}, deque([gateway])
    while queue:
        here = queue.popleft()
        for other in neighbours.get(here, ()):
            if other not in found and other != gone:
                found[other] = found[here] + 1
                queue.append(other)
    return found


def _losses(
    gateway: str,
    names: list[str],
    links: tuple[tuple[str, str, float], ...],
    near: dict[str, frozenset[int]],
    ground: int,
) -> dict[str, Loss]:
    whole = hops_from(gateway, links)
    times: dict[int, int] = {}
    for name in names:
        for index in near[name]:
            times[index] = times.get(index, 0) + 1
    found = {}
    for gone in names:
        reached = hops_from(gateway, links, gone)
        others = [name for name in names if name != gone]
        alone = sum(times[index] == 1 for index in near[gone])
        found[gone] = Loss(
            sum(name not in reached for name in others),
            sum(reached.get(name, 0) > whole[name] for name in others),
            alone / max(1, ground),
        )
    return found
