# SPDX-License-Identifier: Apache-2.0
"""The gateway's process: `kiezbox gateway run` with a folder, and its HTTP API."""

import asyncio
import json
from typing import Any
from urllib import error as url_error
from urllib import request as url_request

from kiezbox_simulator.program import Programs, installed_command
from kiezbox_simulator.real_gateway.folder import Folder

HTTP_TIMEOUT_S = 10.0


class GatewayError(Exception):
    """The gateway does not answer, or not as it should; one sentence."""


class GatewayProcess:
    """One gateway of `programs`, not started yet. `url` is its page once it runs."""

    def __init__(self, programs: Programs, folder: Folder, name: str = "gateway") -> None:
        self.folder = folder
        self.url = ""
        command = [installed_command("kiezbox"), "gateway", "run", "--config", str(folder.configuration)]
        self.program = programs.add(name, command)

    async def start(self) -> None:
        """Start or restart it and wait until it serves its page. Raises ProgramError or GatewayError."""
        self.program.start()
        said = (await self.program.ready()).get("", "")
        self.url = said.strip()
        if not self.url.startswith("http://"):
            raise GatewayError(f"the gateway did not name its page: {said!r}")

    async def api(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One request to the gateway's HTTP API. Raises GatewayError with its sentence."""
        request = url_request.Request(self.url.rstrip("/") + path)  # noqa: S310  Loopback, our own gateway.
        request.add_header("Authorization", f"Bearer {self.folder.token}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")

        def call() -> dict[str, Any]:
            try:
                with url_request.urlopen(request, timeout=HTTP_TIMEOUT_S) as answer:  # noqa: S310
                    found = json.load(answer)
            except url_error.HTTPError as error:
                with error:
                    raise GatewayError(
                        f"the gateway answered {path} with {error.code}: {error.read()[:200]!r}"
                    ) from None
            except OSError as error:
                raise GatewayError(f"the gateway does not answer: {error}") from None
            assert isinstance(found, dict)  # noqa: S101  The API answers with objects only.
            return found

        return await asyncio.to_thread(call)
