# SPDX-License-Identifier: Apache-2.0
"""The HTTP API under /api/v1, listed in docs/gateway.md: boxes, messages, calls, jobs; stages, modes, bulletins.

Input is checked by the same models as the city's commands. Times are ISO 8601 in UTC. Nothing here decides anything.
"""

import json
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kiezbox_gateway.city.command import Bulletin, Text
from kiezbox_gateway.city.message import instant
from kiezbox_gateway.store import calls, erasure, jobs
from kiezbox_gateway.store.rows import PERSONAL_KINDS, OutboxClass

if TYPE_CHECKING:
    from kiezbox_gateway.gateway import Gateway

LIMIT_MAX = 1_000
MODE_NAMES = {1: "everyday", 2: "emergency", 3: "exercise", 4: "maintenance"}
Model = TypeVar("Model", bound=BaseModel)


class ApiError(Exception):
    """A request that cannot be served: status and one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class ModeRequest(BaseModel):
    """POST /api/v1/mode"""

    model_config = ConfigDict(extra="forbid")
    mode: Literal["everyday", "emergency", "exercise", "maintenance"]
    scope: Literal["all", "district", "box"] = "all"
    box: str | None = Field(default=None, pattern=r"^[0-9a-fA-F]{8}$")
    lifetime_s: int = Field(default=86_400, ge=300, le=30 * 86_400)


class StageRequest(BaseModel):
    """POST /api/v1/calls/CODE/stage"""

    model_config = ConfigDict(extra="forbid")
    stage: Literal[3, 4, 5]
    station: str | None = Field(default=None, min_length=1, max_length=60)
    text: Text | None = None


async def _body(request: web.Request, model: type[Model]) -> Model:
    if not request.content_type.endswith("json"):
        raise ApiError(415, "send JSON with Content-Type application/json")
    try:
        values = json.loads(await request.read())
        return model.model_validate(values)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in error.errors()]
        raise ApiError(422, "; ".join(problems)) from None
    except (ValueError, RecursionError):
        raise ApiError(400, "the body is not JSON") from None


def _limit(request: web.Request) -> int:
    text = request.query.get("limit", "100")
    if not text.isdecimal() or not 1 <= len(text) <= 6 or not 1 <= int(text) <= LIMIT_MAX:
        raise ApiError(400, f"limit is a number from 1 to {LIMIT_MAX}")
    return int(text)


def _moment(unix_ms: int | None) -> str | None:
    return None if unix_ms is None else instant(unix_ms)


async def status(gateway: "Gateway", request: web.Request) -> web.Response:
    """What runs and what does not."""
    return web.json_response(await summary(gateway))


async def summary(gateway: "Gateway") -> dict[str, Any]:
    """The content of /api/v1/status, also behind the status page and `kiezbox gateway status`."""
    link, city, custody = gateway.link.status, gateway.city.status, gateway.custody.status
    waiting = await gateway.waiting_counts()
    return {
        "gateway": gateway.configuration.gateway.name,
        "district": gateway.configuration.gateway.district,
        "station": gateway.configuration.gateway.station,
        "uptime_s": int(time.time() - gateway.started_s),
        "boxes": len(gateway.boxes),
        "faults": gateway.faults,
        "radio": {
            "state": link.state,
            "node": None if link.node_num is None else f"{link.node_num:08x}",
            "firmware_version": link.firmware_version,
            "does_not_fit": list(link.differences),
            "contended": link.contended,
            "connections": link.connections,
            "queue_length": len(gateway.link.queue),
            "last_error": link.last_error,
        },
        "city": {
            "connected": city.connected,
            "since": instant(int(city.since_s * 1000)),
            "confirmed": city.confirmed,
            "last_confirmed": None if city.confirmed_s is None else instant(int(city.confirmed_s * 1000)),
            "refused": city.refused,
            "set_aside": city.set_aside,
            "commands_failed": city.commands_failed,
            "last_error": city.last_error,
        },
        "uplink": None
        if gateway.uplink is None
        else {
            "connected": gateway.uplink.status.connected,
            "received": gateway.uplink.status.received,
            "last_error": gateway.uplink.status.last_error,
        },
        "custody": {
            "stored": custody.stored,
            "duplicates": custody.duplicates,
            "rejected": custody.rejected,
            "shed": custody.shed,
            "alarm": custody.alarm,
        },
        "waiting": {each.name.lower(): waiting.get(each, 0) for each in OutboxClass},
        "disk": {"free_bytes": gateway.disk.free_bytes, "low": gateway.disk.low, "reserve": gateway.disk.has_reserve},
    }


async def boxes(gateway: "Gateway", request: web.Request) -> web.Response:
    """All boxes of the district, heard or not."""
    return web.json_response({"boxes": await box_list(gateway)})


async def box_list(gateway: "Gateway") -> list[dict[str, Any]]:
    """Boxes with what was last heard of them."""
    rows = await gateway.store.rows(
        "SELECT node_num, highest_counter, heard_ms, received, duplicates, rssi_dbm, snr_cdb, hops, health, health_ms,"
        " mode, mode_epoch FROM box"
    )
    known = {row[0]: row for row in rows}
    found = []
    for node_num, box in sorted(gateway.boxes.items()):
        row = known.get(node_num) or (node_num, 0, None, 0, 0, None, None, None, None, None, None, None)
        found.append(
            {
                "box": f"{node_num:08x}",
                "name": box.name,
                "latitude": box.latitude,
                "longitude": box.longitude,
                "heard_at": _moment(row[2]),
                "received": row[3],
                "duplicates": row[4],
                "highest_counter": row[1],
                "rssi_dbm": row[5],
                "snr_db": None if row[6] is None else row[6] / 100,
                "hops": row[7],
                "mode": MODE_NAMES.get(row[10] or 0),
                "mode_epoch": row[11],
                "health_at": _moment(row[9]),
                "health": None if row[8] is None else json.loads(row[8]),
            }
        )
    return found


async def messages(gateway: "Gateway", request: web.Request) -> web.Response:
    """Newest messages; ?kind= ?box= ?limit= ?before=SEQUENCE. What residents wrote is only in /calls."""
    conditions = ["1"]
    parameters: list[str | int] = []
    if "kind" in request.query:
        conditions.append("kind = ?")
        parameters.append(request.query["kind"])
    if "box" in request.query:
        try:
            parameters.append(int(request.query["box"], 16))
        except ValueError:
            raise ApiError(400, "box is a node number in hexadecimal") from None
        conditions.append("node_num = ?")
    if "before" in request.query:
        if not request.query["before"].isdecimal() or len(request.query["before"]) > 18:
            raise ApiError(400, "before is a sequence number")
        conditions.append("sequence < ?")
        parameters.append(int(request.query["before"]))
    rows = await gateway.store.rows(
        "SELECT sequence, id, kind, node_num, counter, verified, received_ms, measured_s, confirmed_ms, body"  # noqa: S608
        f" FROM message WHERE {' AND '.join(conditions)} ORDER BY sequence DESC LIMIT ?",
        [*parameters, _limit(request)],
    )
    found = [
        {
            "sequence": row[0],
            "id": row[1],
            "kind": row[2],
            "box": f"{row[3]:08x}",
            "box_name": gateway.names.get(row[3]),
            "counter": row[4],
            "verified": bool(row[5]),
            "received_at": instant(row[6]),
            "measured_at": None if row[7] is None else instant(row[7] * 1000),
            "confirmed_at": _moment(row[8]),
            "body": None if row[2] in PERSONAL_KINDS else json.loads(row[9]),
        }
        for row in rows
    ]
    return web.json_response({"messages": found})


def _call(gateway: "Gateway", call: calls.FoundCall) -> dict[str, Any]:
    return {
        "id": call.id,
        "code": call.code,
        "kind": call.kind,
        "box": f"{call.node_num:08x}",
        "box_name": gateway.names.get(call.node_num),
        "verified": call.verified,
        "received_at": instant(call.received_ms),
        "measured_at": None if call.measured_s is None else instant(call.measured_s * 1000),
        "confirmed_at": _moment(call.confirmed_ms),
        "action": call.action,
        "refers_to": call.refers_to,
        "stage": call.stage,
        "body": call.body,
    }


async def call_list(gateway: "Gateway", request: web.Request) -> web.Response:
    """Newest calls with what residents wrote; ?open=1 for those not answered yet."""
    query = calls.list_query(open_only=request.query.get("open") == "1")
    rows = await gateway.store.rows(query, (_limit(request),))
    return web.json_response({"calls": [_call(gateway, calls.row_to_call(tuple(row))) for row in rows]})


async def one_call(gateway: "Gateway", request: web.Request) -> web.Response:
    """One call by code or id, with its stages."""
    wanted = request.match_info["call"]
    try:
        found, stages = await gateway.store.submit(
            lambda connection: (
                (call := calls.find(connection, wanted)),
                calls.stages(connection, call.sequence),
            )
        )
    except calls.NoSuchCallError as error:
        raise ApiError(404, str(error)) from None
    shown = [
        {"stage": each["stage"], "station": each["station"], "at": instant(each["time_ms"]), "text": each["text"]}
        for each in stages
    ]
    return web.json_response({**_call(gateway, found), "stages": shown})


async def set_stage(gateway: "Gateway", request: web.Request) -> web.Response:
    """Move a call to a stage; stage 5 carries the answer."""
    wanted = await _body(request, StageRequest)
    station = wanted.station or gateway.configuration.gateway.station
    try:
        call, job = await gateway.downlink.answer(
            request.match_info["call"], wanted.stage, station, wanted.text, "board"
        )
    except calls.NoSuchCallError as error:
        raise ApiError(404, str(error)) from None
    except calls.StageError as error:
        raise ApiError(409, str(error)) from None
    except ValueError as error:
        raise ApiError(422, str(error)) from None
    return web.json_response({"id": call.id, "code": call.code, "stage": wanted.stage, "job": job}, status=202)


async def erase_call(gateway: "Gateway", request: web.Request) -> web.Response:
    """Erase a call everywhere; ?unconfirmed=1 also when the city does not have it yet."""
    try:
        erased = await gateway.erase(
            request.match_info["call"], unconfirmed_too=request.query.get("unconfirmed") == "1"
        )
    except calls.NoSuchCallError as error:
        raise ApiError(404, str(error)) from None
    except erasure.ErasureError as error:
        raise ApiError(409, str(error)) from None
    return web.json_response({"erased": erased})


async def set_mode(gateway: "Gateway", request: web.Request) -> web.Response:
    """Broadcast a signed mode command."""
    wanted = await _body(request, ModeRequest)
    try:
        job, epoch = await gateway.downlink.send_mode(
            wanted.mode,
            origin="board",
            boxes=list(gateway.boxes),
            scope=wanted.scope,
            box=None if wanted.box is None else int(wanted.box, 16),
            lifetime_s=wanted.lifetime_s,
        )
    except ValueError as error:
        raise ApiError(422, str(error)) from None
    return web.json_response({"job": job, "mode": wanted.mode, "epoch": epoch}, status=202)


async def set_bulletin(gateway: "Gateway", request: web.Request) -> web.Response:
    """Broadcast a signed notice."""
    bulletin = await _body(request, Bulletin)
    now_s = int(time.time())
    try:
        job = await gateway.downlink.send_bulletin(
            bulletin.to_message(now_s),
            origin="board",
            expires_ms=(now_s + bulletin.lifetime_s) * 1000,
            command_id=bulletin.command_id("board"),
        )
    except ValueError as error:
        raise ApiError(422, str(error)) from None
    return web.json_response({"job": job}, status=202)


async def job_list(gateway: "Gateway", request: web.Request) -> web.Response:
    """Newest messages to boxes with a state for each box."""
    limit = _limit(request)
    found = await gateway.store.submit(lambda connection: jobs.newest(connection, limit))
    for job in found:
        job["created_at"], job["expires_at"] = instant(job.pop("created_ms")), instant(job.pop("expires_ms"))
        for box in job["boxes"]:
            box["changed_at"] = instant(box.pop("changed_ms"))
    return web.json_response({"jobs": found})


Routed = Callable[["Gateway", web.Request], Awaitable[web.Response]]
ROUTES: tuple[tuple[str, str, Routed], ...] = (
    ("GET", "/api/v1/status", status),
    ("GET", "/api/v1/boxes", boxes),
    ("GET", "/api/v1/messages", messages),
    ("GET", "/api/v1/calls", call_list),
    ("GET", "/api/v1/calls/{call}", one_call),
    ("POST", "/api/v1/calls/{call}/stage", set_stage),
    ("DELETE", "/api/v1/calls/{call}", erase_call),
    ("GET", "/api/v1/jobs", job_list),
    ("POST", "/api/v1/mode", set_mode),
    ("POST", "/api/v1/bulletins", set_bulletin),
)
