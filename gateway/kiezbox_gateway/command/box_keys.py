# SPDX-License-Identifier: Apache-2.0
"""`kiezbox gateway` commands over boxes and their keys, and over tokens: enroll, revoke, rotate, token.

They change files beside the configuration; a running gateway is told and takes the change up at once.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from kiezbox_gateway import box_files, configuration, tokens
from kiezbox_gateway.command import CommandError, client, printing
from kiezbox_gateway.command.client import DEFAULT_CONFIG, ConfigOption, JsonOption
from kiezbox_gateway.language import text
from kiezbox_gateway.tokens import Role

app = typer.Typer(pretty_exceptions_enable=False)
token_app = typer.Typer(
    name="token",
    help="Tokens of the page and the API: who may look, read calls, or act.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

NodeArgument = Annotated[str, typer.Argument(help="Node number of the box in hexadecimal, e.g. 7c3e51a4.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def node_number(given: str) -> int:
    """Raises CommandError."""
    digits = given.removeprefix("!")
    try:
        node_num = int(digits, 16) if digits.isascii() and digits.isalnum() and len(digits) <= 8 else 0
    except ValueError:
        node_num = 0
    if not 0 < node_num < 0xFFFFFFFF:
        raise CommandError("the node number is one to eight hexadecimal digits, e.g. 7c3e51a4")
    return node_num


def _tell(config: Path) -> dict[str, Any] | None:
    """What the running gateway has taken up; None when it does not run."""
    try:
        return client.call(config, "POST", "/api/v1/boxes/reload", timeout_s=client.SLOW_TIMEOUT_S)
    except client.NotRunningError:
        return None


def _say(done: str, took: dict[str, Any] | None, value: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        printing.as_json({**value, "taken_up": took is not None})
        return
    printing.line(done)
    printing.line(
        text("The running gateway has taken it up.")
        if took is not None
        else text("The gateway is not running; it counts from the next start.")
    )


@app.command()
def enroll(
    node: NodeArgument,
    name: Annotated[str, typer.Argument(help="Name of the box.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Make a key for a new box and add the box; a running gateway takes it up at once."""
    settings = configuration.load(config)
    node_num = node_number(node)
    key = box_files.enroll_box(settings.boxes.file, node_num, name)
    done = text(
        "Box {node} is enrolled. Its key, to be written into the box and nowhere else: {path}",
        node=f"{node_num:08x}",
        path=key,
    )
    _say(done, _tell(config), {"box": f"{node_num:08x}", "key_file": str(key)}, as_json=as_json)


@app.command()
def revoke(
    node: NodeArgument, yes: YesOption = False, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False
) -> None:
    """Shut out a box that was stolen or taken down: its messages are refused from now on, its keys deleted."""
    settings = configuration.load(config)
    node_num = node_number(node)
    if not yes:
        typer.confirm(
            text("Shut out box {node}? Calls made at it will not be received.", node=f"{node_num:08x}"), abort=True
        )
    box = box_files.remove_box(settings.boxes.file, node_num)
    _say(
        text("Box {node} ({name}) is shut out.", node=f"{node_num:08x}", name=box.name),
        _tell(config),
        {"box": f"{node_num:08x}"},
        as_json=as_json,
    )


@app.command()
def rotate(node: NodeArgument, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Give a box a new key over the air. Both count until the box has used the new one; `boxes` and the page say so."""
    settings = configuration.load(config)
    node_num = node_number(node)
    path = box_files.begin_key_change(settings.boxes.file, node_num)
    _say(
        text(
            "A new key for box {node} is in {path}; it is sent until the box has taken it.",
            node=f"{node_num:08x}",
            path=path,
        ),
        _tell(config),
        {"box": f"{node_num:08x}", "key_file": str(path)},
        as_json=as_json,
    )


@token_app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Who gets it: a-z, 0-9 and -, e.g. control-centre.")],
    role: Annotated[
        Literal["observer", "reader", "operator"],
        typer.Option(help="observer sees no calls, reader sees them, operator also answers and orders."),
    ] = "reader",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Make a token. It is printed once and cannot be read anywhere later; it counts at once."""
    settings = configuration.load(config)
    token = tokens.add(settings.web.tokens_file, name, Role[role.upper()])
    if as_json:
        printing.as_json({"name": name, "role": role, "token": token})
        return
    typer.echo(token)
    typer.echo(text("Give it to its holder by a safe way, and keep no copy."), err=True)


@token_app.command("list")
def list_tokens(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Names and roles of the tokens, not the tokens."""
    settings = configuration.load(config)
    found = [{"name": each.name, "role": each.role.name.lower()} for each in tokens.read(settings.web.tokens_file)]
    found.insert(0, {"name": tokens.OWN_NAME, "role": "operator"})
    if as_json:
        printing.as_json(found)
        return
    printing.table(found, {"name": text("Name"), "role": text("Role")}, text("Tokens"))


@token_app.command("revoke")
def revoke_token(
    name: Annotated[str, typer.Argument(help="Name of the token.")], config: ConfigOption = DEFAULT_CONFIG
) -> None:
    """End a token and every session of the page that was opened with it, at once."""
    settings = configuration.load(config)
    tokens.revoke(settings.web.tokens_file, name)
    printing.line(text("The token {name} is not valid any more.", name=name))
