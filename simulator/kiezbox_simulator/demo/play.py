# SPDX-License-Identifier: Apache-2.0
"""Plays the demo from beginning to end: sets up, tells the story, keeps it running if wanted, ends every process,
writes the summary.

Ctrl-C and SIGTERM at any moment end it the same way. Called by `command.py` and by tests.
"""

import asyncio
import contextlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kiezbox_simulator.demo import accounting
from kiezbox_simulator.demo.deployment import BOXES
from kiezbox_simulator.demo.flash_look import FlashError
from kiezbox_simulator.demo.narration import Narrator, StoryError
from kiezbox_simulator.demo.resident import PageError
from kiezbox_simulator.demo.stage import Settings, Stage, StageError
from kiezbox_simulator.demo.story import Story
from kiezbox_simulator.ether.connection import EtherError
from kiezbox_simulator.firmware_build import FirmwareBuildError
from kiezbox_simulator.interruption import StoppedError, stopped_by_signals, unless
from kiezbox_simulator.program import ProgramError
from kiezbox_simulator.real_gateway.city import CityError
from kiezbox_simulator.real_gateway.folder import FolderError
from kiezbox_simulator.real_gateway.process import GatewayError

EXIT_HELD = 0
EXIT_BROKEN = 1
EXIT_INTERRUPTED = 130
TROUBLE = (
    StageError, FlashError, CityError, FolderError, GatewayError, PageError, EtherError, ProgramError,
    FirmwareBuildError,
)  # fmt: skip


async def play(settings: Settings, narrator: Narrator) -> int:
    """The exit status: 0 only if every line of the story held."""
    stage = Stage(settings, narrator)
    story: Story | None = None
    problem = ""
    status = EXIT_BROKEN
    with stopped_by_signals() as stop:
        try:
            await unless(stop, stage.set_up())
            story = Story(stage, narrator)
            await unless(stop, story.play())
            status = EXIT_HELD
        except StoryError as error:
            problem = str(error)
        except TROUBLE as error:
            problem = _culprit(stage) or str(error)
            narrator.console.print(f"[red]{problem}[/red]", highlight=False)
        except StoppedError:
            problem = "interrupted"
            status = EXIT_INTERRUPTED
        finally:
            duration_s = round(narrator.at_s, 1)
            if status == EXIT_HELD and story is not None:
                write_summary(settings.folder, summary(stage, story, narrator, duration_s, problem))
                _conclude(narrator, settings, duration_s)
                if settings.keep:
                    _invite(narrator, stage)
                    with contextlib.suppress(StoppedError):
                        await unless(stop, asyncio.Event().wait())
            await asyncio.shield(stage.strike())
        if status != EXIT_HELD:
            if story is not None:
                write_summary(settings.folder, summary(stage, story, narrator, duration_s, problem))
            if problem == "interrupted":
                narrator.console.print("Interrupted. Everything that was started has been stopped.")
            elif story is not None:
                narrator.console.print(f"[red]The story broke: {problem}[/red]", highlight=False)
                narrator.console.print(f"What each process said is in {settings.folder / 'logs'}.", highlight=False)
    return status


def summary(stage: Stage, story: Story, narrator: Narrator, duration_s: float, problem: str) -> dict[str, Any]:
    """The content of summary.json."""
    found = story.found
    return {
        "held": not problem and bool(narrator.lines) and all(line.held for line in narrator.lines),
        "problem": problem or None,
        "duration_s": duration_s,
        "city": stage.settings.city_mqtt or "amqtt in a process of its own",
        "hops_of_box_5": found.hops,
        "call": {"id": found.call_id, "code": found.code},
        "text_id": found.text_id,
        "gateway_pids": found.gateway_pids,
        "dark_s": round(max(0.0, found.dark_until_s - found.dark_from_s), 1),
        "waiting_in_the_dark": found.waiting_in_the_dark,
        "arrived": len(stage.city.arrivals),
        "arrived_more_than_once": stage.city.repeated(),
        "arrived_before_any_reading_after_the_dark": found.call_id,
        "air": {
            "frames": stage.air.frames,
            "airtime_ms": stage.air.airtime_ms,
            "receptions_lost": stage.air.lost,
        },
        "senders": accounting.as_json(found.counted) if found.counted else [],
        "lines": [asdict(line) for line in narrator.lines],
    }


def write_summary(folder: Path, content: dict[str, Any]) -> None:
    """build/demo/summary.json"""
    (folder / "summary.json").write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def _conclude(narrator: Narrator, settings: Settings, duration_s: float) -> None:
    count = len(narrator.lines)
    narrator.console.print()
    narrator.console.print(
        f"[bold green]Every line of the story held[/bold green]: {count} checks in {duration_s:.0f} s. "
        f"The same as JSON: {settings.folder / 'summary.json'}; what each process said: {settings.folder / 'logs'}",
        highlight=False,
    )


def _invite(narrator: Narrator, stage: Stage) -> None:
    port = stage.settings.resident_port
    host = "127.0.0.1" if port == 4403 else f"127.0.0.1:{port}"
    say = narrator.console.print
    say()
    say("[bold]It goes on running until you press Ctrl-C. Look around:[/bold]")
    say(f"  the page of box 5        http://127.0.0.1:{stage.box_ports[-1]}/", highlight=False)
    for place, box_port in zip(BOXES[:-1], stage.box_ports, strict=False):
        say(f"  the page of {place.name}  http://127.0.0.1:{box_port}/", highlight=False)
    say(f"  the gateway's status     {stage.gateway.url}", highlight=False)
    say(f"  what the city receives   mqtt://{stage.city.host}:{stage.city.port}  topic kiezbox/v1/#", highlight=False)
    say("Talk to the resident's radio with the unmodified Meshtastic command line:")
    for words in ("--info", "--nodes", '--sendtext "Hallo"'):
        say(f"  .venv/bin/meshtastic --host {host} {words}", highlight=False)
    say(
        "  (its version 2.7.11 may print “Broken pipe” as it ends, a race of its own; the command has worked)",
        style="dim",
        highlight=False,
    )


def _culprit(stage: Stage) -> str:
    """A program that has died says more than what its death broke elsewhere."""
    try:
        stage.programs.check()
    except ProgramError as error:
        return str(error)
    return ""
