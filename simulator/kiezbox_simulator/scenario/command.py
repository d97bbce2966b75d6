# SPDX-License-Identifier: Apache-2.0
"""The simulator's commands for scenarios in virtual time: run, replay, compare, place, watch, list. `register` adds
them to an app.

The only place here that prints or ends the program.
"""

import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from kiezbox_simulator.scenario import compare as comparison
from kiezbox_simulator.scenario import outcome, place_report, schema
from kiezbox_simulator.scenario.place import load_area, propose
from kiezbox_simulator.scenario.simulation import CHUNKS, Simulation
from kiezbox_simulator.scenario.watch import LiveView

console = Console()

ScenarioName = Annotated[str, typer.Argument(help="A shipped scenario's name, or a TOML file.")]


def fail(error: Exception | str) -> typer.Exit:
    """Print one clear message and stop with status 2."""
    console.print(f"[red]{error}[/red]", highlight=False)
    return typer.Exit(2)


def clock(simulation: Simulation) -> str:
    """The scenario's time as text."""
    hours = simulation.schedule.now_us / 3.6e9
    return f"day {int(hours // 24) + 1} {int(hours % 24):02d}:{int(hours * 60 % 60):02d}"


def run_with_progress(
    scenario: schema.Scenario, seed: int, out: Path, shorten_h: float | None, **options: Any
) -> dict[str, Any]:
    """Run, show a bar with the simulated clock, write everything to `out`; returns the summary."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[now]}"),
        console=console,
        transient=True,
    ) as progress:
        task = progress.add_task(scenario.title, total=CHUNKS, now="")

        def watch(simulation: Simulation) -> None:
            delivered = sum(call.delivered_us is not None for call in simulation.calls)
            progress.update(
                task, advance=1, now=f"{clock(simulation)}, {delivered}/{len(simulation.calls)} calls delivered"
            )

        return outcome.run(scenario, seed, out, shorten_h, watch, **options)


def list_scenarios() -> None:
    """Name the scenarios that come with the simulator."""
    for name in schema.shipped():
        scenario = schema.load(schema.find(name))
        console.print(f"[bold]{name}[/bold]  {scenario.title}", highlight=False)


def run(
    name: ScenarioName,
    seed: Annotated[int, typer.Option(help="Same scenario and seed: same run, event for event.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Where summary.json, trace and report.html go.")] = None,
    hours: Annotated[float | None, typer.Option(help="Shorten the scenario to this many hours.")] = None,
    kind: Annotated[str | None, typer.Option(help="Run its boxes as vm, core or stock instead.")] = None,
    cores: Annotated[int, typer.Option(help="Let vm boxes think on up to this many cores at once.")] = 2,
) -> None:
    """Run a scenario in virtual time and write a report."""
    try:
        changes: dict[str, Any] = {"boxes": {"kind": kind}} if kind else {}
        scenario = schema.load(schema.find(name), **changes)
        target = out or Path("build/sim") / Path(name).stem
        summary = run_with_progress(scenario, seed, target, hours, cores=cores)
    except (schema.ScenarioError, ValueError) as error:
        raise fail(error) from error
    calls, violations = summary["calls"], summary["referee"]["violations"]
    speed = summary["simulated_s"] / max(summary["wall_s"], 1e-9)
    console.print(
        f"{scenario.title}: {calls['delivered']} of {calls['accepted']} accepted calls delivered, "
        f"{calls['lost']} lost; "
        f"referee: {violations or 'no'} violation{'s' if violations != 1 else ''}; "
        f"{summary['wall_s']:.1f} s, {speed:,.0f} times real time",
        highlight=False,
    )
    console.print(f"{target / 'report.html'}", highlight=False)
    if violations or calls["lost"]:
        raise typer.Exit(1)


def replay(trace: Annotated[Path, typer.Argument(help="The trace of an earlier run.")]) -> None:
    """Run a trace's scenario again and prove that every event is the same, or name the first that differs."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            difference, count = outcome.replay(trace, Path(folder))
    except (schema.ScenarioError, ValueError, OSError) as error:
        raise fail(error) from error
    if difference is None:
        console.print(f"Equal: all {count} events.", highlight=False)
        return
    number, recorded, again = difference
    end = "(no more events)"
    text = f"Event {number} differs:\n  recorded  {recorded or end}\n  now       {again or end}"
    console.print(text, highlight=False, markup=False)
    raise typer.Exit(1)


def compare(
    first: Annotated[Path, typer.Argument(help="Folder or summary.json of a run.")],
    second: Annotated[Path, typer.Argument(help="Another one.")],
    out: Annotated[Path | None, typer.Option(help="Where the page goes; without it only the table is shown.")] = None,
) -> None:
    """Show two runs side by side."""
    try:
        runs = comparison.read(first), comparison.read(second)
    except ValueError as error:
        raise fail(error) from error
    table = Table("", f"A  {first}", f"B  {second}", "better")
    for row in comparison.table(*runs):
        table.add_row(*row)
    console.print(table)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(comparison.render(*runs), encoding="utf-8")
        console.print(str(out), highlight=False)


def place(
    area: Annotated[Path, typer.Option(help="TOML file with the outline, the gateway and perhaps the roofs.")],
    boxes: Annotated[int, typer.Option(min=1, max=500, help="How many boxes.")],
    out: Annotated[Path | None, typer.Option(help="Where the page goes.")] = None,
) -> None:
    """Propose where boxes should stand, and say which one the network can least afford to lose."""
    try:
        proposal = propose(load_area(area), boxes)
    except schema.ScenarioError as error:
        raise fail(error) from error
    for rank, (box, share) in enumerate(zip(proposal.boxes, proposal.coverage, strict=True), 1):
        console.print(f"{rank:3d}  {box.name:24s} x {box.x_m:7.0f} m  y {box.y_m:7.0f} m  covered {100 * share:3.0f} %",
                      highlight=False)  # fmt: skip
    console.print(place_report.verdict(proposal), highlight=False)
    if len(proposal.boxes) < boxes:
        console.print(
            f"Only {len(proposal.boxes)} positions reach the network with {proposal.area.margin_db:g} dB to spare."
        )
    target = out or Path("build/sim") / f"place-{area.stem}.html"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(place_report.render(proposal), encoding="utf-8")
    console.print(str(target), highlight=False)


def watch(
    name: ScenarioName,
    seed: Annotated[int, typer.Option(help="As for run.")] = 1,
    speed: Annotated[float, typer.Option(min=0, help="Simulated seconds per second; 0 is as fast as it goes.")] = 600.0,
    hours: Annotated[float | None, typer.Option(help="Shorten the scenario to this many hours.")] = None,
    kind: Annotated[str | None, typer.Option(help="Run its boxes as vm, core or stock instead.")] = None,
    port: Annotated[int, typer.Option(help="Port on loopback; 0 takes any.")] = 0,
    once: Annotated[bool, typer.Option(help="Stop when the run is over, without waiting for Enter.")] = False,
) -> None:
    """Watch a scenario run, in the browser."""
    try:
        changes: dict[str, Any] = {"boxes": {"kind": kind}} if kind else {}
        scenario = schema.load(schema.find(name), **changes)
        view = LiveView(speed, port)
        console.print(f"Look at {view.url}", highlight=False)
        try:
            outcome.run(scenario, seed, Path("build/sim") / f"watch-{Path(name).stem}", hours, view.watch)
            if not once:
                console.input("Finished. Enter ends the view. ")
        finally:
            view.close()
    except (schema.ScenarioError, ValueError) as error:
        raise fail(error) from error


def register(app: typer.Typer) -> None:
    """Add the commands to the simulator's app."""
    app.command("run")(run)
    app.command("replay")(replay)
    app.command("list")(list_scenarios)
    app.command("compare")(compare)
    app.command("place")(place)
    app.command("watch")(watch)
