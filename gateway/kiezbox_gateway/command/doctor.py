# SPDX-License-Identifier: Apache-2.0
"""`kiezbox gateway doctor`: looks at everything a gateway needs and says what to do about what is wrong."""

import asyncio
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from kiezbox_gateway import clock, configuration, logging_setup, secret_files
from kiezbox_gateway.city.broker import BrokerAddress, BrokerConnection, BrokerError
from kiezbox_gateway.command import client
from kiezbox_gateway.command.client import DEFAULT_CONFIG, ConfigOption, JsonOption
from kiezbox_gateway.configuration import Configuration, ConfigurationError
from kiezbox_gateway.radio.link import RadioLink
from kiezbox_gateway.radio.session import Event
from kiezbox_gateway.radio.setup import Wanted
from kiezbox_gateway.store import backup, database
from kiezbox_gateway.store.rows import StoreError

app = typer.Typer(pretty_exceptions_enable=False)
RADIO_TIMEOUT_S = 15.0
SYNC_TRIES = 20
SYNC_SLOW_MS = 100.0


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `advice` says what to do where it is not good."""

    name: str
    good: bool
    found: str
    advice: str = ""


def _secrets(settings: Configuration) -> Finding:
    try:
        boxes = secret_files.read_boxes(settings.boxes.file)
        secret_files.read_district_key(settings.boxes.district_key_file)
        secret_files.read_hex_key(settings.radio.channel_key_file, secret_files.CHANNEL_KEY_LENGTHS)
        secret_files.read_token(settings.web.token_file)
    except secret_files.SecretFileError as error:
        return Finding("keys", False, str(error), "repair the file named")
    if not boxes:
        return Finding("keys", False, "no box is enrolled", "`kiezbox gateway enroll NODE NAME` for each box")
    return Finding("keys", True, f"in order, {len(boxes)} boxes")


def _disk(settings: Configuration) -> Finding:
    folder = settings.gateway.data_dir
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = folder / "doctor"
        times_ms = []
        with probe.open("wb") as file:
            for _ in range(SYNC_TRIES):
                file.write(b"x" * 4096)
                file.flush()
                begun_s = time.perf_counter()
                os.fdatasync(file.fileno())
                times_ms.append((time.perf_counter() - begun_s) * 1000)
        probe.unlink()
        statistics = os.statvfs(folder)
    except OSError as error:
        return Finding("disk", False, f"{folder}: {error.strerror}", "give the gateway's user the right to write there")
    free_mib = statistics.f_bavail * statistics.f_frsize >> 20
    slowest_ms = max(times_ms)
    found = f"{free_mib} MiB free, slowest sync {slowest_ms:.1f} ms"
    if free_mib < settings.outbox.disk_free_min_mib:
        return Finding("disk", False, found, "make room, or lower outbox.disk_free_min_mib")
    if slowest_ms > SYNC_SLOW_MS:
        return Finding("disk", False, found, "use a better SD card or an SSD; each message waits for a sync")
    return Finding("disk", True, found)


def _database(settings: Configuration) -> Finding:
    path = settings.gateway.data_dir / database.FILE_NAME
    if not path.exists():
        return Finding("database", True, "none yet; the first start makes it")
    try:
        version = backup.check(path)
    except StoreError as error:
        return Finding(
            "database", False, str(error), "start the gateway, which repairs it, or `kiezbox gateway restore`"
        )
    return Finding("database", True, f"sound, schema {version}, {len(backup.newest_first(path.parent))} backups")


def _clock(settings: Configuration) -> Finding:
    quality = clock.quality(settings.clock.trust)
    if settings.clock.trust == "never":
        return Finding("clock", True, "boxes are not told the time (clock.trust)")
    if not quality:
        advice = "enable NTP (timedatectl set-ntp true); until then boxes are not told the time"
        return Finding("clock", False, "not in step with NTP", advice)
    return Finding("clock", True, "in step")


def _running(config: Path) -> dict[str, Any] | None:
    try:
        return client.call(config, "GET", "/api/v1/status")
    except client.NotRunningError:
        return None


async def _try_radio(settings: Configuration) -> Finding:
    ready = asyncio.Event()

    async def take(event: Event) -> None:
        if type(event).__name__ == "Ready":
            ready.set()

    radio = settings.radio
    key = secret_files.read_hex_key(radio.channel_key_file, secret_files.CHANNEL_KEY_LENGTHS)
    wanted = Wanted(radio.region, radio.preset, radio.channel_name, key, radio.hop_limit)
    link = RadioLink(radio.address, wanted, take, may_write=False)
    task = asyncio.create_task(link.run())
    try:
        async with asyncio.timeout(RADIO_TIMEOUT_S):
            await ready.wait()
    except TimeoutError:
        return Finding(
            "radio", False, link.status.last_error or "does not answer", "check cable, power and radio.address"
        )
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    if link.status.differences:
        found = "settings that do not fit: " + ", ".join(link.status.differences)
        if radio.setup:
            return Finding("radio", True, f"{found}; the gateway will write them")
        return Finding("radio", False, found, "set radio.setup = true, or change them with the Meshtastic app")
    return Finding("radio", True, f"node {link.status.node_num:08x}, firmware {link.status.firmware_version}")


async def _try_city(settings: Configuration) -> Finding:
    city = settings.city
    try:
        password = secret_files.read_secret(city.password_file).strip() if city.password_file else None
        # A client id of its own: with the gateway's it would put a running gateway out.
        identifier = f"doctor-{os.getpid()}"
        address = BrokerAddress(
            url=city.url,
            client_id=identifier,
            username=city.username,
            password=password,
            ca_file=city.ca_file,
            certificate_file=city.certificate_file,
            certificate_key_file=city.certificate_key_file,
            version=5 if city.protocol == "5" else 4,
        )
        connection = await BrokerConnection.open(address)
    except (BrokerError, secret_files.SecretFileError) as error:
        return Finding("city", False, str(error), "messages wait in the outbox until the broker answers")
    await connection.close()
    return Finding("city", True, f"{city.url} accepts the gateway")


def _part(status: dict[str, Any], name: str) -> Finding:
    part = status[name]
    if name == "radio":
        good = part["state"] == "ready" and not part["does_not_fit"] and not part["contended"]
        advice = "close the other program that uses the radio" if part["contended"] else "check cable and power"
        return Finding(name, good, part["last_error"] or part["state"], "" if good else advice)
    found = "connected" if part["connected"] else part["last_error"] or "not connected"
    return Finding(name, part["connected"], found, "" if part["connected"] else "messages wait in the outbox")


def examine(config: Path) -> list[Finding]:
    """Everything, in the order in which to repair it."""
    try:
        settings = configuration.load(config)
    except ConfigurationError as error:
        return [Finding("configuration", False, problem, f"edit {config}") for problem in error.problems]
    findings = [Finding("configuration", True, f"{config} is in order")]
    checks: list[Callable[[Configuration], Finding]] = [_secrets, _disk, _database, _clock]
    findings += [check(settings) for check in checks]
    if findings[1].good or "no box" in findings[1].found:
        status = _running(config)
        if status is not None:
            findings.append(Finding("gateway", True, f"runs since {status['uptime_s']} s"))
            findings += [_part(status, "radio"), _part(status, "city")]
        else:
            findings.append(Finding("gateway", True, "is not running"))
            findings += [asyncio.run(_try_radio(settings)), asyncio.run(_try_city(settings))]
    return findings


@app.command()
def doctor(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Check configuration, keys, disk, database, clock, radio and broker, and say what to do."""
    # What the parts log while they are tried is said by the findings.
    logging_setup.configure("error", "text")
    findings = examine(config)
    _print(findings, as_json=as_json)
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)


def _print(findings: list[Finding], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False, indent=1))
        return
    table = Table(title="Gateway", title_justify="left")
    for column in ("", "what", "found", "what to do"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        mark = "[green]good[/green]" if finding.good else "[red]BAD[/red]"
        table.add_row(mark, finding.name, finding.found, finding.advice)
    Console().print(table)
