# SPDX-License-Identifier: Apache-2.0
"""How commands talk to the running gateway:

its own HTTP API on the loopback address, with the token of the configuration.
"""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.console import Console
from rich.table import Table

from kiezbox_gateway import configuration, secret_files
from kiezbox_gateway.command import CommandError
from kiezbox_gateway.configuration import Configuration

TIMEOUT_S = 15.0
PORT_FILE = "web.port"

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", envvar="KIEZBOX_CONFIG", help="Configuration file.", show_default=True)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
DEFAULT_CONFIG = Path("gateway.toml")


class NotRunningError(CommandError):
    """No gateway answers on the configured port."""


def port_of(settings: Configuration) -> int:
    """The port in use: the configured one, or the free one that a running gateway took."""
    if settings.web.port:
        return settings.web.port
    try:
        return int((settings.gateway.data_dir / PORT_FILE).read_text(encoding="ascii"))
    except (OSError, ValueError):
        raise NotRunningError("the gateway is not running; start it with `kiezbox gateway run`") from None


def call(config: Path, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """One request to the running gateway. Raises NotRunningError, CommandError with the API's own sentence."""
    settings = configuration.load(config)
    token = secret_files.read_token(settings.web.token_file)
    host = f"[{settings.web.host}]" if ":" in settings.web.host else settings.web.host
    url = f"http://{host}:{port_of(settings)}{path}"
    request = urllib.request.Request(url, method=method)
    request.add_header("Authorization", f"Bearer {token}")
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            return cast(dict[str, Any], json.load(answer))
    except urllib.error.HTTPError as error:
        with error:
            raise CommandError(_sentence(error.read(), error.code)) from None
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ConnectionRefusedError):
            raise NotRunningError("the gateway is not running; start it with `kiezbox gateway run`") from None
        raise NotRunningError(f"the gateway does not answer at {url}: {reason}") from None
    except ValueError:
        raise CommandError(f"what answers at {url} is no Kiezbox gateway") from None


def _sentence(answer: bytes, status: int) -> str:
    try:
        return str(json.loads(answer)["error"])
    except (ValueError, KeyError, TypeError):
        return f"the gateway answered with status {status}"


def show(rows: list[dict[str, Any]], columns: list[str], title: str, *, as_json: bool) -> None:
    """Print rows as a table or as JSON."""
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*["–" if row.get(column) is None else str(row[column]) for column in columns])
    Console().print(table)
