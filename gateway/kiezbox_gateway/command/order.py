# SPDX-License-Identifier: Apache-2.0
"""`kiezbox gateway` commands that make a running gateway say something to boxes: answer, mode, notice, configure."""

import json
import secrets
from datetime import datetime, time, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import quote

import typer

from kiezbox_gateway.command import CommandError, client, printing
from kiezbox_gateway.command.client import DEFAULT_CONFIG, ConfigOption, JsonOption
from kiezbox_gateway.language import text

app = typer.Typer(pretty_exceptions_enable=False)

# A name may be a number.
TEXT_SETTINGS = ("name", "short_name", "place", "district")


@app.command()
def answer(
    code: Annotated[str, typer.Argument(help="The resident's code, or the id of a call.")],
    words: Annotated[str | None, typer.Argument(metavar="TEXT", help="What the resident is to read.")] = None,
    stage: Annotated[
        int | None, typer.Option(min=3, max=5, help="3 at the station, 4 read by a person, 5 answered (with a text).")
    ] = None,
    station: Annotated[str | None, typer.Option(help="Who has the call; the gateway's station if left out.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Move a call through its stages, so that the resident's page shows it: answer K7QX2M9A "We are coming"."""
    if stage is None and words is None:
        raise CommandError("give a text to answer with, or --stage 3 or --stage 4")
    body: dict[str, Any] = {"stage": stage or 5}
    if words is not None:
        body["text"] = words
    if station is not None:
        body["station"] = station
    found = client.call(config, "POST", f"/api/v1/calls/{quote(code, safe='')}/stage", body)
    if as_json:
        printing.as_json(found)
        return
    printing.line(
        text(
            "Call {code} is at stage {stage}; its box is being told.",
            code=found["code"] or found["id"],
            stage=body["stage"],
        )
    )


@app.command()
def mode(
    wanted: Annotated[
        Literal["everyday", "emergency", "exercise", "maintenance"],
        typer.Argument(metavar="MODE", help="everyday, emergency, exercise or maintenance."),
    ],
    box: Annotated[str | None, typer.Option(help="Only this box (node number in hexadecimal).")] = None,
    until: Annotated[
        str | None,
        typer.Option(
            help="When the mode ends by itself: 18:30, 2026-11-26T06:00, 12h. Then a box goes back to the mode it was"
            " set up with."
        ),
    ] = None,
    hours: Annotated[int, typer.Option(min=1, max=720, help="How long boxes that are out of reach are told.")] = 24,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Put the boxes into a mode. Signed with the district's key; each box confirms it, see `jobs`."""
    body: dict[str, Any] = {"mode": wanted, "lifetime_s": hours * 3600}
    end = None if until is None else end_of(until, datetime.now().astimezone())
    if end is not None:
        body["until_s"] = int(end.timestamp())
    if box is not None:
        body |= {"scope": "box", "box": box.removeprefix("!").rjust(8, "0")}
    found = client.call(config, "POST", "/api/v1/mode", body)
    if as_json:
        printing.as_json(found)
        return
    printing.line(text("Mode {mode} is on its way as job {job}; see `jobs`.", mode=wanted, job=found["job"]))
    if end is not None:
        printing.line(text("It ends by itself on {date} at {time}.", date=f"{end:%d.%m.%Y}", time=f"{end:%H:%M}"))


def end_of(given: str, now: datetime) -> datetime:
    """When a mode ends: a time of day (the next one), a local date and time, or so many hours ahead."""
    value = given.strip()
    try:
        if value.endswith("h"):
            return (now + timedelta(hours=float(value[:-1]))).astimezone()
        if len(value) <= len("18:30"):
            # The wall clock decides, also over a night in which clocks are put forward or back.
            end = datetime.combine(now.date(), time.fromisoformat(value))
            return (end if end > now.replace(tzinfo=None) else end + timedelta(days=1)).astimezone()
        return datetime.fromisoformat(value).astimezone()
    except (ValueError, OverflowError, OSError):
        raise CommandError("{given} is no time; give 18:30, 2026-11-26T06:00 or 12h", given=given) from None


@app.command()
def notice(
    headline: Annotated[str, typer.Argument(help="The headline, up to 120 characters.")],
    words: Annotated[str, typer.Argument(metavar="TEXT", help="The text, up to 400 characters.")],
    source: Annotated[str | None, typer.Option(help="Who says it; the gateway's station if left out.")] = None,
    notice_language: Annotated[
        str, typer.Option("--language", help="Language of the text: de, en, tr, ar, ...")
    ] = "de",
    severity: Annotated[int, typer.Option(min=0, max=4, help="0 unknown, 1 minor ... 4 extreme.")] = 1,
    hours: Annotated[int, typer.Option(min=1, max=168, help="How long the boxes show it.")] = 24,
    identifier: Annotated[
        str | None, typer.Option("--id", help="Of a notice that this is a translation of; a new one if left out.")
    ] = None,
    area: Annotated[str | None, typer.Option(help="Where it holds.")] = None,
    instruction: Annotated[str | None, typer.Option(help="What people are to do.")] = None,
    action: Annotated[
        Literal["alert", "update", "cancel"], typer.Option(help="alert, update of one with this --id, or cancel of it.")
    ] = "alert",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Send a signed notice to all boxes. Give its --id again with another --language for a translation."""
    if source is None:
        source = client.call(config, "GET", "/api/v1/status")["station"]
    body = {
        "id": identifier or secrets.token_hex(4),
        "headline": headline,
        "text": words,
        "language": notice_language,
        "severity": severity,
        "source": source,
        "lifetime_s": hours * 3600,
        "area": area,
        "instruction": instruction,
        "action": action,
    }
    found = client.call(config, "POST", "/api/v1/bulletins", body)
    if as_json:
        printing.as_json({**found, "id": body["id"]})
        return
    printing.line(
        text("Notice {id} is on its way as job {job}; boxes repeat it to each other.", id=body["id"], job=found["job"])
    )


def setting_of(key: str, value: str) -> Any:
    """A number where one is meant; `help_points` is JSON. Raises CommandError."""
    if key == "help_points":
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            raise CommandError(
                'help_points is JSON: [{"name": "Rathaus", "address": "Am Platz 1", "kind": "water"}]'
            ) from None
    whole = value.isascii() and value.isdecimal() and len(value) < 11
    return int(value) if whole and key not in TEXT_SETTINGS else value


@app.command()
def configure(
    node: Annotated[str, typer.Argument(help="Node number of the box in hexadecimal, e.g. 7c3e51a4.")],
    settings: Annotated[
        list[str], typer.Argument(metavar="SETTING=VALUE...", help='E.g. reading_interval_s=600 place="Hof 2".')
    ],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Send settings to a box; docs/box-configuration.md names them all. Its answer is in `jobs`: confirmed, with
    (restart) where it restarts first, or refused with the settings at fault; then nothing has changed."""
    wanted: dict[str, Any] = {}
    for each in settings:
        key, mark, value = each.partition("=")
        if not mark:
            raise CommandError("{given} is not SETTING=VALUE", given=each)
        wanted[key] = setting_of(key, value)
    number = node.removeprefix("!").rjust(8, "0")
    found = client.call(config, "POST", f"/api/v1/boxes/{quote(number, safe='')}/settings", wanted)
    if as_json:
        printing.as_json(found)
        return
    printing.line(text("The settings are on their way as job {job}; see `jobs`.", job=found["job"]))
