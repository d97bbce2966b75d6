# SPDX-License-Identifier: Apache-2.0
"""`kiezbox gateway`: `init` and `run`, and all other commands from the modules beside this one.

`look` and `order` talk to a running gateway, `box_keys` and `gateway_data` change its files, `doctor` examines it.
"""

import asyncio
import contextlib
from pathlib import Path
from typing import Annotated

import typer

from kiezbox_gateway import box_files, configuration
from kiezbox_gateway.command import CommandError, box_keys, client, doctor, gateway_data, look, order, printing
from kiezbox_gateway.command.client import DEFAULT_CONFIG, ConfigOption
from kiezbox_gateway.language import text

app = typer.Typer(
    help="Run a gateway, and work with a running one. Begin with `init`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.command(rich_help_panel=text("Set up and look after"))
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
    box_files.read_boxes(settings.boxes.file)
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
        printing.line(text("{config} is in order", config=config))
        return
    logging_setup.configure(settings.log.level, settings.log.format)
    port_file = settings.gateway.data_dir / client.PORT_FILE
    ours = False

    def ready(port: int) -> None:
        nonlocal ours
        ours = True
        port_file.write_text(f"{port}\n", encoding="ascii")
        typer.echo(f"READY http://{settings.web.host}:{port}/")

    try:
        asyncio.run(process.run(settings, on_ready=ready))
    except OSError as error:
        if error.errno is not None and "address" in str(error).lower():
            raise CommandError(
                "port {port} is in use; stop the other program or set web.port in {config}",
                port=settings.web.port,
                config=config,
            ) from None
        raise
    finally:
        # A start that failed, because another gateway runs, must not take that one's file away.
        if ours:
            with contextlib.suppress(OSError):
                port_file.unlink()


@app.command(rich_help_panel=text("Set up and look after"))
def init(
    folder: Annotated[Path, typer.Argument(help="Folder for the configuration, made if it is missing.")] = Path(),
    name: Annotated[str, typer.Option(help="Name of this gateway.")] = "Gateway",
    district: Annotated[str, typer.Option(help="Short name of the district, a-z, 0-9 and -.")] = "kiez",
    station: Annotated[str, typer.Option(help="Station that residents are told of.")] = "Feuerwache",
    radio: Annotated[str, typer.Option(help='"auto", serial:/dev/ttyUSB0 or tcp://HOST:PORT')] = "auto",
    city: Annotated[str, typer.Option(help="The city's broker.")] = "mqtt://127.0.0.1:1883",
    port: Annotated[int, typer.Option(help="Port of status page and API, 0 for a free one.")] = 8480,
    data_dir: Annotated[str, typer.Option(help="Folder of the database, relative to the configuration.")] = "data",
) -> None:
    """Write a commented configuration and new keys. Overwrites nothing."""
    from kiezbox_gateway import provisioning

    path = provisioning.initialise(
        folder,
        {
            "name": name,
            "district": district,
            "station": station,
            "radio": radio,
            "city": city,
            "port": str(port),
            "data_dir": data_dir,
        },
    )
    printing.line(text("Wrote {path} and new keys in {folder}.", path=path, folder=path.parent / "keys"))
    printing.line(text("Next: `kiezbox gateway enroll NODE NAME --config {path}` for each box, then", path=path))
    printing.line(f"`kiezbox gateway doctor --config {path}`, `kiezbox gateway run --config {path}`.")


for title, part in (
    (text("Set up and look after"), doctor.app),
    (text("See what is going on"), look.app),
    (text("Answer and order"), order.app),
    (text("Boxes, keys and tokens"), box_keys.app),
    (text("Stored data"), gateway_data.app),
):
    for command in part.registered_commands:
        command.rich_help_panel = title
    app.registered_commands += part.registered_commands
app.add_typer(box_keys.token_app, rich_help_panel=text("Boxes, keys and tokens"))
