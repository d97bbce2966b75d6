# SPDX-License-Identifier: Apache-2.0
"""`kiezbox gateway` commands that look at a running gateway: status, boxes, messages, calls, jobs, audit."""

from typing import Annotated
from urllib.parse import quote

import typer

from kiezbox_gateway.command import client, printing
from kiezbox_gateway.command.client import DEFAULT_CONFIG, ConfigOption, JsonOption
from kiezbox_gateway.language import text
from kiezbox_gateway.web.desk import CATEGORIES, SIGNS, STAGES

app = typer.Typer(pretty_exceptions_enable=False)

LimitOption = Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many, the newest first.")]


@app.command()
def status(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """What the running gateway does, and what needs attention. Exit status 3 when something urgent does."""
    found = client.call(config, "GET", "/api/v1/status")
    urgent = any(alarm["urgent"] for alarm in found["alarms"])
    if as_json:
        printing.as_json(found)
        raise typer.Exit(3 if urgent else 0)
    radio, city = found["radio"], found["city"]
    say = printing.line
    say(
        text(
            "{name} (district {district}), up {hours} h {minutes} min",
            name=found["gateway"],
            district=found["district"],
            hours=found["uptime_s"] // 3600,
            minutes=found["uptime_s"] % 3600 // 60,
        ),
        "bold",
    )
    for alarm in found["alarms"]:
        detail = f": {alarm['detail']}" if alarm["detail"] else ""
        say(f"  ! {alarm['sentence']}{detail}", "bold red" if alarm["urgent"] else "yellow")
        say(f"    {text('What to do: {advice}', advice=alarm['advice'])}")
    error = f": {radio['last_error']}" if radio["last_error"] and radio["state"] != "ready" else ""
    say(f"  {text('Radio')}: {radio['state']}{error}")
    state = text("connected") if city["connected"] else text("not reachable")
    error = f": {city['last_error']}" if city["last_error"] and not city["connected"] else ""
    say(f"  {text('City')}: {state}, {text('{count} confirmed', count=city['confirmed'])}{error}")
    free = text("{count} MiB free", count=found["disk"]["free_bytes"] >> 20)
    say(f"  {text('Store')}: {found['custody']['alarm'] or text('works')}, {free}")
    waiting = ", ".join(f"{count} {text(kind)}" for kind, count in found["waiting"].items() if count)
    say(f"  {text('waiting for the city:')} {waiting or text('nothing')}")
    raise typer.Exit(3 if urgent else 0)


@app.command()
def boxes(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """The boxes of the district and what was last heard of them."""
    found = client.call(config, "GET", "/api/v1/boxes")["boxes"]
    if as_json:
        printing.as_json(found)
        return
    rows = [
        {
            **each,
            "mode": text(each["mode"]) if each["mode"] else None,
            "battery": (each["health"] or {}).get("battery_mv"),
            "signs": ", ".join(text(SIGNS[sign]) for sign in each["signs"] if sign in SIGNS) or None,
        }
        for each in found
    ]
    columns = {
        "name": text("Name"),
        "box": text("Number"),
        "heard_at": text("Last heard"),
        "received": text("Messages"),
        "hops": text("Hops"),
        "rssi_dbm": "dBm",
        "battery": "mV",
        "mode": text("Mode"),
    }
    if any(row["signs"] for row in rows):
        columns["signs"] = text("Reports")
    printing.table(rows, columns, text("Boxes"))
    proposing = [each for each in found if "blackout_proposed" in each["signs"] and each["mode"] != "emergency"]
    if proposing:
        printing.line(
            text(
                "{count} boxes propose a blackout. Is it true? To switch all: kiezbox gateway mode emergency",
                count=len(proposing),
            ),
            "bold red",
        )


@app.command()
def messages(
    config: ConfigOption = DEFAULT_CONFIG,
    kind: Annotated[
        str | None, typer.Option(help="Only this kind: call, exercise, button, reading, health, stage, mode, gateway.")
    ] = None,
    box: Annotated[str | None, typer.Option(help="Only of this box (node number in hexadecimal).")] = None,
    limit: LimitOption = 20,
    as_json: JsonOption = False,
) -> None:
    """The newest messages; what residents wrote is shown by `calls` only."""
    path = f"/api/v1/messages?limit={limit}"
    if kind is not None:
        path += f"&kind={quote(kind, safe='')}"
    if box is not None:
        path += f"&box={quote(box.removeprefix('!'), safe='')}"
    found = client.call(config, "GET", path)["messages"]
    if as_json:
        printing.as_json(found)
        return
    columns = {
        "sequence": text("No."),
        "kind": text("Kind"),
        "box_name": text("Box"),
        "counter": text("Counter"),
        "received_at": text("Received"),
        "confirmed_at": text("City has it"),
    }
    printing.table(found, columns, text("Messages"))


@app.command()
def calls(
    config: ConfigOption = DEFAULT_CONFIG,
    only_open: Annotated[bool, typer.Option("--open", help="Only those not answered yet.")] = False,
    limit: LimitOption = 20,
    as_json: JsonOption = False,
) -> None:
    """The newest calls for help, with what residents wrote. Whoever sees this screen reads them."""
    found = client.call(config, "GET", f"/api/v1/calls?limit={limit}" + ("&open=1" if only_open else ""))["calls"]
    if as_json:
        printing.as_json(found)
        return
    rows = []
    for each in found:
        body = each["body"]
        marks = [text("EXERCISE")] if each["kind"] == "exercise" else []
        marks += [] if each["verified"] else [text("UNVERIFIED: sender not proven")]
        marks += [text("one of many texts")] if each["surplus"] else []
        category = text(CATEGORIES[body["category"]]) if body.get("category") in CATEGORIES else ""
        rows.append(
            {
                **each,
                "code": each["code"] or each["id"],
                "where": ", ".join(part for part in (body.get("place"), each["box_name"]) if part),
                "stage": text(STAGES.get(each["stage"], "–")),
                "words": "\n".join(part for part in (*marks, category, body.get("text")) if part),
            }
        )
    columns = {
        "code": text("Code"),
        "received_at": text("Received"),
        "stage": text("How far it is"),
        "where": text("Where"),
        "words": text("What"),
    }
    printing.table(rows, columns, text("Calls"))


@app.command()
def jobs(config: ConfigOption = DEFAULT_CONFIG, limit: LimitOption = 20, as_json: JsonOption = False) -> None:
    """Messages to boxes, and which box has confirmed them."""
    found = client.call(config, "GET", f"/api/v1/jobs?limit={limit}")["jobs"]
    if as_json:
        printing.as_json(found)
        return
    rows = []
    for job in found:
        states = [box["state"] + (f" ({box['detail']})" if box["detail"] else "") for box in job["boxes"]]
        counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
        rows.append({**job, "states": counts or text("to all, without answer")})
    columns = {
        "number": text("No."),
        "kind": text("Kind"),
        "box": text("Box"),
        "origin": text("From"),
        "created_at": text("Made"),
        "states": text("State"),
    }
    printing.table(rows, columns, text("Jobs"))


@app.command()
def audit(config: ConfigOption = DEFAULT_CONFIG, limit: LimitOption = 20, as_json: JsonOption = False) -> None:
    """Who ordered what: names of tokens and ids, nothing that a resident wrote."""
    found = client.call(config, "GET", f"/api/v1/audit?limit={limit}")["audit"]
    if as_json:
        printing.as_json(found)
        return
    columns = {"at": text("When"), "actor": text("Who"), "action": text("What"), "detail": text("Detail")}
    printing.table([{**each, "at": printing.moment(each["at"])} for each in found], columns, text("Orders"))
