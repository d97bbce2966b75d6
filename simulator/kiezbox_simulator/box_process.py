# SPDX-License-Identifier: Apache-2.0
"""A box as a process: the firmware's own files on the real MicroPython interpreter, a small heap, its own LittleFS.

This writes the JSON file that `vm/box.py` is started with and makes the program of it. The file's keys and
configuration go into the box's flash at its first start; later starts read the flash, as on a board. Called by the demo
and by tests.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

from kiezbox_simulator import board
from kiezbox_simulator.firmware_build import build, rom_image
from kiezbox_simulator.program import Program, Programs

FLASH_BYTES = 2 * 1024 * 1024
"""Of the 4 MB on an ESP32 module, what is left for files beside the firmware and its spare."""

VM_DIR = Path(__file__).resolve().parent / "vm"


@dataclass(frozen=True)
class BoxSpec:
    """One box. Keys are bytes; `folder` holds its flash and its start file; port 0 takes a free one, DNS port 0 is
    off."""

    node_num: int
    name: str
    short_name: str
    place: str
    district: str
    folder: Path
    ether_port: int
    root_key: bytes
    channel_name: str
    channel_key: bytes
    district_public_key: bytes
    preset: str = "MEDIUM_FAST"
    hop_limit: int = 5
    http_host: str = "127.0.0.1"
    http_port: int = 0
    dns_port: int = 0
    reading_interval_s: int = 300
    samples_per_frame: int = 6
    health_interval_s: int = 3600
    nodeinfo_interval_s: int = 10_800
    mode: str = "everyday"
    seed: int = 0
    help_points: list[dict[str, str]] = field(default_factory=list)

    def to_json(self) -> str:
        """The start file's text."""
        values: dict[str, object] = {
            "node_num": self.node_num,
            "name": self.name,
            "short_name": self.short_name,
            "place": self.place,
            "district": self.district,
            "flash_path": str(self.flash_path),
            "flash_bytes": FLASH_BYTES,
            "ether_port": self.ether_port,
            "http_host": self.http_host,
            "http_port": self.http_port,
            "dns_port": self.dns_port,
            "root_key_hex": self.root_key.hex(),
            "channel": {"name": self.channel_name, "psk_hex": self.channel_key.hex()},
            "preset": self.preset,
            "hop_limit": self.hop_limit,
            "district_public_keys": {"1": self.district_public_key.hex()},
            "reading_interval_s": self.reading_interval_s,
            "samples_per_frame": self.samples_per_frame,
            "health_interval_s": self.health_interval_s,
            "nodeinfo_interval_s": self.nodeinfo_interval_s,
            "mode": self.mode,
            "seed": self.seed,
            "help_points": self.help_points,
        }
        return json.dumps(values)

    @property
    def flash_path(self) -> Path:
        """The file that is the box's flash."""
        return self.folder / "flash.bin"


def add_box(programs: Programs, spec: BoxSpec, image: Path) -> Program:
    """The box's program, not started yet. `image` is `firmware_image`'s. Its `READY` line gives its page's port as
    `http`."""
    spec.folder.mkdir(parents=True, exist_ok=True)
    start_file = spec.folder / "box.json"
    start_file.touch(mode=0o600)  # It holds the box's key.
    start_file.write_text(spec.to_json())
    return programs.add(spec.name, board.command(image, "box", str(start_file)))


def firmware_image(target_dir: Path) -> Path:
    """Compile the firmware and the simulator's ports into a read-only image below `target_dir`. Raises
    FirmwareBuildError."""
    return rom_image(build(target_dir), VM_DIR)
