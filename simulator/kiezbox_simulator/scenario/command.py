# SPDX-License-Identifier: Apache-2.0
"""The simulator's commands for scenarios in virtual time: run, replay, compare, place, watch, list. `register` adds
them to an app.

The only place here that prints or ends the program.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from kiezbox_simulator.interruption import StoppedError
from kiezbox_simulator.scenario import compare as comparison
from kiezbox_simulator.scenario import outcome, place_report, schema
from kiezbox_simulator.scenario.paced import SPEED_MAX, TROUBLE, Pace
from kiezbox_simulator.scenario.place import load_area, propose
from kiezbox_simulator.scenario.simulation import CHUNKS, Simulation
from kiezbox_simulator.scenario.watch import LiveView
from kiezbox_simulator.scenario.words import LANGUAGES, Words

console = Console()

LATE_S = 2.0
"""More than that, and a box's answer to a frame is no longer where it would be."""

ScenarioName = Annotated[str, typer.Argument(help="A shipped scenario's name (`kiezbox sim list`), or a TOML file.")]
Hours = Annotated[float | None, typer.Option(min=0.01, help="Shorten the scenario to this many hours.")]
Kind = Annotated[str | None, typer.Option(help="Run its boxes as vm (real firmware), core (fast) or stock instead.")]

Paced = Annotated[
    bool,
    typer.Option(
        "--paced",
        help="Keep pace with the clock, with the real gateway program: its SQLite database, MQTT and `meshtastic`.",
    ),
]
CityMqtt = Annotated[
    str,
    typer.Option(
        envvar="CITY_MQTT", help="With --paced: use this broker as the city, mqtt://HOST:PORT.", show_default=False
    ),
]


def fail(error: Exception | str) -> typer.Exit:
    """Print one clear message and stop with status 2."""
    console.print(f"[red]{escape(str(error))}[/red]", highlight=False)
    return typer.Exit(2)


def clock(simulation: Simulation) -> str:
    """The scenario's time as text."""
    hours = simulation.schedule.now_us / 3.6e9
    return f"day {int(hours // 24) + 1} {int(hours % 24):02d}:{int(hours * 60 % 60):02d}"


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[Simulation], None]]:
    """A bar with the simulated clock; yields what Simulation.run calls on its way."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[now]}"),
        console=console,
        transient=True,
    ) as progress:
        task = progress.add_task(title, total=CHUNKS, now="")

        def watch(simulation: Simulation) -> None:
            delivered = sum(call.delivered_us is not None for call in simulation.calls)
            progress.update(
                task, advance=1, now=f"{clock(simulation)}, {delivered}/{len(simulation.calls)} calls delivered"
            )

        yield watch


def run_with_progress(
    scenario: schema.Scenario, seed: int, out: Path, shorten_h: float | None, **options: Any
) -> dict[str, Any]:
    """Run, show a bar with the simulated clock, write everything to `out`; returns the summary."""
    with progress_bar(scenario.title) as watch:
        return outcome.run(scenario, seed, out, shorten_h, watch, **options)


def run_at_pace(
    scenario: schema.Scenario,
    seed: int,
    out: Path,
    shorten_h: float | None,
    pace: Pace,
    also: Callable[[Simulation], None] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """The same with the real gateway; `also` is called like the bar. Stops the command with status 130 after Ctrl-C,
    with status 2 when a program fails."""
    wall_s = outcome.shortened(scenario, shorten_h).duration_h * 3600 / pace.speed
    said = f"At {pace.speed:g} times real time this takes {Words('en').duration(wall_s)}; --hours shortens it."
    console.print(said, highlight=False)

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    try:
        with progress_bar(scenario.title) as advance:

            def both(simulation: Simulation) -> None:
                advance(simulation)
                if also is not None:
                    also(simulation)

            summary = outcome.run_paced(scenario, seed, out, shorten_h, pace, both, say, **options)
    except StoppedError:
        console.print("Interrupted. Everything that was started has been stopped.")
        raise typer.Exit(130) from None
    except TROUBLE as error:
        logs = out / "paced" / "logs"
        raise fail(f"{error}\nWhat each program said is in {logs}." if logs.exists() else error) from error
    paced = summary["paced"]
    say(
        f"The gateway's database has {paced['calls_stored']} calls for help, the city's subscriber "
        f"{paced['calls_in_the_city']} of them; the air was late by {paced['late_max_s'] * 1000:.0f} ms at most"
    )
    if paced["late_max_s"] > LATE_S:
        say(
            "This computer did not keep pace all the time, so single delays may be too long. Choose a lower --speed or "
            "fewer boxes."
        )
    return summary


def pace_of(paced: bool, speed: float | None, city_mqtt: str, kind: str) -> Pace | None:
    """What --paced, --speed and --city-mqtt come to, None for virtual time. Raises ValueError."""
    if paced and kind == "stock":
        raise ValueError("--paced takes boxes whose calls a gateway stores: --kind vm or core")
    return Pace(1.0 if speed is None else speed, city_mqtt) if paced else None


def write_pages(target: Path, render: Callable[[str, str], str]) -> None:
    """A page in English at `target` and in German beside it; `render(language, file name of the other)`. Raises
    OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    names = {language: target.name if language == "en" else f"{target.stem}.{language}{target.suffix}"
             for language in LANGUAGES}  # fmt: skip
    for language, name in names.items():
        other = next(file for code, file in names.items() if code != language)
        target.with_name(name).write_text(render(language, other), encoding="utf-8")
        console.print(str(target.with_name(name)), highlight=False, soft_wrap=True)


def list_scenarios() -> None:
    """Name the scenarios that come with the simulator."""
    for name in schema.shipped():
        scenario = schema.load(schema.find(name))
        console.print(f"[bold]{name}[/bold]  {scenario.title}", highlight=False)


def run(
    name: ScenarioName,
    seed: Annotated[int, typer.Option(help="Same scenario and seed: same run, event for event.")] = 1,
    out: Annotated[
        Path | None, typer.Option(help="Folder for report.html, report.de.html, summary.json and trace.")
    ] = None,
    hours: Hours = None,
    kind: Kind = None,
    boxes: Annotated[
        int | None, typer.Option(min=1, max=2000, help="So many boxes instead, on a map of the same density.")
    ] = None,
    cores: Annotated[int, typer.Option(min=1, help="Let vm boxes think on up to this many cores at once.")] = 2,
    paced: Paced = False,
    speed: Annotated[
        float | None,
        typer.Option(
            help=f"With --paced: simulated seconds per second, up to {SPEED_MAX:g}. The gateway's own pauses stay as "
            "they are, so they seem that much longer to the boxes.",
            show_default="1",
        ),
    ] = None,
    city_mqtt: CityMqtt = "",
) -> None:
    """Run a scenario and write a report: in virtual time, or at the clock's pace with the real gateway.

    kiezbox sim run koepenick-2019 --paced --hours 0.5 --speed 20

    With --paced what counts as delivered is what the gateway's database holds; its page, its files in OUT/paced and the
    city's broker can be looked at meanwhile. Such a run is not the same twice.

    Ends with status 0 when every accepted call was delivered and no rule broken, 1 when not, 2 when the scenario is
    wrong. To change a scenario, copy its file: the keys are explained in docs/simulator.md.
    """
    try:
        scenario = _load(name, kind)
        if boxes is not None:
            scenario = schema.resized(scenario, boxes)
        target = out or Path("build/sim") / Path(name).stem
        pace = pace_of(paced, speed, city_mqtt, scenario.boxes.kind)
        if pace is not None:
            summary = run_at_pace(scenario, seed, target, hours, pace, cores=cores)
        elif speed is not None:
            raise ValueError("--speed goes with --paced: in virtual time a run is as fast as it goes")
        else:
            summary = run_with_progress(scenario, seed, target, hours, cores=cores)
    except (schema.ScenarioError, ValueError, OSError) as error:
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
    for report in outcome.REPORTS:
        console.print(f"{target / report}", highlight=False, soft_wrap=True)
    if violations or calls["lost"]:
        raise typer.Exit(1)


def _load(name: str, kind: str | None) -> schema.Scenario:
    changes: dict[str, Any] = {"boxes": {"kind": kind}} if kind else {}
    return schema.load(schema.find(name), **changes)


def replay(trace: Annotated[Path, typer.Argument(help="The trace of an earlier run.")]) -> None:
    """Run a trace's scenario again and prove that every event is the same, or name the first that differs."""
    try:
        with tempfile.TemporaryDirectory() as folder, progress_bar(f"Again: {trace}") as watch:
            difference, count = outcome.replay(trace, Path(folder), watch)
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
    """Show two runs side by side, for example ours and stock, or twelve boxes and twenty.

    kiezbox sim run koepenick-2019 --kind stock --out build/sim/stock, then
    kiezbox sim compare build/sim/koepenick-2019 build/sim/stock --out build/sim/compare.html
    """
    try:
        runs = comparison.read(first), comparison.read(second)
        table = Table(title=f"A {escape(str(first))}\nB {escape(str(second))}", title_justify="left")
        for heading in ("", "A", "B", "better"):
            table.add_column(heading, justify="right" if heading in ("A", "B") else "left")
        for row in comparison.rows(*runs):
            table.add_row(*row)
        console.print(table)
        if comparison.unlike(*runs):
            console.print("The two runs differ in scenario, duration or seed; compare with care.", highlight=False)
        if out is not None:
            write_pages(out, lambda language, other: comparison.render(*runs, language, other))
    except (ValueError, OSError) as error:
        raise fail(error) from error


def place(
    area: Annotated[Path, typer.Option(help="TOML file with the outline, the gateway and perhaps the roofs.")],
    boxes: Annotated[int, typer.Option(min=1, max=500, help="How many boxes.")],
    out: Annotated[Path | None, typer.Option(help="Where the page goes.")] = None,
) -> None:
    """Propose where boxes should stand, and say which one the network can least afford to lose.

    A small area file: name = "Schöneberg", outline = [[0, 0], [2600, 0], [2600, 2200], [0, 2200]] in metres east and
    north, and a table gateway with name, x_m, y_m, height_m. All keys: docs/simulator.md.
    """
    try:
        found = load_area(area)
        with Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console, transient=True
        ) as progress:
            task = progress.add_task(f"Placing in {found.name}", total=boxes)
            proposal = propose(found, boxes, lambda chosen: progress.update(task, completed=chosen))
        for rank, (box, share) in enumerate(zip(proposal.boxes, proposal.coverage, strict=True), 1):
            console.print(
                f"{rank:3d}  {box.name:24s} x {box.x_m:7.0f} m  y {box.y_m:7.0f} m  covered {100 * share:3.0f} %",
                highlight=False, markup=False,
            )  # fmt: skip
        console.print(place_report.verdict(proposal), highlight=False, markup=False)
        if len(proposal.boxes) < boxes:
            console.print(
                f"Only {len(proposal.boxes)} positions reach the network with {found.margin_db:g} dB to spare: raise "
                "the boxes or the gateway, or lower margin_db.",
                highlight=False,
            )
        target = out or Path("build/sim") / f"place-{area.stem}.html"
        write_pages(target, lambda language, other: place_report.render(proposal, language, other))
    except (schema.ScenarioError, OSError) as error:
        raise fail(error) from error


def watch(
    name: ScenarioName,
    seed: Annotated[int, typer.Option(help="As for run.")] = 1,
    speed: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Simulated seconds per second; 0 is as fast as it goes, but not with --paced.",
            show_default="600, with --paced 1",
        ),
    ] = None,
    hours: Hours = None,
    kind: Kind = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on loopback; 0 takes any.")] = 0,
    language: Annotated[str, typer.Option(help=f"Of the page: {' or '.join(LANGUAGES)}.")] = "en",
    once: Annotated[bool, typer.Option(help="Stop when the run is over, without waiting for Enter.")] = False,
    paced: Paced = False,
    city_mqtt: CityMqtt = "",
) -> None:
    """Watch a scenario run, in the browser."""
    try:
        scenario = _load(name, kind)
        pace = pace_of(paced, speed, city_mqtt, scenario.boxes.kind)
        view = LiveView(0.0 if pace is not None else 600.0 if speed is None else speed, port, language)
    except (schema.ScenarioError, ValueError) as error:
        raise fail(error) from error
    except OSError as error:
        raise fail(f"port {port} cannot be used: {error.strerror}. Choose another, or 0 for any") from error
    console.print(f"Look at {view.url}", highlight=False)
    target = Path("build/sim") / f"watch-{Path(name).stem}"
    try:
        if pace is not None:
            run_at_pace(scenario, seed, target, hours, pace, view.watch)
        else:
            with progress_bar(scenario.title) as advance:

                def both(simulation: Simulation) -> None:
                    advance(simulation)
                    view.watch(simulation)

                outcome.run(scenario, seed, target, hours, both)
        console.print(f"Finished: {target / outcome.REPORTS[0]}", highlight=False, soft_wrap=True)
        if not once:
            console.input("Enter ends the view. ")
    except (schema.ScenarioError, ValueError, OSError) as error:
        raise fail(error) from error
    finally:
        view.close()


def register(app: typer.Typer) -> None:
    """Add the commands to the simulator's app."""
    app.command("run")(run)
    app.command("replay")(replay)
    app.command("list")(list_scenarios)
    app.command("compare")(compare)
    app.command("place")(place)
    app.command("watch")(watch)
