# SPDX-License-Identifier: Apache-2.0
"""A Meshtastic radio for a gateway or a resident, as a program: `stock_radio` with its start file, on the district's
channel."""

import json
from dataclasses import dataclass
from pathlib import Path

from kiezbox_simulator.program import Program, Programs, python_module


@dataclass(frozen=True)
class RadioOrder:
    """What the radio is set to before it is switched on. `station`: its name on the ether; `port` 0 takes a free one.

    `speed`: how many of its seconds pass in one of the clock's. It relays nothing unless `role` is "CLIENT".
    """

    node_num: int
    station: str
    name: str
    short_name: str
    folder: Path
    ether_port: int
    preset: str
    channel_name: str
    channel_key: bytes
    hop_limit: int
    port: int = 0
    role: str = "CLIENT_MUTE"
    speed: float = 1.0


def add_radio(programs: Programs, order: RadioOrder) -> Program:
    """The radio's program, not started yet. Its `READY` line gives the port of its stream API as `port`."""
    folder = order.folder / f"{order.node_num:08x}"
    folder.mkdir(parents=True)
    path = folder / "radio.json"
    path.touch(mode=0o600)  # It holds the channel's key.
    spec = {
        "node_num": f"{order.node_num:08x}",
        "name": order.name,
        "short_name": order.short_name,
        "folder": str(folder),
        "ether_port": order.ether_port,
        "port": order.port,
        "preset": order.preset,
        "channel": {"name": order.channel_name, "psk_hex": order.channel_key.hex()},
        "hop_limit": order.hop_limit,
        "role": order.role,
        "speed": order.speed,
    }
    path.write_text(json.dumps(spec))
    return programs.add(order.station.replace("'", ""), python_module("kiezbox_simulator.stock_radio", str(path)))
