# SPDX-License-Identifier: Apache-2.0
"""How commands talk to the running gateway: its own HTTP API on the loopback address, with the token of the
configuration. How they print is in `printing`.
"""

import http.client
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from kiezbox_gateway import configuration, language, secret_files
from kiezbox_gateway.command import CommandError
from kiezbox_gateway.configuration import Configuration

TIMEOUT_S = 15.0
# Erasing rewrites every backup, and taking up a list of boxes reads what is known of each.
SLOW_TIMEOUT_S = 600.0
PORT_FILE = "web.port"

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", envvar="KIEZBOX_CONFIG", help="Configuration file.", show_default=True)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
DEFAULT_CONFIG = Path("gateway.toml")


class NotRunningError(CommandError):
    """No gateway answers on the configured port."""


def not_running() -> NotRunningError:
    """The one sentence for it."""
    return NotRunningError("the gateway is not running; start it with `kiezbox gateway run`")


def port_of(settings: Configuration) -> int:
    """The port in use: the configured one, or the free one that a running gateway took."""
    if settings.web.port:
        return settings.web.port
    try:
        return int((settings.gateway.data_dir / PORT_FILE).read_text(encoding="ascii"))
    except PermissionError as error:
        raise CommandError(
            "{path} cannot be read: {reason}", path=settings.gateway.data_dir, reason=error.strerror
        ) from None
    except (OSError, ValueError):
        raise not_running() from None


def call(
    config: Path, method: str, path: str, body: dict[str, Any] | None = None, *, timeout_s: float = TIMEOUT_S
) -> dict[str, Any]:
    """One request to the running gateway. Raises NotRunningError, CommandError with the API's own sentence."""
    settings = configuration.load(config)
    token = secret_files.read_token(settings.web.token_file)
    # A gateway that listens on all addresses is reached on this computer's own.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.web.host, settings.web.host)
    host = f"[{host}]" if ":" in host else host
    url = f"http://{host}:{port_of(settings)}{path}"
    request = urllib.request.Request(url, method=method)
    request.add_header("Authorization", f"Bearer {token}")
    request.add_header("Accept-Language", language.current())
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout_s) as answer:
            return cast(dict[str, Any], json.load(answer))
    except urllib.error.HTTPError as error:
        with error:
            raise CommandError(_sentence(error.read(), error.code)) from None
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ConnectionRefusedError):
            raise not_running() from None
        raise NotRunningError("the gateway does not answer at {url}: {reason}", url=url, reason=reason) from None
    except (ValueError, http.client.HTTPException):
        raise CommandError("what answers at {url} is no Kiezbox gateway", url=url) from None


def _sentence(answer: bytes, status: int) -> str:
    try:
        return str(json.loads(answer)["error"])
    except (ValueError, KeyError, TypeError):
        return language.text("the gateway answered with status {status}", status=status)
