# SPDX-License-Identifier: Apache-2.0
"""What the HTTP API under /api/v1 shows: status, alarms, boxes, messages, calls, jobs. Orders are in `orders`.

Described in docs/gateway-api.yaml, which a test holds to these routes. Times are ISO 8601 in UTC.
"""

import json
import re
import time
from typing import Any

from aiohttp import web

from kiezbox_gateway import alarms, blackout
from kiezbox_gateway.city.message import instant
from kiezbox_gateway.gateway import Gateway
from kiezbox_gateway.store import calls, jobs
from kiezbox_gateway.store.rows import CLASS_OF_KIND, PERSONAL_KINDS, OutboxClass
from kiezbox_gateway.tokens import Role
from kiezbox_gateway.web.request import ApiError, Route, limit

MODE_NAMES = {1: "everyday", 2: "emergency", 3: "exercise", 4: "maintenance"}


def _moment(unix_ms: int | None) -> str | None:
    return None if unix_ms is None else instant(unix_ms)


async def status(gateway: Gateway, request: web.Request) -> web.Response:
    """What runs and what does not."""
    return web.json_response(await summary(gateway))


async def summary(gateway: Gateway) -> dict[str, Any]:
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
        "alarms": [alarm_row(alarm) for alarm in await alarms.look(gateway)],
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


def alarm_row(alarm: alarms.Alarm) -> dict[str, Any]:
    """An alarm as the API gives it; sentence and advice are in the language asked for."""
    return {
        "name": alarm.name,
        "urgent": alarm.urgent,
        "detail": alarm.detail,
        "sentence": alarm.sentence,
        "advice": alarm.advice,
    }


async def alarm_list(gateway: Gateway, request: web.Request) -> web.Response:
    """What a person has to see to, the most urgent first."""
    return web.json_response({"alarms": [alarm_row(alarm) for alarm in await alarms.look(gateway)]})


async def boxes(gateway: Gateway, request: web.Request) -> web.Response:
    """All boxes of the district, heard or not."""
    return web.json_response({"boxes": await box_list(gateway)})


async def box_list(gateway: Gateway) -> list[dict[str, Any]]:
    """Boxes with what was last heard of them."""
    rows = await gateway.store.rows(
        "SELECT node_num, highest_counter, heard_ms, received, duplicates, rssi_dbm, snr_cdb, hops, health, health_ms,"
        " mode, mode_epoch FROM box"
    )
    known = {row[0]: row for row in rows}
    confirmed = await blackout.modes_confirmed(gateway)
    found = []
    for node_num, box in sorted(gateway.boxes.items()):
        row = known.get(node_num) or (node_num, 0, None, 0, 0, None, None, None, None, None, None, None)
        mode, epoch = blackout.current_mode((row[10], row[11]), confirmed.get(node_num))
        health = None if row[8] is None else json.loads(row[8])
        found.append(
            {
                "box": f"{node_num:08x}",
                "name": box.name,
                "latitude": box.latitude,
                "longitude": box.longitude,
                "heard_at": _moment(row[2]),
                "heard_ms": row[2],
                "received": row[3],
                "duplicates": row[4],
                "highest_counter": row[1],
                "rssi_dbm": row[5],
                "snr_db": None if row[6] is None else row[6] / 100,
                "hops": row[7],
                "mode": MODE_NAMES.get(mode or 0),
                "mode_epoch": epoch,
                "key_change_open": box.next_root_key is not None,
                "health_at": _moment(row[9]),
                "signs": blackout.signs_of((health or {}).get("signs")),
                "health": health,
            }
        )
    return found


async def messages(gateway: Gateway, request: web.Request) -> web.Response:
    """Newest messages; ?kind= ?box= ?limit= ?before=SEQUENCE. What residents wrote is only in /calls."""
    conditions = ["1"]
    parameters: list[str | int] = []
    if "kind" in request.query:
        if request.query["kind"] not in CLASS_OF_KIND:
            raise ApiError(400, "kind is one of {kinds}", kinds=", ".join(CLASS_OF_KIND))
        conditions.append("kind = ?")
        parameters.append(request.query["kind"])
    if "box" in request.query:
        if not re.fullmatch("[0-9a-fA-F]{1,8}", request.query["box"]):
            raise ApiError(400, "box is a node number in hexadecimal")
        parameters.append(int(request.query["box"], 16))
        conditions.append("node_num = ?")
    if "before" in request.query:
        if not re.fullmatch("[0-9]{1,18}", request.query["before"]):
            raise ApiError(400, "before is a sequence number")
        conditions.append("sequence < ?")
        parameters.append(int(request.query["before"]))
    rows = await gateway.store.rows(
        "SELECT sequence, id, kind, node_num, counter, verified, received_ms, measured_s, confirmed_ms, body"  # noqa: S608
        f" FROM message WHERE {' AND '.join(conditions)} ORDER BY sequence DESC LIMIT ?",
        [*parameters, limit(request)],
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


def _call(gateway: Gateway, call: calls.FoundCall) -> dict[str, Any]:
    return {
        "id": call.id,
        "code": call.code,
        "kind": call.kind,
        "box": f"{call.node_num:08x}",
        "box_name": gateway.names.get(call.node_num),
        "verified": call.verified,
        "surplus": call.surplus,
        "received_at": instant(call.received_ms),
        "measured_at": None if call.measured_s is None else instant(call.measured_s * 1000),
        "confirmed_at": _moment(call.confirmed_ms),
        "action": call.action,
        "refers_to": call.refers_to,
        "stage": call.stage,
        "body": call.body,
    }


async def call_list(gateway: Gateway, request: web.Request) -> web.Response:
    """Newest calls with what residents wrote; ?open=1 for those not answered yet."""
    query = calls.list_query(open_only=request.query.get("open") == "1")
    rows = await gateway.store.rows(query, (limit(request),))
    return web.json_response({"calls": [_call(gateway, calls.row_to_call(tuple(row))) for row in rows]})


async def one_call(gateway: Gateway, request: web.Request) -> web.Response:
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
        raise ApiError(404, error.sentence, **error.values) from None
    shown = [
        {"stage": each["stage"], "station": each["station"], "at": instant(each["time_ms"]), "text": each["text"]}
        for each in stages
    ]
    return web.json_response({**_call(gateway, found), "stages": shown})


async def job_list(gateway: Gateway, request: web.Request) -> web.Response:
    """Newest messages to boxes with a state for each box."""
    most = limit(request)
    found = await gateway.store.submit(lambda connection: jobs.newest(connection, most))
    for job in found:
        job["created_at"], job["expires_at"] = instant(job.pop("created_ms")), instant(job.pop("expires_ms"))
        for box in job["boxes"]:
            box["changed_at"] = instant(box.pop("changed_ms"))
    return web.json_response({"jobs": found})


async def audit(gateway: Gateway, request: web.Request) -> web.Response:
    """Who did what, newest first: names of tokens and ids, nothing that a resident wrote."""
    rows = await gateway.store.rows(
        "SELECT at_ms, actor, action, detail FROM audit ORDER BY number DESC LIMIT ?", (limit(request),)
    )
    found = [{"at": instant(row[0]), "actor": row[1], "action": row[2], "detail": row[3]} for row in rows]
    return web.json_response({"audit": found})


ROUTES = (
    Route("GET", "/api/v1/status", Role.OBSERVER, status),
    Route("GET", "/api/v1/alarms", Role.OBSERVER, alarm_list),
    Route("GET", "/api/v1/boxes", Role.OBSERVER, boxes),
    Route("GET", "/api/v1/messages", Role.OBSERVER, messages),
    Route("GET", "/api/v1/calls", Role.READER, call_list),
    Route("GET", "/api/v1/calls/{call}", Role.READER, one_call),
    Route("GET", "/api/v1/jobs", Role.OBSERVER, job_list),
    Route("GET", "/api/v1/audit", Role.OPERATOR, audit),
)
