# SPDX-License-Identifier: Apache-2.0
"""The status page: plain HTML without script, readable by a screen reader, without personal data."""

from typing import TYPE_CHECKING

import jinja2
from aiohttp import web

from kiezbox_gateway.web import api

if TYPE_CHECKING:
    from kiezbox_gateway.gateway import Gateway

ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("kiezbox_gateway.web"), autoescape=True, undefined=jinja2.StrictUndefined
)


async def status_page(gateway: "Gateway", request: web.Request) -> web.Response:
    """GET /"""
    text = ENVIRONMENT.get_template("status.html").render(
        status=await api.summary(gateway), boxes=await api.box_list(gateway)
    )
    return web.Response(text=text, content_type="text/html")


ROUTES = (("GET", "/", status_page),)
