# SPDX-License-Identifier: Apache-2.0
"""What an operator orders over HTTP: stages and answers, erasing, modes, notices, settings and keys of boxes.

Input is checked by the same models as the city's commands. Every order is kept with the name of its token.
"""

import time
from dataclasses import asdict
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from kiezbox_gateway import roster
from kiezbox_gateway.city.command import Bulletin, Text, UnixTime
from kiezbox_gateway.downlink import ModeError
from kiezbox_gateway.gateway import Gateway
from kiezbox_gateway.secret_files import SecretFileError
from kiezbox_gateway.store import calls, erasure
from kiezbox_gateway.tokens import Role
from kiezbox_gateway.web.request import ApiError, Route, body, caller, note, pace_order

Node = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{8}$")]
WEEK_S = 7 * 86_400
Millivolt = Annotated[int, Field(ge=0, le=60_000)]


class ModeRequest(BaseModel):
    """POST /api/v1/mode"""

    model_config = ConfigDict(extra="forbid")
    mode: Literal["everyday", "emergency", "exercise", "maintenance"]
    scope: Literal["all", "district", "box"] = "all"
    box: Node | None = None
    lifetime_s: int = Field(default=86_400, ge=300, le=30 * 86_400)
    until_s: UnixTime | None = None


class StageRequest(BaseModel):
    """POST /api/v1/calls/CODE/stage"""

    model_config = ConfigDict(extra="forbid")
    stage: Literal[3, 4, 5]
    station: str | None = Field(default=None, min_length=1, max_length=60)
    text: Text | None = None


class HelpPoint(BaseModel):
    """A place of help near a box, as residents read it."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    address: Annotated[str, StringConstraints(max_length=64)] | None = None
    kind: Annotated[str, StringConstraints(max_length=64)] | None = None


class SettingsRequest(BaseModel):
    """POST /api/v1/boxes/BOX/settings: what is to be changed, and nothing else. Keys have a way of their own.

    The box judges the result as a whole (docs/box-configuration.md) and may refuse what passes here.
    """

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, StringConstraints(min_length=1, max_length=39)] | None = None
    short_name: Annotated[str, StringConstraints(min_length=1, max_length=4)] | None = None
    place: Annotated[str, StringConstraints(max_length=200)] | None = None
    district: Annotated[str, StringConstraints(max_length=64)] | None = None
    preset: (
        Literal["LONG_FAST", "LONG_MODERATE", "LONG_SLOW", "MEDIUM_FAST", "MEDIUM_SLOW", "SHORT_FAST", "SHORT_SLOW"]
        | None
    ) = None
    hop_limit: Annotated[int, Field(ge=1, le=7)] | None = None
    role: Literal["CLIENT", "CLIENT_MUTE", "ROUTER", "ROUTER_LATE"] | None = None
    mode: Literal["everyday", "emergency", "exercise", "maintenance"] | None = None
    reading_interval_s: Annotated[int, Field(ge=10, le=86_400)] | None = None
    samples_per_frame: Annotated[int, Field(ge=1, le=15)] | None = None
    health_interval_s: Annotated[int, Field(ge=60, le=WEEK_S)] | None = None
    nodeinfo_interval_s: Annotated[int, Field(ge=600, le=WEEK_S)] | None = None
    telemetry_interval_s: Annotated[int, Field(ge=0, le=WEEK_S)] | None = None
    reserve_pct: Annotated[int, Field(ge=10, le=80)] | None = None
    grid_lost_after_s: Annotated[int, Field(ge=10, le=86_400)] | None = None
    silent_after_s: Annotated[int, Field(ge=600, le=WEEK_S)] | None = None
    router_off_below_mv: Millivolt | None = None
    router_on_above_mv: Millivolt | None = None
    call_retention_days: Annotated[int, Field(ge=1, le=90)] | None = None
    help_points: Annotated[list[HelpPoint], Field(max_length=12)] | None = None
    lifetime_s: int = Field(default=86_400, ge=300, le=30 * 86_400)

    @model_validator(mode="after")
    def _something(self) -> "SettingsRequest":
        if not self.wanted():
            raise ValueError("names no setting")
        return self

    def wanted(self) -> dict[str, Any]:
        """The settings given."""
        return self.model_dump(exclude={"lifetime_s"}, exclude_none=True)


async def set_stage(gateway: Gateway, request: web.Request) -> web.Response:
    """Move a call to a stage; stage 5 carries the answer."""
    wanted = await body(request, StageRequest)
    call, job = await move(gateway, request, request.match_info["call"], wanted)
    return web.json_response({"id": call.id, "code": call.code, "stage": wanted.stage, "job": job}, status=202)


async def move(
    gateway: Gateway, request: web.Request, code_or_id: str, wanted: StageRequest
) -> tuple[calls.FoundCall, int | None]:
    """Move a call; returns it and the number of the job that tells its box. Raises ApiError."""
    pace_order(request)
    station = wanted.station or gateway.configuration.gateway.station
    try:
        call, job = await gateway.downlink.answer(code_or_id, wanted.stage, station, wanted.text, "board")
    except calls.NoSuchCallError as error:
        raise ApiError(404, error.sentence, **error.values) from None
    except calls.StageError as error:
        raise ApiError(409, error.sentence, **error.values) from None
    except ValueError as error:
        raise _unsendable(error) from None
    await note(gateway, request, "stage", f"{call.id} {wanted.stage}")
    return call, job


def _unsendable(error: ValueError) -> ApiError:
    if getattr(error, "reason", "") == "message_too_long":
        return ApiError(422, "the text is too long to be sent to a box; shorten it")
    return ApiError(422, str(error))


async def erase_call(gateway: Gateway, request: web.Request) -> web.Response:
    """Erase a call everywhere; ?unconfirmed=1 also when the city does not have it yet."""
    try:
        erased, not_reached = await gateway.erase(
            request.match_info["call"], unconfirmed_too=request.query.get("unconfirmed") == "1"
        )
    except calls.NoSuchCallError as error:
        raise ApiError(404, error.sentence, **error.values) from None
    except erasure.ErasureError as error:
        raise ApiError(409, error.sentence, **error.values) from None
    await note(gateway, request, "erase", " ".join(erased))
    return web.json_response({"erased": erased, "not_reached": not_reached})


async def set_mode(gateway: Gateway, request: web.Request) -> web.Response:
    """Broadcast a signed mode command."""
    wanted = await body(request, ModeRequest)
    pace_order(request)
    try:
        job, epoch = await gateway.downlink.send_mode(
            wanted.mode,
            origin="board",
            boxes=list(gateway.boxes),
            scope=wanted.scope,
            box=None if wanted.box is None else int(wanted.box, 16),
            lifetime_s=wanted.lifetime_s,
            until_s=wanted.until_s,
        )
    except ModeError as error:
        raise ApiError(422, error.sentence, **error.values) from None
    except ValueError as error:
        raise ApiError(422, str(error)) from None
    end = "" if wanted.until_s is None else f" until {wanted.until_s}"
    await note(gateway, request, "mode", f"{wanted.mode} epoch {epoch} scope {wanted.scope}{end}")
    return web.json_response({"job": job, "mode": wanted.mode, "epoch": epoch}, status=202)


async def set_bulletin(gateway: Gateway, request: web.Request) -> web.Response:
    """Broadcast a signed notice; the same id in another language is its translation."""
    bulletin = await body(request, Bulletin)
    pace_order(request)
    now_s = int(time.time())
    try:
        job = await gateway.downlink.send_bulletin(
            bulletin.to_message(now_s),
            origin="board",
            expires_ms=(now_s + bulletin.lifetime_s) * 1000,
            command_id=bulletin.command_id("board"),
        )
    except ValueError as error:
        raise _unsendable(error) from None
    await note(gateway, request, "bulletin", f"{bulletin.id} {bulletin.language}")
    return web.json_response({"job": job}, status=202)


async def set_settings(gateway: Gateway, request: web.Request) -> web.Response:
    """Send settings to one box; it says in its job what became of them."""
    wanted = await body(request, SettingsRequest)
    node_num = _box(gateway, request)
    pace_order(request)
    try:
        job = await gateway.downlink.send_settings(
            node_num, wanted.wanted(), origin="board", lifetime_s=wanted.lifetime_s
        )
    except ValueError as error:
        raise _unsendable(error) from None
    await note(gateway, request, "settings", f"{node_num:08x} {' '.join(wanted.wanted())}")
    return web.json_response({"job": job}, status=202)


def _box(gateway: Gateway, request: web.Request) -> int:
    given = request.match_info["box"]
    try:
        node_num = int(given, 16) if len(given) == 8 and given.isascii() and given.isalnum() else 0
    except ValueError:
        node_num = 0
    if node_num not in gateway.boxes:
        raise ApiError(404, "no box of this district has this number")
    return node_num


async def reload_boxes(gateway: Gateway, request: web.Request) -> web.Response:
    """Take up a changed list of boxes and new keys, without a restart."""
    try:
        changes = await roster.reload(gateway)
    except SecretFileError as error:
        raise ApiError(409, error.sentence, **error.values) from None
    named = {key: [f"{node_num:08x}" for node_num in value] for key, value in asdict(changes).items()}
    await note(gateway, request, "boxes", f"{len(changes.added)} added {len(changes.removed)} removed")
    return web.json_response(named)


async def whoami(gateway: Gateway, request: web.Request) -> web.Response:
    """Name and role of the token."""
    found = caller(request)
    return web.json_response({"name": found.name, "role": found.role.name.lower()})


ROUTES = (
    Route("GET", "/api/v1/token", Role.OBSERVER, whoami),
    Route("POST", "/api/v1/calls/{call}/stage", Role.OPERATOR, set_stage),
    Route("DELETE", "/api/v1/calls/{call}", Role.OPERATOR, erase_call),
    Route("POST", "/api/v1/mode", Role.OPERATOR, set_mode),
    Route("POST", "/api/v1/bulletins", Role.OPERATOR, set_bulletin),
    Route("POST", "/api/v1/boxes/{box}/settings", Role.OPERATOR, set_settings),
    Route("POST", "/api/v1/boxes/reload", Role.OPERATOR, reload_boxes),
)
