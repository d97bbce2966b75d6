# SPDX-License-Identifier: Apache-2.0
"""A run from scenario to files: `summary.json`, `trace`, `report.html` in two languages; and the same run again from a
trace's header."""

import json
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from kiezbox_simulator.real_gateway.folder import empty_own_folder
from kiezbox_simulator.scenario import report
from kiezbox_simulator.scenario.paced import Pace, PacedRun
from kiezbox_simulator.scenario.schema import Scenario, parse
from kiezbox_simulator.scenario.simulation import Simulation
from kiezbox_simulator.scenario.summary import summarise
from kiezbox_simulator.virtual.trace import first_difference, read_header

REPORTS = ("report.html", "report.de.html")
"""The page in English and in German; each links to the other."""


def shortened(scenario: Scenario, hours: float | None) -> Scenario:
    """The same scenario with only its first hours; what would come later is left out."""
    if hours is None or hours >= scenario.duration_h:
        return scenario
    values = scenario.model_dump()
    values["duration_h"] = hours
    for kind in ("mode", "bulletin", "fault", "attack"):
        values[kind] = tuple(part for part in values[kind] if part["at_h"] <= hours)
    return parse(values)


def run(
    scenario: Scenario,
    seed: int,
    out: Path,
    shorten_h: float | None = None,
    watch: Callable[[Simulation], None] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Run and write everything to the folder `out`; returns the summary. `options` go to Simulation."""
    scenario = shortened(scenario, shorten_h)
    out.mkdir(parents=True, exist_ok=True)
    header = {"scenario": scenario.model_dump(mode="json"), "seed": seed}
    with tempfile.TemporaryDirectory(prefix="kiezbox-sim-") as work:
        simulation = Simulation(scenario, seed, trace_path=out / "trace", work_dir=Path(work), header=header, **options)
        simulation.run(watch)
    return _write(simulation, out)


def run_paced(
    scenario: Scenario,
    seed: int,
    out: Path,
    shorten_h: float | None,
    pace: Pace,
    watch: Callable[[Simulation], None] | None,
    say: Callable[[str], None],
    **options: Any,
) -> dict[str, Any]:
    """The same with the real gateway, at the clock's pace; its files are in `out/paced`, which is emptied before.

    Raises what PacedRun.run does, and FolderError if somebody else's files are there.
    """
    scenario = shortened(scenario, shorten_h)
    out.mkdir(parents=True, exist_ok=True)
    empty_own_folder(out / "paced", "kiezbox sim run")
    header = {"scenario": scenario.model_dump(mode="json"), "seed": seed, "paced": pace.speed}
    with tempfile.TemporaryDirectory(prefix="kiezbox-sim-") as work:
        paced = PacedRun(
            scenario, seed, out / "paced", pace, trace_path=out / "trace", work_dir=Path(work), header=header, **options
        )
        paced.run(watch, say)
    return _write(paced.simulation, out)


def _write(simulation: Simulation, out: Path) -> dict[str, Any]:
    """summary.json and the reports."""
    summary = summarise(simulation)
    (out / "summary.json").write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for language, name, other in (("en", REPORTS[0], REPORTS[1]), ("de", REPORTS[1], REPORTS[0])):
        (out / name).write_text(report.render(simulation, summary, language, other), encoding="utf-8")
    return summary


def replay(
    trace: Path, folder: Path, watch: Callable[[Simulation], None] | None = None
) -> tuple[tuple[int, str, str] | None, int]:
    """Run a trace's scenario again into `folder`: the first difference (None if equal) and the number of events."""
    header = read_header(trace)
    if header.get("paced"):
        raise ValueError(f"{trace} is of a paced run: the clock took part, so it is not the same twice")
    values = header["scenario"]
    values["start"] = datetime.fromisoformat(values["start"])
    summary = run(parse(values, str(trace)), int(header["seed"]), folder, None, watch)
    return first_difference(trace, folder / "trace"), int(summary["trace_events"])
