# SPDX-License-Identifier: Apache-2.0
"""The scenario file: one TOML file that a planner can read and change. Unknown keys are errors, and all errors come
together.

Times within a scenario are hours after its start. Every key has a default except those a scenario cannot do without;
docs/simulator.md explains each one. Not here: turning a scenario into nodes (town.py).
"""

import math
import tomllib
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kiezbox.protocol.airtime import PRESETS

SCENARIO_DIR = Path(__file__).resolve().parent.parent / "scenarios"

Hours = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class ScenarioError(ValueError):
    """A scenario that cannot be run; the message lists everything that is wrong with it, one line each."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Radio(_Part):
    """What all boxes and gateways share."""

    preset: str = "MEDIUM_FAST"
    hop_limit: Annotated[int, Field(ge=1, le=7)] = 5
    power_dbm: Annotated[float, Field(ge=-9, le=27)] = 22.0

    @model_validator(mode="after")
    def _preset_exists(self) -> "Radio":
        if self.preset not in PRESETS:
            raise ValueError(f"no such preset: {self.preset}; there are {', '.join(sorted(PRESETS))}")
        return self


class Air(_Part):
    """Propagation; see world/link.py."""

    model: Literal["uma", "log_distance", "suburban_macro"] = "uma"
    exponent: Annotated[float, Field(ge=2, le=6)] = 3.5
    shadowing_db: Annotated[float, Field(ge=0, le=15)] = 6.0
    fading_db: Annotated[float, Field(ge=0, le=10)] = 2.0
    city_noise_db: Annotated[float, Field(ge=0, le=30)] = 3.0


class Place(_Part):
    """One named position, metres east and north of the map's south-west corner."""

    name: Annotated[str, Field(min_length=1, max_length=32)]
    x_m: float
    y_m: float
    height_m: Annotated[float, Field(ge=1, le=150)] = 18.0


class Boxes(_Part):
    """Where boxes stand and what they are. Either `at`, or `count` of them over the map."""

    kind: Literal["vm", "core", "stock"] = "vm"
    count: Annotated[int, Field(ge=0, le=2000)] = 0
    placement: Literal["grid", "random"] = "grid"
    height_m: Annotated[float, Field(ge=1, le=150)] = 18.0
    antenna_dbi: Annotated[float, Field(ge=-5, le=12)] = 2.0
    at: tuple[Place, ...] = ()

    @model_validator(mode="after")
    def _some(self) -> "Boxes":
        if bool(self.count) == bool(self.at):
            raise ValueError("give either count or at")
        return self


class Gateways(_Part):
    """Gateways stand where `at` says, else as `count` of them spread over the map."""

    count: Annotated[int, Field(ge=1, le=50)] = 1
    height_m: Annotated[float, Field(ge=1, le=150)] = 30.0
    antenna_dbi: Annotated[float, Field(ge=-5, le=12)] = 5.0
    at: tuple[Place, ...] = ()


class Map(_Part):
    """The area, in metres."""

    name: str = "Schematische Karte"
    width_m: Annotated[float, Field(gt=0, le=100_000)] = 3000.0
    height_m: Annotated[float, Field(gt=0, le=100_000)] = 3000.0


class Readings(_Part):
    """How often boxes measure and how many samples share a frame."""

    interval_s: Annotated[int, Field(ge=10, le=86_400)] = 300
    samples_per_frame: Annotated[int, Field(ge=1, le=24)] = 6
    health_interval_s: Annotated[int, Field(ge=60, le=604_800)] = 21_600
    nodeinfo_interval_s: Annotated[int, Field(ge=600, le=604_800)] = 21_600


class Energy(_Part):
    """Panel and battery of every box; without this table boxes have mains. `router_w`: what a router beside each box
    draws from its battery while the box lets it, 0 for no router."""

    panel_wp: Annotated[float, Field(ge=0, le=500)] = 20.0
    panel_tilt_deg: Annotated[float, Field(ge=0, le=90)] = 60.0
    battery_wh: Annotated[float, Field(gt=0, le=5000)] = 230.0
    chemistry: Literal["lifepo4", "li_ion"] = "lifepo4"
    cells: Annotated[int, Field(ge=1, le=8)] = 4
    initial_charge: Share = 0.9
    charge_spread: Share = 0.1
    router_w: Annotated[float, Field(ge=0, le=50)] = 0.0
    step_s: Annotated[int, Field(ge=10, le=3600)] = 300


class People(_Part):
    """Who comes to the boxes' pages."""

    calls_per_box_day: Annotated[float, Field(ge=0, le=1000)] = 0.0
    from_h: Hours = 0.0
    until_h: Hours | None = None
    blackout: bool = True
    prank_share: Share = 0.03
    impatient_share: Share = 0.25
    lookers_per_box_day: Annotated[float, Field(ge=0, le=5000)] = 0.0


class Strangers(_Part):
    """Other people's Meshtastic devices in the same band, not on our channel."""

    count: Annotated[int, Field(ge=0, le=500)] = 0
    preset: str = "LONG_FAST"
    period_s: Annotated[float, Field(ge=1)] = 900.0
    payload_length: Annotated[int, Field(ge=1, le=220)] = 60
    height_m: Annotated[float, Field(ge=1, le=150)] = 5.0


class ModeChange(_Part):
    """The district switches all boxes."""

    at_h: Hours
    mode: Literal["everyday", "emergency", "exercise", "maintenance"]


class Bulletin(_Part):
    """An official notice."""

    at_h: Hours
    headline: str
    text: str
    language: str = "de"


class Fault(_Part):
    """Something breaks. `target` is a box or gateway by name or number ("3"), or "random"; `count` of them.

    power_cut      a box loses power for duration_h; torn: in the middle of one of its next flash writes
    box_death      a box is gone for good, with what is on it
    gateway_death  a gateway is off for duration_h
    uplink_outage  gateways are cut off from the city
    radio_reset    a box's radio forgets what it was doing
    clock_jump     a box's battery-backed clock is off by jump_s from now on
    sensor         a box's sensors give nothing for duration_h
    full_flash     something has filled a box's flash to the last free block, for duration_h
    broken_flash   a box's flash refuses every write for duration_h; what is on it can be read
    memory_exhaustion  something takes a box's memory, all but a few KiB, for duration_h or until it restarts
    jamming        noise of power_dbm from target's place for duration_h
    """

    at_h: Hours
    kind: Literal[
        "power_cut", "box_death", "gateway_death", "uplink_outage", "radio_reset", "clock_jump", "sensor",
        "full_flash", "broken_flash", "memory_exhaustion", "jamming",
    ]  # fmt: skip
    target: str = "random"
    count: Annotated[int, Field(ge=1)] = 1
    duration_h: Hours = 1.0
    torn: bool = False
    jump_s: int = 0
    power_dbm: Annotated[float, Field(ge=-30, le=40)] = 14.0
    spread_h: Hours = 0.0


class Attack(_Part):
    """Somebody with a radio and, except for jamming and noise, the channel's key.

    replay   sends frames again that it heard, unchanged, hours later
    forge    makes calls and commands in other nodes' names, without their keys
    bit_flip sends frames again with changed bits
    flood    as many frames as it can
    phone_flood  one phone that fills a box's page with calls
    stolen_box   takes the box away and makes calls in its name, with its own key, and in others' names with that key;
                 after revoked_after_h the district no longer trusts the box
    """

    at_h: Hours
    kind: Literal["replay", "forge", "bit_flip", "flood", "phone_flood", "stolen_box"]
    near: str = "random"
    revoked_after_h: Hours = 0.5
    duration_h: Hours = 1.0
    period_s: Annotated[float, Field(ge=0.1)] = 10.0


class Limits(_Part):
    """What the referee holds the run to."""

    duty_pct: Annotated[float, Field(gt=0, le=100)] = 10.0
    delivery_grace_h: Hours = 1.0


class Scenario(_Part):
    """A whole scenario. German pages show `title_de` and `description_de`, where they are given."""

    title: Annotated[str, Field(min_length=1)]
    description: str = ""
    title_de: str = ""
    description_de: str = ""
    start: datetime
    duration_h: Annotated[float, Field(gt=0, le=24 * 370)]
    map: Map = Map()
    radio: Radio = Radio()
    air: Air = Air()
    boxes: Boxes
    gateways: Gateways = Gateways()
    readings: Readings = Readings()
    energy: Energy | None = None
    people: People = People()
    strangers: Strangers = Strangers()
    mode: tuple[ModeChange, ...] = ()
    bulletin: tuple[Bulletin, ...] = ()
    fault: tuple[Fault, ...] = ()
    attack: tuple[Attack, ...] = ()
    limits: Limits = Limits()
    temperature_offset_c: Annotated[float, Field(ge=-30, le=30)] = 0.0
    time_beacon_h: Annotated[float, Field(gt=0)] = 12.0

    @model_validator(mode="after")
    def _in_time(self) -> "Scenario":
        if self.start.tzinfo is None:
            raise ValueError("start needs a time zone, for example 2026-01-03T06:00:00+01:00")
        late = [f"{kind} at {part.at_h} h" for kind in ("mode", "bulletin", "fault", "attack")
                for part in getattr(self, kind) if part.at_h > self.duration_h]  # fmt: skip
        if late:
            raise ValueError(f"after the end of the scenario ({self.duration_h} h): {', '.join(late)}")
        names = [place.name for place in (*self.boxes.at, *self.gateways.at)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"names used twice: {', '.join(twice)}")
        return self

    @property
    def start_unix_s(self) -> int:
        """Start in seconds since 1970."""
        return int(self.start.timestamp())


def shipped() -> list[str]:
    """Names of the scenarios that come with the simulator."""
    return sorted(path.stem for path in SCENARIO_DIR.glob("*.toml"))


def find(name: str) -> Path:
    """A shipped scenario by name, else a file. Raises ScenarioError."""
    inside = SCENARIO_DIR / f"{name}.toml"
    if inside.is_file():
        return inside
    if Path(name).is_file():
        return Path(name)
    raise ScenarioError(f"no such scenario: {name}; there are {', '.join(shipped())}, or give a TOML file")


def parse(values: dict[str, Any], origin: str = "scenario") -> Scenario:
    """Check everything. Raises ScenarioError with one line for each error."""
    try:
        return Scenario.model_validate(values)
    except ValidationError as error:
        lines = [_sentence(item["loc"], item["type"], item["msg"]) for item in error.errors()]
        raise ScenarioError(
            f"{origin} has {len(lines)} error(s):\n" + "\n".join(f"  {line}" for line in lines)
        ) from error


def _sentence(place: tuple[int | str, ...], kind: str, message: str) -> str:
    """One error as a planner can read it."""
    where = ".".join(str(part + 1 if isinstance(part, int) else part) for part in place) or "scenario"
    if kind != "extra_forbidden":
        return f"{where}: {message}"
    known = _keys(place[:-1])
    near = get_close_matches(str(place[-1]), known, n=1)
    advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    return f"{where}: there is no such key; {advice}"


def _keys(place: tuple[int | str, ...]) -> list[str]:
    """The keys of the table at this place."""
    table: Any = Scenario
    for part in place:
        if isinstance(part, str):
            annotation = table.model_fields[part].annotation
            candidates = [annotation, *get_args(annotation)]
            table = next(one for one in candidates if isinstance(one, type) and issubclass(one, BaseModel))
    return list(table.model_fields)


def resized(scenario: Scenario, boxes: int) -> Scenario:
    """The same town with so many boxes: as dense as before, and with as many gateways for a box. Raises ScenarioError
    if its boxes have places of their own."""
    if scenario.boxes.at or scenario.gateways.at:
        raise ScenarioError("this scenario names the place of each box or gateway: change them in its file")
    values = scenario.model_dump()
    factor = boxes / scenario.boxes.count
    values["boxes"] |= {"count": boxes, "at": ()}
    values["gateways"] |= {"count": max(1, round(scenario.gateways.count * factor)), "at": ()}
    for side in ("width_m", "height_m"):
        values["map"][side] *= math.sqrt(factor)
    return parse(values)


def load(path: Path, **changes: Any) -> Scenario:
    """Read a file; `changes` replace top-level keys (a dict value is merged into its table). Raises ScenarioError."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ScenarioError(f"{path}: {error}") from error
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            values[key] = {**values[key], **value}
        else:
            values[key] = value
    return parse(values, str(path))
