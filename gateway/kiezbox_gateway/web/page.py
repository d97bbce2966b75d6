# SPDX-License-Identifier: Apache-2.0
"""The page for people: state for everybody on this computer, calls and answers for those who sign in with a token.

HTML that works without script and with a screen reader; the one script only fetches the list again and counts what is
new. Forms carry the secret of their session, so that no other site can send them.
"""

import time
from importlib import resources
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jinja2
from aiohttp import web
from pydantic import ValidationError

from kiezbox_gateway import language
from kiezbox_gateway.gateway import Gateway
from kiezbox_gateway.store import calls
from kiezbox_gateway.tokens import Role
from kiezbox_gateway.web import api, desk, orders
from kiezbox_gateway.web.access import SESSION_COOKIE, SESSION_S, Caller, is_form_of
from kiezbox_gateway.web.request import ACCESS, CALLER, ApiError, Route, read_body

ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("kiezbox_gateway.web"), autoescape=True, undefined=jinja2.StrictUndefined
)
ENVIRONMENT.globals.update(
    t=language.text,
    age=desk.age,
    clock_time=desk.clock_time,
    modes=desk.MODES,
    stage_names=desk.STAGES,
    sign_names=desk.SIGNS,
)
FIELDS_MAX = 20
ORDERS_SHOWN = 8


def _html(request: web.Request, name: str, status: int = 200, **values: Any) -> web.Response:
    text = ENVIRONMENT.get_template(name).render(
        lang=language.current(), caller=request[CALLER], now_ms=int(time.time() * 1000), **values
    )
    return web.Response(text=text, content_type="text/html", status=status)


async def home(gateway: Gateway, request: web.Request) -> web.Response:
    """GET /"""
    return await _home(gateway, request)


async def _home(gateway: Gateway, request: web.Request, status: int = 200, problem: str | None = None) -> web.Response:
    caller: Caller | None = request[CALLER]
    opened: list[desk.Card] = []
    answered: list[desk.Card] = []
    may_read = caller is not None and caller.role >= Role.READER
    if may_read:
        opened, answered = await desk.cards(gateway, int(time.time() * 1000))
    return _html(
        request,
        "home.html",
        status,
        state=await api.summary(gateway),
        boxes=await api.box_list(gateway),
        may_read=may_read,
        opened=opened,
        answered=answered,
        orders=await desk.orders(gateway, ORDERS_SHOWN) if caller is not None else [],
        problem=problem,
    )


async def script(gateway: Gateway, request: web.Request) -> web.Response:
    """GET /page.js"""
    text = (resources.files("kiezbox_gateway.web") / "page.js").read_text(encoding="utf-8")
    return web.Response(text=text, content_type="text/javascript")


async def sign_in(gateway: Gateway, request: web.Request) -> web.Response:
    """POST /sign-in: a token for a session."""
    form = await _form(request)
    cookie = request.app[ACCESS].open_session(form.get("token", ""))
    if cookie is None:
        wait_s = request.app[ACCESS].attempts.take(request.remote or "", time.monotonic())
        if wait_s:
            problem = language.text("too many failed attempts; wait {seconds} s", seconds=int(wait_s) + 1)
            return await _home(gateway, request, 429, problem)
        return await _home(gateway, request, 401, language.text("This token is not valid."))
    response = _see_other("/")
    response.set_cookie(
        SESSION_COOKIE, cookie, max_age=SESSION_S, httponly=True, samesite="Strict", secure=request.secure, path="/"
    )
    return response


async def sign_out(gateway: Gateway, request: web.Request) -> web.Response:
    """POST /sign-out"""
    caller: Caller | None = request[CALLER]
    if caller is not None and is_form_of(caller, (await _form(request)).get("form", "")):
        request.app[ACCESS].close_session(request.cookies.get(SESSION_COOKIE, ""))
    response = _see_other("/")
    response.del_cookie(SESSION_COOKIE, path="/")
    return response


async def call(gateway: Gateway, request: web.Request) -> web.Response:
    """GET /calls/CALL"""
    return await _call(gateway, request)


async def _call(gateway: Gateway, request: web.Request, status: int = 200, **said: str | None) -> web.Response:
    caller: Caller | None = request[CALLER]
    if caller is None or caller.role < Role.READER:
        return await _home(gateway, request, 401, language.text("Sign in first."))
    try:
        card, stages, job_state = await desk.card(gateway, request.match_info["call"])
    except calls.NoSuchCallError as error:
        return await _home(gateway, request, 404, str(error))
    return _html(
        request,
        "call.html",
        status,
        gateway=gateway.configuration.gateway.name,
        station=gateway.configuration.gateway.station,
        card=card,
        stages=stages,
        job_state=job_state,
        done=request.query.get("done") == "1",
        problem=said.get("problem"),
        draft=said.get("draft") or "",
    )


async def move(gateway: Gateway, request: web.Request) -> web.Response:
    """POST /calls/CALL: a stage or an answer."""
    caller: Caller | None = request[CALLER]
    form = await _form(request)
    if caller is None or caller.role < Role.OPERATOR or not is_form_of(caller, form.get("form", "")):
        return await _call(gateway, request, 403, problem=language.text("You may not do this. Sign in again."))
    draft = form.get("text", "").strip()
    stage = {"station": 3, "read": 4, "answer": 5}.get(form.get("do", ""), 0)
    if stage == 5 and not draft:
        return await _call(gateway, request, 422, problem=language.text("Write what the resident is to read."))
    try:
        wanted = orders.StageRequest.model_validate(
            {"stage": stage, "text": draft if stage == 5 else None, "station": form.get("station", "").strip() or None}
        )
        found, _ = await orders.move(gateway, request, request.match_info["call"], wanted)
    except ValidationError:
        problem = language.text("A text has up to 400 characters, the name of a station up to 60.")
        return await _call(gateway, request, 422, problem=problem, draft=draft)
    except ApiError as error:
        return await _call(gateway, request, error.status, problem=str(error), draft=draft)
    return _see_other(f"/calls/{found.id}?done=1")


async def _form(request: web.Request) -> dict[str, str]:
    """Fields of a form that was sent by our own page. Raises ApiError."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise ApiError(415, "send a form")
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("Host"):
        raise ApiError(403, "this form was sent by another site")
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise ApiError(403, "this form was sent by another site")
    try:
        fields = parse_qsl(
            (await read_body(request)).decode("ascii"),
            keep_blank_values=True,
            max_num_fields=FIELDS_MAX,
            errors="strict",
        )
    except ValueError:
        raise ApiError(400, "the form cannot be read") from None
    return {name: value.replace("\r\n", "\n") for name, value in fields}


def _see_other(path: str) -> web.Response:
    return web.Response(status=303, headers={"Location": path})


ROUTES = (
    Route("GET", "/", None, home),
    Route("GET", "/page.js", None, script),
    Route("POST", "/sign-in", None, sign_in),
    Route("POST", "/sign-out", None, sign_out),
    Route("GET", "/calls/{call}", None, call),
    Route("POST", "/calls/{call}", None, move),
)
