# SPDX-License-Identifier: Apache-2.0
"""The one schema of the one configuration file (TOML).

All errors are reported together, unknown keys are errors, and no secret stands in the file: secrets are in files of
their own, named here, relative to the configuration's folder. `template.toml` beside this file is what `init` writes; a
test holds both together.
"""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from meshtastic.protobuf import config_pb2
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from kiezbox_gateway.language import text

Token = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Line = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$")]
HostName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$")]
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


# What pydantic calls a limit -> what is said of it.
LIMITS = {
    "ge": "must be at least {limit}",
    "gt": "must be more than {limit}",
    "le": "must be at most {limit}",
    "min_length": "must have at least {limit} characters",
    "max_length": "must have at most {limit} characters",
    "pattern": "must match {limit}",
    "expected": "must be {limit}",
}


class ConfigurationError(Exception):
    """The configuration cannot be used. `problems` holds one sentence for each thing to repair."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        super().__init__(f"{path}: " + "; ".join(problems))
        self.path = path
        self.problems = problems


class Section(BaseModel):
    """A table of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Gateway(Section):
    """Who this gateway is."""

    name: Line
    district: Token
    station: Line
    number: Annotated[int, Field(ge=0, le=7)] = 0
    data_dir: Path = Path("data")


class Radio(Section):
    """The Meshtastic radio and the channel the boxes share."""

    address: str = "auto"
    region: str = "EU_868"
    preset: str = "MEDIUM_FAST"
    channel_name: Annotated[str, StringConstraints(min_length=1, max_length=11)] = "Kiezbox"
    channel_key_file: Path = Path("keys/channel.key")
    hop_limit: Annotated[int, Field(ge=1, le=7)] = 5
    setup: bool = True
    confirm_texts: bool = True

    @field_validator("address")
    @classmethod
    def _known_address(cls, value: str) -> str:
        if value == "auto" or re.fullmatch(r"serial:/.+", value):
            return value
        parts = urlsplit(value)
        if parts.scheme == "tcp" and parts.hostname and not parts.path.strip("/"):
            _ = parts.port
            return value
        raise ValueError('must be "auto", "serial:/dev/..." or "tcp://HOST:PORT"')

    @field_validator("region")
    @classmethod
    def _known_region(cls, value: str) -> str:
        if value == "UNSET" or value not in config_pb2.Config.LoRaConfig.RegionCode.keys():  # noqa: SIM118  No mapping.
            raise ValueError("is not a region of the Meshtastic firmware, for example EU_868")
        return value

    @field_validator("preset")
    @classmethod
    def _known_preset(cls, value: str) -> str:
        if value not in config_pb2.Config.LoRaConfig.ModemPreset.keys():  # noqa: SIM118  No mapping.
            raise ValueError("is not a preset of the Meshtastic firmware, for example MEDIUM_FAST")
        return value


class Boxes(Section):
    """The boxes of this district and the district's signing key."""

    file: Path = Path("boxes.toml")
    district_key_file: Path = Path("keys/district_ed25519.key")
    district_key_id: Annotated[int, Field(ge=1, le=255)] = 1
    silent_after_s: Annotated[int, Field(ge=600, le=30 * 86_400)] = 10_800


class Broker(Section):
    """How to reach an MQTT broker."""

    url: str
    client_id: Line | None = None
    username: Line | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    certificate_file: Path | None = None
    certificate_key_file: Path | None = None
    protocol: Literal["3.1.1", "5"] = "3.1.1"
    keepalive_s: Annotated[int, Field(ge=5, le=3600)] = 30

    @field_validator("url")
    @classmethod
    def _broker(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.path.strip("/") or parts.username:
            raise ValueError('must be "mqtt://HOST:PORT" or "mqtts://HOST:PORT", without user or password')
        _ = parts.port
        return value

    @model_validator(mode="after")
    def _certificates(self) -> "Broker":
        if (self.certificate_file is None) != (self.certificate_key_file is None):
            raise ValueError("certificate_file and certificate_key_file belong together")
        if self.ca_file is not None and not self.url.startswith("mqtts:"):
            raise ValueError("ca_file needs an mqtts:// url")
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file needs a username")
        return self


class City(Broker):
    """The city's MQTT broker."""

    window: Annotated[int, Field(ge=1, le=10_000)] = 100
    confirmation: Literal["puback", "readback"] = "puback"
    retry_max_s: Annotated[float, Field(ge=1, le=3600)] = 60
    readings_per_s: Annotated[int, Field(ge=0, le=1_000_000)] = 200
    commands: frozenset[Literal["answer", "bulletin", "mode"]] = frozenset({"answer", "bulletin"})


class Uplink(Broker):
    """The broker for boxes on Wi-Fi; an empty url is none."""

    url: str = ""

    @field_validator("url")
    @classmethod
    def _broker(cls, value: str) -> str:
        return value and super()._broker(value)


class Web(Section):
    """Status page and HTTP API."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8480
    token_file: Path = Path("keys/api.token")
    tokens_file: Path = Path("keys/api-tokens.toml")
    allowed_hosts: frozenset[HostName] = frozenset()
    allow_remote: bool = False
    language: Literal["auto", "en", "de"] = "auto"

    @model_validator(mode="after")
    def _loopback(self) -> "Web":
        if self.host not in LOOPBACK and not self.allow_remote:
            raise ValueError("host is not a loopback address; put a TLS proxy in front, or set allow_remote = true")
        return self


class Outbox(Section):
    """Bounds of what waits for the city and of the disk."""

    readings_max: Annotated[int, Field(ge=1_000)] = 1_000_000
    thin_to_s: Annotated[int, Field(ge=60)] = 3_600
    disk_reserve_mib: Annotated[int, Field(ge=1, le=10_000)] = 32
    disk_free_min_mib: Annotated[int, Field(ge=1)] = 200


class Retention(Section):
    """Days after which a message is erased here; only confirmed ones are. The controller decides on these."""

    call_days: Annotated[int, Field(ge=1, le=3650)] = 30
    exercise_days: Annotated[int, Field(ge=1, le=3650)] = 7
    reading_days: Annotated[int, Field(ge=1, le=3650)] = 30
    backup_days: Annotated[int, Field(ge=1, le=365)] = 7


class Clock(Section):
    """When this computer's clock is good enough for the boxes."""

    trust: Literal["kernel", "always", "never"] = "kernel"
    interval_s: Annotated[int, Field(ge=60, le=86_400)] = 3_600


class Log(Section):
    """Logs go to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class Configuration(Section):
    """The whole file. Paths are absolute after `load`."""

    gateway: Gateway
    radio: Radio = Radio()
    boxes: Boxes = Boxes()
    city: City
    uplink: Uplink = Uplink()
    web: Web = Web()
    outbox: Outbox = Outbox()
    retention: Retention = Retention()
    clock: Clock = Clock()
    log: Log = Log()


def load(path: Path) -> Configuration:
    """Read and check a file. Raises ConfigurationError with every problem found."""
    try:
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigurationError(path, [text("there is no such file; `kiezbox gateway init` writes one")]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(path, [text("cannot be read: {error}", error=error)]) from None
    try:
        values = tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(path, [text("is not TOML: {error}", error=error)]) from None
    try:
        configuration = Configuration.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError(path, [_sentence(dict(item)) for item in error.errors()]) from None
    return _absolute(configuration, path.resolve().parent)


def _sentence(item: dict[str, object]) -> str:
    location = item["loc"]
    assert isinstance(location, tuple)  # noqa: S101  pydantic's own form.
    name = ".".join(str(part) for part in location)
    kind, given = str(item["type"]), item.get("ctx")
    limits = dict(given) if isinstance(given, dict) else {}
    if kind == "extra_forbidden":
        return text("{name} is not a known setting", name=name)
    if kind == "missing":
        return text("{name} is missing", name=name)
    if kind == "value_error":
        return f"{name}: {text(str(item['msg']).removeprefix('Value error, '))}"
    for key, sentence in LIMITS.items():
        if key in limits:
            return f"{name}: {text(sentence, limit=limits[key])}"
    message = str(item["msg"])
    return f"{name}: {message[:1].lower()}{message[1:]}"


def _absolute(configuration: Configuration, base: Path) -> Configuration:
    sections: dict[str, Section] = {}
    for section_name in type(configuration).model_fields:
        section = getattr(configuration, section_name)
        changed = {
            name: base / value
            for name in type(section).model_fields
            if isinstance(value := getattr(section, name), Path) and not value.is_absolute()
        }
        sections[section_name] = section.model_copy(update=changed)
    return configuration.model_copy(update=sections)
