# SPDX-License-Identifier: Apache-2.0
"""What the handlers share: routes with the role they need, whose request it is, checked bodies, one form of error."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from kiezbox_gateway.clock import unix_ms
from kiezbox_gateway.gateway import Gateway
from kiezbox_gateway.language import SpokenError, text
from kiezbox_gateway.store import jobs
from kiezbox_gateway.tokens import Role
from kiezbox_gateway.web.access import Access, Caller

LIMIT_MAX = 1_000
BODY_TIMEOUT_S = 10.0
ACCESS: web.AppKey[Access] = web.AppKey("access")
CALLER: web.RequestKey[Caller | None] = web.RequestKey("caller")
Model = TypeVar("Model", bound=BaseModel)
Handler = Callable[[Gateway, web.Request], Awaitable[web.StreamResponse]]


class Route(NamedTuple):
    """`role` None: nobody is asked who they are."""

    method: str
    path: str
    role: Role | None
    handler: Handler


class ApiError(SpokenError):
    """A request that cannot be served: status and one sentence."""

    def __init__(self, status: int, sentence: str, /, **values: object) -> None:
        super().__init__(sentence, **values)
        self.status = status


def caller(request: web.Request) -> Caller:
    """Who asks; a route with a role is reached by nobody else."""
    found = request[CALLER]
    assert found is not None  # noqa: S101  `server` has seen to it.
    return found


def pace_order(request: web.Request) -> None:
    """Not too many orders that cost time on the air at once. Raises ApiError."""
    wait_s = request.app[ACCESS].orders.take(caller(request).name, time.monotonic())
    if wait_s:
        raise ApiError(429, "too many orders at once; wait {seconds} s", seconds=int(wait_s) + 1)


async def read_body(request: web.Request) -> bytes:
    """The body, which has to arrive in time. Raises ApiError."""
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            return await request.read()
    except TimeoutError:
        raise ApiError(408, "the body did not arrive in time") from None


async def body(request: web.Request, model: type[Model]) -> Model:
    """The JSON body, checked. Raises ApiError."""
    if request.content_type != "application/json":
        raise ApiError(415, "send JSON with Content-Type application/json")
    try:
        return model.model_validate(json.loads(await read_body(request)))
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in error.errors()]
        raise ApiError(422, "; ".join(problems)) from None
    except (ValueError, RecursionError):
        raise ApiError(400, "the body is not JSON") from None


def limit(request: web.Request) -> int:
    """?limit=, 100 without. Raises ApiError."""
    given = request.query.get("limit", "100")
    if not (given.isascii() and given.isdecimal()) or not 1 <= len(given) <= 6 or not 1 <= int(given) <= LIMIT_MAX:
        raise ApiError(400, "limit is a number from 1 to {most}", most=LIMIT_MAX)
    return int(given)


async def note(gateway: Gateway, request: web.Request, action: str, detail: str) -> None:
    """Keep who ordered what; `detail` holds ids only."""
    now_ms, actor = unix_ms(), f"token:{caller(request).name}"
    await gateway.store.submit(lambda connection: jobs.audit(connection, now_ms, actor, action, detail))


def error_answer(status: int, sentence: str, /, **values: object) -> web.Response:
    """The one form of an error; the sentence in the language of the request."""
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return web.json_response({"error": text(sentence, **values)}, status=status, headers=headers)
