# SPDX-License-Identifier: Apache-2.0
"""`kiezbox gateway` commands over stored data: export, backup, restore, erase; most work beside a running gateway."""

import csv
import json
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, TextIO
from urllib.parse import quote

import typer

from kiezbox.protocol.reading import VALUE_NAMES
from kiezbox_gateway import box_files, configuration
from kiezbox_gateway.city.message import instant
from kiezbox_gateway.clock import unix_ms
from kiezbox_gateway.command import CommandError, client, printing
from kiezbox_gateway.command.client import DEFAULT_CONFIG, ConfigOption, JsonOption
from kiezbox_gateway.configuration import Configuration
from kiezbox_gateway.language import harmless, text
from kiezbox_gateway.store import backup as backups
from kiezbox_gateway.store import database, erasure
from kiezbox_gateway.store.rows import StoreError

app = typer.Typer(pretty_exceptions_enable=False)


@contextmanager
def _reading(settings: Configuration) -> Iterator[sqlite3.Connection]:
    path = settings.gateway.data_dir / database.FILE_NAME
    if not path.exists():
        raise CommandError("{path} is not there; has the gateway run yet?", path=path)
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise database.translate(error) from error


@contextmanager
def _output(path: Path | None) -> Iterator[TextIO]:
    if path is None:
        yield sys.stdout
        return
    # Under another name until it is whole, so that nobody takes half a file for all.
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            yield file
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def reading_rows(connection: sqlite3.Connection, names: dict[int, str]) -> Iterator[dict[str, Any]]:
    """One row per sample, oldest message first. A value the sensor did not give is None."""
    for node_num, received_ms, body in connection.execute(
        "SELECT node_num, received_ms, body FROM message WHERE kind = 'reading' ORDER BY sequence"
    ):
        message = json.loads(body)
        samples = message.get("samples") or []
        for index, sample in enumerate(samples):
            time_s = message.get("time_s") or 0
            interval_s = message.get("interval_s") or 0
            # The message's time is that of its last sample.
            measured_s = time_s - (len(samples) - 1 - index) * interval_s if time_s else None
            yield {
                "box": f"{node_num:08x}",
                "name": names.get(node_num),
                "sequence": message.get("sequence"),
                "sample": index,
                "measured_at": None if measured_s is None else instant(measured_s * 1000),
                "received_at": instant(received_ms),
                **{name: sample.get(name) for name in VALUE_NAMES},
            }


def geojson(connection: sqlite3.Connection, boxes: list[box_files.BoxIdentity]) -> dict[str, Any]:
    """A FeatureCollection of the boxes with their latest reading; geometry is null where the position is not known."""
    features = []
    for box in boxes:
        row = connection.execute(
            "SELECT received_ms, body FROM message WHERE kind = 'reading' AND node_num = ?"
            " ORDER BY sequence DESC LIMIT 1",
            (box.node_num,),
        ).fetchone()
        properties: dict[str, Any] = {"box": f"{box.node_num:08x}", "name": box.name, "received_at": None}
        if row is not None:
            properties["received_at"] = instant(row[0])
            properties |= (json.loads(row[1]).get("samples") or [{}])[-1]
        known = box.latitude is not None and box.longitude is not None
        geometry = {"type": "Point", "coordinates": [box.longitude, box.latitude]} if known else None
        features.append({"type": "Feature", "geometry": geometry, "properties": properties})
    return {"type": "FeatureCollection", "features": features}


@app.command()
def export(
    form: Annotated[Literal["csv", "geojson"], typer.Argument(metavar="csv|geojson")] = "csv",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File; standard output if left out.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Write readings as CSV (one row per sample), or boxes with their latest reading as GeoJSON. Never calls."""
    settings = configuration.load(config)
    boxes = box_files.read_boxes(settings.boxes.file)
    with _reading(settings) as connection, _output(output) as file:
        if form == "geojson":
            json.dump(geojson(connection, boxes), file, ensure_ascii=False, indent=1)
            file.write("\n")
            return
        rows = reading_rows(connection, {box.node_num: box.name for box in boxes})
        if output is not None:
            (total,) = connection.execute(
                "SELECT ifnull(sum(json_array_length(body, '$.samples')), 0) FROM message WHERE kind = 'reading'"
            ).fetchone()
            rows = printing.counted(rows, total, text("Writing readings"))
        if as_json:
            for row in rows:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
            return
        fields = ["box", "name", "sequence", "sample", "measured_at", "received_at", *VALUE_NAMES]
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        writer.writerows(rows)


@app.command()
def backup(
    target: Annotated[Path | None, typer.Argument(help="File to write; in the data folder if left out.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Make a checked copy of the database, while the gateway runs or not."""
    settings = configuration.load(config)
    if not (settings.gateway.data_dir / database.FILE_NAME).exists():
        raise CommandError("there is no database in {data_dir} yet", data_dir=settings.gateway.data_dir)
    with printing.waiting(text("Copying and checking the database ...")):
        path = backups.make(settings.gateway.data_dir, target)
    if as_json:
        printing.as_json({"backup": str(path)})
        return
    printing.line(text("Backup written: {path}", path=path))
    if path.parent != settings.gateway.data_dir / backups.FOLDER_NAME:
        printing.line(text("It holds calls for help. It is noted, so that `erase` reaches it while it stays there."))


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(help="A backup made by this command group.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Put a backup in the database's place; newer messages that can still be read are carried over."""
    settings = configuration.load(config)
    folder = settings.gateway.data_dir
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = database.lock_folder(folder)
    try:
        with printing.waiting(text("Checking the backup and carrying newer messages over ...")):
            aside, carried = backups.restore(folder, source)
    finally:
        os.close(lock)
    if as_json:
        printing.as_json({"replaced": None if aside is None else str(aside), "carried_over": carried})
        return
    printing.line(
        text("Restored from {source}; {count} newer messages were carried over.", source=source, count=carried)
    )
    if aside is not None:
        printing.line(text("The database before is kept as {path}.", path=aside))


@app.command()
def erase(
    call: Annotated[str, typer.Argument(help="Code or id of the call.")],
    unconfirmed: Annotated[
        bool, typer.Option("--unconfirmed", help="Also when the city does not have the call yet.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Erase one person's call from the database, its log and all backups, and tell the city.

    Exit status 4: a copy made elsewhere by `backup` could not be reached; it is named."""
    settings = configuration.load(config)
    if not yes:
        typer.confirm(text("Erase the call {call} for good?", call=harmless(call)), abort=True)
    try:
        suffix = "?unconfirmed=1" if unconfirmed else ""
        path = f"/api/v1/calls/{quote(call, safe='')}{suffix}"
        with printing.waiting(text("Erasing from the database and every backup ...")):
            found = client.call(config, "DELETE", path, timeout_s=client.SLOW_TIMEOUT_S)
    except client.NotRunningError:
        found = _erase_directly(settings.gateway.data_dir, call, unconfirmed=unconfirmed)
    if as_json:
        printing.as_json(found)
    else:
        printing.line(text("Erased: {ids}", ids=", ".join(found["erased"])))
        for each in found["not_reached"]:
            printing.line(text("This copy could not be reached and may still hold it: {path}", path=each), "bold red")
    if found["not_reached"]:
        raise typer.Exit(4)


def _erase_directly(folder: Path, call: str, *, unconfirmed: bool) -> dict[str, list[str]]:
    if not (folder / database.FILE_NAME).exists():
        raise CommandError("there is no database in {folder}", folder=folder)
    lock = database.lock_folder(folder)
    try:
        with closing(database.connect(folder / database.FILE_NAME)) as connection:
            database.migrate(connection)
            now_ms = unix_ms()
            connection.execute("BEGIN IMMEDIATE")
            try:
                erased = erasure.erase_call(connection, call, now_ms, unconfirmed_too=unconfirmed)
            except StoreError:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
            erasure.empty_log(connection)
        not_reached = backups.erase_from_backups(folder, erased.ids, now_ms)
    except sqlite3.Error as error:
        raise database.translate(error) from error
    finally:
        os.close(lock)
    return {"erased": erased.ids, "not_reached": [str(path) for path in not_reached]}
