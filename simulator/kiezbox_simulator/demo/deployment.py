# SPDX-License-Identifier: Apache-2.0
"""A district of five boxes and a gateway, made as an operator makes one: by `kiezbox gateway init` and `enroll`.

All keys are new and random in each run.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiezbox_simulator.box_process import BoxSpec
from kiezbox_simulator.ether.street import Link, Place, Street
from kiezbox_simulator.real_gateway.folder import Folder, init

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
    """What was made."""

    folder: Folder
    channel_key: bytes
    district_public_key: bytes
    box_keys: tuple[bytes, ...]

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


async def make(path: Path, radio_port: int, city_port: int) -> Deployment:
    """Make it all below `path`, which must be new. Raises FolderError."""
    lines = {
        'preset = "MEDIUM_FAST"': f'preset = "{PRESET}"',
        # Two minutes are short: try the city again soon after it was dark.
        "retry_max_s = 60.0": f"retry_max_s = {CITY_RETRY_MAX_S}",
    }
    folder = await init(
        path, name="Gateway Schöneberg", district=DISTRICT, station=STATION, radio_port=radio_port, city_port=city_port,
        lines=lines,
    )  # fmt: skip
    box_keys = [await folder.enroll(place.node_num, place.name) for place in BOXES]
    district_key = Ed25519PrivateKey.from_private_bytes(folder.key("district_ed25519.key"))
    return Deployment(
        folder=folder,
        channel_key=folder.key("channel.key"),
        district_public_key=district_key.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        ),
        box_keys=tuple(box_keys),
    )
