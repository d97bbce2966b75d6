# SPDX-License-Identifier: Apache-2.0
"""`kiezbox gateway`:

run a gateway and work with a running one. Data commands are in `gateway_data`, checks in `doctor`.
"""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import typer
from rich.console import Console

from kiezbox_gateway import configuration
from kiezbox_gateway.command import CommandError, client, doctor, gateway_data
from kiezbox_gateway.command.client import DEFAULT_CONFIG, ConfigOption, JsonOption

app = typer.Typer(
    help="Run a gateway, and work with a running one. Begin with `init`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.command()
def run(
    config: ConfigOption = DEFAULT_CONFIG,
    check_config: Annotated[
        bool, typer.Option("--check-config", help="Check configuration and keys, then stop.")
    ] = False,
) -> None:
    """Run the gateway until it is told to stop. Prints one line when it is ready."""
    from kiezbox_gateway import logging_setup, process, secret_files
    from kiezbox_gateway.city.broker import BrokerAddress, tls_context

    settings = configuration.load(config)
    secret_files.read_boxes(settings.boxes.file)
    secret_files.read_token(settings.web.token_file)
    secret_files.read_district_key(settings.boxes.district_key_file)
    secret_files.read_hex_key(settings.radio.channel_key_file, secret_files.CHANNEL_KEY_LENGTHS)
    if settings.city.password_file is not None:
        secret_files.read_secret(settings.city.password_file)
    if settings.city.url.startswith("mqtts:"):
        city = settings.city
        tls_context(
            BrokerAddress(city.url, "", None, None, city.ca_file, city.certificate_file, city.certificate_key_file)
        )
    if check_config:
        typer.echo(f"{config} is in order")
        return
    logging_setup.configure(settings.log.level, settings.log.format)
    port_file = settings.gateway.data_dir / client.PORT_FILE

    def ready(port: int) -> None:
        port_file.write_text(f"{port}\n", encoding="ascii")
        typer.echo(f"READY http://{settings.web.host}:{port}/")

    try:
        asyncio.run(process.run(settings, on_ready=ready))
    except OSError as error:
        if error.errno is not None and "address" in str(error).lower():
            raise CommandError(
                f"port {settings.web.port} is in use; stop the other program or set web.port in {config}"
            ) from None
        raise
    finally:
        with contextlib.suppress(OSError):
            port_file.unlink()


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Folder for the configuration, made if it is missing.")] = Path(),
    name: Annotated[str, typer.Option(help="Name of this gateway.")] = "Gateway",
    district: Annotated[str, typer.Option(help="Short name of the district, a-z, 0-9 and -.")] = "kiez",
    station: Annotated[str, typer.Option(help="Station that residents are told of.")] = "Feuerwache",
    radio: Annotated[str, typer.Option(help='"auto", serial:/dev/ttyUSB0 or tcp://HOST:PORT')] = "auto",
    city: Annotated[str, typer.Option(help="The city's broker.")] = "mqtt://127.0.0.1:1883",
    port: Annotated[int, typer.Option(help="Port of status page and API, 0 for a free one.")] = 8480,
) -> None:
    """Write a commented configuration and new keys. Overwrites nothing."""
    from kiezbox_gateway import provisioning

    path = provisioning.initialise(
        folder,
        {"name": name, "district": district, "station": station, "radio": radio, "city": city, "port": str(port)},
    )
    typer.echo(f"Wrote {path} and new keys in {path.parent / 'keys'}.")
    typer.echo(f"Next: `kiezbox gateway enroll NODE NAME --config {path}` for each box, then `kiezbox gateway doctor`.")


@app.command()
def enroll(
    node: Annotated[str, typer.Argument(help="Node number of the box in hexadecimal, e.g. 7c3e51a4.")],
    name: Annotated[str, typer.Argument(help="Name of the box.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Make a key for a new box and add the box; the running gateway takes it up when it is started again."""
    from kiezbox_gateway import secret_files

    settings = configuration.load(config)
    try:
        node_num = int(node.removeprefix("!"), 16)
    except ValueError:
        node_num = 0
    if not 0 < node_num < 0xFFFFFFFF:
        raise CommandError("the node number is one to eight hexadecimal digits, e.g. 7c3e51a4")
    key = secret_files.enroll_box(settings.boxes.file, node_num, name)
    typer.echo(f"Box {node_num:08x} is enrolled. Its key, to be written into the box and nowhere else: {key}")


@app.command()
def status(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """What the running gateway does."""
    found = client.call(config, "GET", "/api/v1/status")
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=1))
        return
    radio, city = found["radio"], found["city"]
    console = Console()
    console.print(f"{found['gateway']} (district {found['district']}), up {found['uptime_s']} s", highlight=False)
    console.print(
        f"  radio  {radio['state']}" + (f": {radio['last_error']}" if radio["last_error"] else ""), highlight=False
    )
    console.print(
        f"  city   {'connected' if city['connected'] else 'not reachable'}, {city['confirmed']} confirmed"
        + (f": {city['last_error']}" if city["last_error"] else ""),
        highlight=False,
    )
    console.print(
        f"  store  {found['custody']['alarm'] or 'works'}, {found['disk']['free_bytes'] >> 20} MiB free",
        highlight=False,
    )
    waiting = ", ".join(f"{count} {kind}" for kind, count in found["waiting"].items() if count) or "nothing"
    console.print(f"  waiting for the city: {waiting}", highlight=False)


@app.command()
def boxes(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """The boxes of the district and what was last heard of them."""
    found = client.call(config, "GET", "/api/v1/boxes")["boxes"]
    columns = ["name", "box", "heard_at", "received", "duplicates", "hops", "rssi_dbm", "mode"]
    client.show(found, columns, "Boxes", as_json=as_json)


@app.command()
def messages(
    config: ConfigOption = DEFAULT_CONFIG,
    kind: Annotated[str | None, typer.Option(help="Only this kind, e.g. reading.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """The newest messages; what residents wrote is shown by `calls` only."""
    path = f"/api/v1/messages?limit={limit}" + (f"&kind={quote(kind)}" if kind else "")
    found = client.call(config, "GET", path)["messages"]
    client.show(
        found, ["sequence", "kind", "box_name", "counter", "received_at", "confirmed_at"], "Messages", as_json=as_json
    )


@app.command()
def calls(
    config: ConfigOption = DEFAULT_CONFIG,
    only_open: Annotated[bool, typer.Option("--open", help="Only those not answered yet.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """The newest calls for help, with what residents wrote."""
    path = f"/api/v1/calls?limit={limit}" + ("&open=1" if only_open else "")
    found = client.call(config, "GET", path)["calls"]
    rows = [{**each, "text": each["body"].get("text"), "place": each["body"].get("place")} for each in found]
    shown = rows if not as_json else found
    client.show(shown, ["code", "kind", "box_name", "received_at", "stage", "place", "text"], "Calls", as_json=as_json)


@app.command()
def answer(
    code: Annotated[str, typer.Argument(help="The resident's code, or the id of a call.")],
    text: Annotated[str | None, typer.Argument(help="What the resident is to read.")] = None,
    stage: Annotated[
        int | None, typer.Option(help="3 at the station, 4 read, 5 answered (default with a text).")
    ] = None,
    station: Annotated[str | None, typer.Option(help="Who has the call; the gateway's station if left out.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Move a call through its stages, so that the resident's page shows it."""
    if stage is None and text is None:
        raise CommandError("give a text to answer with, or --stage 3 or --stage 4")
    body: dict[str, Any] = {"stage": stage or 5}
    if text is not None:
        body["text"] = text
    if station is not None:
        body["station"] = station
    found = client.call(config, "POST", f"/api/v1/calls/{quote(code, safe='')}/stage", body)
    if as_json:
        typer.echo(json.dumps(found))
    else:
        typer.echo(f"Call {found['code'] or found['id']} is at stage {found['stage']}; its box is being told.")


@app.command()
def mode(
    wanted: Annotated[Literal["everyday", "emergency", "exercise", "maintenance"], typer.Argument(metavar="MODE")],
    box: Annotated[str | None, typer.Option(help="Only this box (node number in hexadecimal).")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Put the boxes into a mode: everyday, emergency, exercise or maintenance."""
    body: dict[str, Any] = {"mode": wanted}
    if box is not None:
        body |= {"scope": "box", "box": box.removeprefix("!").rjust(8, "0")}
    found = client.call(config, "POST", "/api/v1/mode", body)
    typer.echo(json.dumps(found) if as_json else f"Mode {wanted} is on its way as job {found['job']}; see `jobs`.")


@app.command()
def jobs(
    config: ConfigOption = DEFAULT_CONFIG,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Messages to boxes, and which box has confirmed them."""
    found = client.call(config, "GET", f"/api/v1/jobs?limit={limit}")["jobs"]
    rows = []
    for job in found:
        states = [box["state"] for box in job["boxes"]]
        counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
        rows.append({**job, "states": counts or "broadcast"})
    shown = found if as_json else rows
    client.show(shown, ["number", "kind", "box", "origin", "created_at", "states"], "Jobs", as_json=as_json)


for part in (gateway_data.app, doctor.app):
    app.registered_commands += part.registered_commands
