# SPDX-License-Identifier: Apache-2.0
"""`kiezbox gateway doctor`: looks at everything a gateway needs and says what to do about what is wrong."""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer

from kiezbox_gateway import alarms, box_files, clock, configuration, logging_setup, secret_files
from kiezbox_gateway.city.broker import BrokerAddress, BrokerConnection, BrokerError
from kiezbox_gateway.command import client, printing
from kiezbox_gateway.command.client import DEFAULT_CONFIG, ConfigOption, JsonOption
from kiezbox_gateway.configuration import Configuration, ConfigurationError
from kiezbox_gateway.language import text
from kiezbox_gateway.radio.events import Event
from kiezbox_gateway.radio.link import RadioLink
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
        boxes = box_files.read_boxes(settings.boxes.file)
        secret_files.read_district_key(settings.boxes.district_key_file)
        secret_files.read_hex_key(settings.radio.channel_key_file, secret_files.CHANNEL_KEY_LENGTHS)
        secret_files.read_token(settings.web.token_file)
    except secret_files.SecretFileError as error:
        return Finding("keys", False, str(error), text("repair the file named"))
    if not boxes:
        return Finding(
            "keys", False, text("no box is enrolled"), text("`kiezbox gateway enroll NODE NAME` for each box")
        )
    return Finding("keys", True, text("in order, {count} boxes", count=len(boxes)))


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
        return Finding(
            "disk", False, f"{folder}: {error.strerror}", text("give the gateway's user the right to write there")
        )
    free_mib = statistics.f_bavail * statistics.f_frsize >> 20
    slowest_ms = max(times_ms)
    found = text("{free} MiB free, slowest sync {slowest:.1f} ms", free=free_mib, slowest=slowest_ms)
    if free_mib < settings.outbox.disk_free_min_mib:
        return Finding("disk", False, found, text("make room, or lower outbox.disk_free_min_mib"))
    if slowest_ms > SYNC_SLOW_MS:
        return Finding("disk", False, found, text("use a better SD card or an SSD; each message waits for a sync"))
    return Finding("disk", True, found)


def _database(settings: Configuration) -> Finding:
    path = settings.gateway.data_dir / database.FILE_NAME
    if not path.exists():
        return Finding("database", True, text("none yet; the first start makes it"))
    try:
        version = backup.check(path)
    except StoreError as error:
        return Finding(
            "database", False, str(error), text("start the gateway, which repairs it, or `kiezbox gateway restore`")
        )
    return Finding(
        "database",
        True,
        text("sound, schema {version}, {count} backups", version=version, count=len(backup.newest_first(path.parent))),
    )


def _clock(settings: Configuration) -> Finding:
    quality = clock.quality(settings.clock.trust)
    if settings.clock.trust == "never":
        return Finding("clock", True, text("boxes are not told the time (clock.trust)"))
    if not quality:
        advice = text("enable NTP (timedatectl set-ntp true); boxes are not told the time")
        return Finding("clock", False, text("not in step with NTP"), advice)
    return Finding("clock", True, text("in step"))


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
            "radio",
            False,
            link.status.last_error or text("does not answer"),
            text("check cable, power and radio.address"),
        )
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    if link.status.differences:
        found = text("settings that do not fit: {names}", names=", ".join(link.status.differences))
        if radio.setup:
            return Finding("radio", True, text("{found}; the gateway will write them", found=found))
        return Finding("radio", False, found, text("set radio.setup = true, or change them with the Meshtastic app"))
    return Finding(
        "radio",
        True,
        text(
            "node {node}, firmware {version}", node=f"{link.status.node_num:08x}", version=link.status.firmware_version
        ),
    )


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
        return Finding("city", False, str(error), text("messages wait in the outbox until the broker answers"))
    await connection.close()
    return Finding("city", True, text("{url} accepts the gateway", url=city.url))


def _certificate(settings: Configuration) -> Finding:
    path = settings.city.certificate_file
    left_s = alarms.certificate_left_s(path, time.time())
    if path is None:
        return Finding("certificate", True, text("none is used"))
    if left_s is None:
        return Finding("certificate", False, text("{path} cannot be read", path=path), text("repair the file named"))
    found = text("{days} days left", days=int(left_s // 86_400))
    good = left_s > alarms.CERTIFICATE_S
    return Finding("certificate", good, found, "" if good else text(alarms.KINDS["certificate_expires"].advice))


def _part(status: dict[str, Any], name: str) -> Finding:
    part = status[name]
    if name == "radio":
        good = part["state"] == "ready" and not part["does_not_fit"] and not part["contended"]
        kind = "radio_contended" if part["contended"] else "radio_settings" if part["does_not_fit"] else "radio_away"
        found = part["state"] if good else part["last_error"] or text(alarms.KINDS[kind].sentence)
        return Finding(name, good, found, "" if good else text(alarms.KINDS[kind].advice))
    if part["connected"]:
        return Finding(name, True, text("connected"))
    return Finding(
        name,
        False,
        part["last_error"] or text("not reachable"),
        text("messages wait in the outbox until the broker answers"),
    )


def examine(config: Path) -> list[Finding]:
    """Everything, in the order in which to repair it."""
    try:
        settings = configuration.load(config)
    except ConfigurationError as error:
        return [
            Finding("configuration", False, problem, text("edit {path}", path=config)) for problem in error.problems
        ]
    findings = [Finding("configuration", True, text("{config} is in order", config=config))]
    checks: list[Callable[[Configuration], Finding]] = [_secrets, _disk, _database, _clock, _certificate]
    findings += [check(settings) for check in checks]
    if _token_is_readable(settings):
        status = _running(config)
        if status is not None:
            findings.append(Finding("gateway", True, text("runs since {seconds} s", seconds=status["uptime_s"])))
            findings += [_part(status, "radio"), _part(status, "city")]
        else:
            findings.append(Finding("gateway", True, text("is not running")))
            findings += [asyncio.run(_try_radio(settings)), asyncio.run(_try_city(settings))]
    return findings


def _token_is_readable(settings: Configuration) -> bool:
    try:
        secret_files.read_token(settings.web.token_file)
        secret_files.read_hex_key(settings.radio.channel_key_file, secret_files.CHANNEL_KEY_LENGTHS)
    except secret_files.SecretFileError:
        return False
    return True


@app.command()
def doctor(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Check configuration, keys, disk, database, clock, radio and broker, and say what to do."""
    # What the parts log while they are tried is said by the findings.
    logging_setup.configure("error", "text")
    with printing.waiting(text("Looking at configuration, keys, disk, database, clock, radio and broker ...")):
        findings = examine(config)
    _print(findings, as_json=as_json)
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)


def _print(findings: list[Finding], *, as_json: bool) -> None:
    if as_json:
        printing.as_json([asdict(finding) for finding in findings])
        return
    rows = [
        {
            "mark": text("good") if each.good else text("BAD"),
            "name": text(each.name),
            "found": each.found,
            "do": each.advice,
        }
        for each in findings
    ]
    printing.table(
        rows, {"mark": "", "name": text("What"), "found": text("Found"), "do": text("What to do")}, "Gateway"
    )
