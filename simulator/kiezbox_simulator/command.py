# SPDX-License-Identifier: Apache-2.0
"""`kiezbox sim`: scenarios add their commands (scenario/command.py); here is what concerns the firmware."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from kiezbox_simulator.firmware_build import FirmwareBuildError, build, whole_box
from kiezbox_simulator.scenario.command import register

app = typer.Typer(
    help="Run the real firmware with no hardware: scenarios in virtual time, and the firmware as it lands on a board.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
register(app)


@app.command()
def firmware(
    out: Annotated[Path, typer.Option(help="Folder for the compiled files.")] = Path("build/firmware"),
    line: Annotated[
        int, typer.Option(help='Only say where line N of a traceback\'s File "main" is from.', metavar="N")
    ] = 0,
) -> None:
    """Compile the firmware for a board and report what each package takes of its flash."""
    console = Console()
    try:
        if line > 0:
            console.print(whole_box().place(line), highlight=False)
            return
        built = build(out)
    except FirmwareBuildError as error:
        console.print(f"[red]{error}[/red]", highlight=False)
        raise typer.Exit(1) from None
    table = Table(title=f"Firmware in {out}, {built.total_bytes:,} bytes", title_justify="left")
    table.add_column("package")
    table.add_column("files", justify="right")
    table.add_column("bytes", justify="right")
    packages: dict[str, list[int]] = {}
    for path, size_bytes in built.sizes_bytes.items():
        packages.setdefault(str(Path(path).parent), []).append(size_bytes)
    for package, sizes_bytes in sorted(packages.items()):
        table.add_row(package, str(len(sizes_bytes)), f"{sum(sizes_bytes):,}")
    console.print(table)
    console.print(f"Each file's size: {out / 'sizes.json'}")
