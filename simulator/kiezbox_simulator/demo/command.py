# SPDX-License-Identifier: Apache-2.0
"""`kiezbox demo`: one call for help crosses a blackout. The only place of the demo that ends the program."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running until Ctrl-C.")] = False,
    city_mqtt: Annotated[
        str,
        typer.Option(envvar="CITY_MQTT", help="Use this broker as the city: mqtt://HOST:PORT.", show_default=False),
    ] = "",
    out: Annotated[Path, typer.Option(help="Folder for logs, flashes and summary.json; it is emptied.")] = Path(
        "build/demo"
    ),
    resident_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the resident's radio.")] = 4403,
    gateway_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the gateway's radio.")] = 4404,
) -> None:
    """One call for help crosses a blackout: five boxes, a gateway, a city, on real parts, in two minutes.

    Exit status 0 only if every line of the story held.
    """
    from kiezbox_simulator.demo.narration import Narrator
    from kiezbox_simulator.demo.play import play
    from kiezbox_simulator.demo.stage import Settings

    keep = keep or os.environ.get("KEEP", "") not in ("", "0")
    console = Console(soft_wrap=True)
    console.print(
        "[bold]Kiezbox[/bold]: when power, mobile network and internet are gone, a call for help still gets through.\n"
        "Five boxes stand in a line of roofs. Each hears only its neighbours; the gateway hears only the first.\n"
    )
    settings = Settings(out, city_mqtt, resident_port, gateway_port, keep)
    status = asyncio.run(play(settings, Narrator(console)))
    raise typer.Exit(status)
