# SPDX-License-Identifier: Apache-2.0
"""A district of five boxes and a gateway, made as an operator makes one: by `kiezbox gateway init` and `enroll`.

All keys are new and random in each run. What is read back are the documented files of a gateway's folder: keys as
hexadecimal text, `gateway.toml`, the API token.
"""

import asyncio
import subprocess
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiezbox_simulator.box_process import BoxSpec
from kiezbox_simulator.ether.street import Link, Place, Street
from kiezbox_simulator.program import installed_command

DISTRICT = "tempelhof-schoeneberg"
STATION = "Feuerwache Schöneberg"
PRESET = "SHORT_FAST"
"""Faster than a district's default: within two minutes the boxes say what they say in an hour, and the air should not
be fuller because of it. All else on the air is as it would be."""

CHANNEL_NAME = "Kiezbox"
HOP_LIMIT = 5
NEAR_DBM, FAR_DBM = -112.0, -119.0
"""Power from roof to roof, 9 and 2 dB above what the preset's demodulator needs. A short way follows a long one, so
that of two frames that meet at a box the nearer neighbour's survives."""

GATEWAY_RADIO = Place(0x6B7A00F0, "gateway radio")
RESIDENT_RADIO = Place(0x6B7A00E0, "resident's radio")
PLACES = ("Rathaus Schöneberg", "Bayerischer Platz", "Viktoria-Luise-Platz", "Winterfeldtplatz", "Nollendorfplatz")
BOXES = tuple(Place(0x6B7A0001 + index, f"Kiezbox {index + 1}") for index in range(len(PLACES)))
RESIDENT_NEAR = BOXES[2]

READING_INTERVAL_S = 30
SAMPLES_PER_FRAME = 1
HEALTH_INTERVAL_S = 36_000
CITY_RETRY_MAX_S = 2.0


class DeploymentError(Exception):
    """A command that makes the deployment failed; one sentence with what it said."""


def street() -> Street:
    """The boxes in a line: each hears its neighbours only, the first hears the gateway's radio, so box 5 is five hops
    away."""
    line = (GATEWAY_RADIO, *BOXES)
    links = [
        Link(first.name, second.name, FAR_DBM if index % 2 else NEAR_DBM)
        for index, (first, second) in enumerate(pairwise(line))
    ]
    links.append(Link(RESIDENT_NEAR.name, RESIDENT_RADIO.name, FAR_DBM))
    return Street(PRESET, (*line, RESIDENT_RADIO), tuple(links))


@dataclass(frozen=True)
class Deployment:
    """What was made. `token` is the gateway's API token."""

    folder: Path
    channel_key: bytes
    district_public_key: bytes
    box_keys: tuple[bytes, ...]
    token: str

    @property
    def configuration(self) -> Path:
        """The gateway's configuration file."""
        return self.folder / "gateway.toml"

    def box(self, index: int, ether_port: int, http_port: int, folder: Path) -> BoxSpec:
        """Box `index` (from 0), its flash below `folder`."""
        place = BOXES[index]
        return BoxSpec(
            node_num=place.node_num,
            name=place.name,
            short_name=f"KB{index + 1}",
            place=PLACES[index],
            district=DISTRICT,
            folder=folder / place.name.replace(" ", "-"),
            ether_port=ether_port,
            root_key=self.box_keys[index],
            channel_name=CHANNEL_NAME,
            channel_key=self.channel_key,
            district_public_key=self.district_public_key,
            preset=PRESET,
            hop_limit=HOP_LIMIT,
            http_port=http_port,
            reading_interval_s=READING_INTERVAL_S,
            samples_per_frame=SAMPLES_PER_FRAME,
            health_interval_s=HEALTH_INTERVAL_S,
            seed=index + 1,
        )


async def make(folder: Path, radio_port: int, city_port: int) -> Deployment:
    """Make it all below `folder`, which must be new. Raises DeploymentError."""
    radio, city = f"tcp://127.0.0.1:{radio_port}", f"mqtt://127.0.0.1:{city_port}"
    await _kiezbox(
        "gateway", "init", str(folder), "--name", "Gateway Schöneberg", "--district", DISTRICT, "--station", STATION,
        "--radio", radio, "--city", city, "--port", "0",
    )  # fmt: skip
    configuration = folder / "gateway.toml"
    text = configuration.read_text()
    for old, new in (
        ('preset = "MEDIUM_FAST"', f'preset = "{PRESET}"'),
        # Two minutes are short: try the city again soon after it was dark.
        ("retry_max_s = 60.0", f"retry_max_s = {CITY_RETRY_MAX_S}"),
    ):
        if old not in text:
            raise DeploymentError(f"{configuration} does not have {old!r} any more")
        text = text.replace(old, new)
    configuration.write_text(text)
    for place in BOXES:
        await _kiezbox("gateway", "enroll", f"{place.node_num:08x}", place.name, "--config", str(configuration))
    keys = folder / "keys"
    district_key = Ed25519PrivateKey.from_private_bytes(_hex(keys / "district_ed25519.key"))
    return Deployment(
        folder=folder,
        channel_key=_hex(keys / "channel.key"),
        district_public_key=district_key.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        ),
        box_keys=tuple(_hex(keys / f"box-{place.node_num:08x}.key") for place in BOXES),
        token=(keys / "api.token").read_text().strip(),
    )


async def _kiezbox(*arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        installed_command("kiezbox"), *arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output, _ = await process.communicate()
    if process.returncode:
        said = output.decode(errors="replace").strip().splitlines()
        raise DeploymentError(f"`kiezbox {' '.join(arguments[:2])}` failed: {said[-1] if said else 'no reason given'}")


def _hex(path: Path) -> bytes:
    return bytes.fromhex(path.read_text().strip())
