# SPDX-License-Identifier: Apache-2.0
"""`python -m bench [NAME ...]`: run the measurements named, or all of them, and print what they found."""

import argparse
import importlib
import pkgutil
import sys
import time

from rich.console import Console
from rich.table import Table

import bench
from bench.figure import Figure, write

NOT_MEASUREMENTS = {"__main__", "figure"}


def available() -> list[str]:
    """Names of the modules in this folder that measure something."""
    names = (module.name for module in pkgutil.iter_modules(bench.__path__) if module.name not in NOT_MEASUREMENTS)
    return sorted(name for name in names if hasattr(importlib.import_module(f"bench.{name}"), "run"))


def table(title: str, figures: list[Figure]) -> Table:
    """The figures as a person reads them."""
    result = Table(title=title, title_justify="left")
    for column in ("figure", "value", "unit", "peer", "peer's value", "ratio"):
        result.add_column(column, justify="left" if column in ("figure", "unit", "peer") else "right")
    for figure in figures:
        result.add_row(
            figure.name,
            f"{figure.value:,.6g}",
            figure.unit,
            figure.peer or "",
            "" if figure.peer_value is None else f"{figure.peer_value:,.6g}",
            "" if figure.ratio is None else f"{figure.ratio:,.3g}",
        )
    return result


def main() -> int:
    """Exit status 0 when every measurement ran, 1 when one failed, 2 for an unknown name."""
    names = available()
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure, and write build/bench/NAME.json.")
    parser.add_argument("name", nargs="*", help=f"which measurements: {', '.join(names)} (default: all)")
    wanted = parser.parse_args().name or names
    unknown = sorted(set(wanted) - set(names))
    if unknown:
        parser.error(f"no such measurement: {', '.join(unknown)}; there are {', '.join(names)}")
    console = Console()
    failed = []
    for name in wanted:
        started_s = time.monotonic()
        try:
            figures = importlib.import_module(f"bench.{name}").run()
        except Exception:  # noqa: BLE001  One broken measurement must not hide the others' figures.
            console.print_exception()
            failed.append(name)
            continue
        path = write(name, figures)
        console.print(table(f"{name}  ({time.monotonic() - started_s:.0f} s, {path})", figures))
    if failed:
        console.print(f"[red]Failed: {', '.join(failed)}[/red]")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
