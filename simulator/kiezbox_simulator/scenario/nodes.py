# SPDX-License-Identifier: Apache-2.0
"""What stands at a site of the town: a gateway, a box of the core, a stock radio as a box or as a stranger's.

vm boxes are vm_pool.py's, because they share processes. Called by simulation.py while it builds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from kiezbox.protocol.channel import Channel as MeshChannel
from kiezbox_simulator.virtual.core_box import CoreBox
from kiezbox_simulator.virtual.gateway import Gateway
from kiezbox_simulator.virtual.stock_node import StockNode

if TYPE_CHECKING:
    from kiezbox_simulator.scenario.simulation import Simulation
    from kiezbox_simulator.scenario.town import Inhabitant
    from kiezbox_simulator.virtual.station import Station

STRANGER_HOP_LIMIT = 3
"""What Meshtastic ships with (firmware 2.7, lora.hop_limit)."""


class TownGateway(Protocol):
    """What a scenario does to a gateway, whether it is of virtual time or the real one."""

    station: Station

    def start(self) -> None:
        """Switched on."""

    def die(self) -> None:
        """Power off."""

    def revive(self) -> None:
        """Power on again."""

    def set_uplink(self, there: bool) -> None:
        """The way to the city is there, or not."""

    def revoke(self, node_num: int) -> None:
        """This box is no longer trusted."""

    def command_mode(self, mode: int, epoch: int) -> None:
        """All boxes shall go into this mode."""

    def broadcast_time(self) -> None:
        """Tell the boxes what time it is."""

    def broadcast_bulletin(self, headline: str, text: str, language: str, identifier: int) -> None:
        """An official notice for the boxes' pages."""


def gateway(simulation: Simulation, _inhabitant: Inhabitant, station: Station) -> Gateway:
    """One of the district's gateways of virtual time, with the key of every box."""
    radio = simulation.scenario.radio
    return Gateway(
        simulation.ether,
        station,
        seed=simulation.seed,
        channel=simulation.mesh_channel,
        preset_name=radio.preset,
        hop_limit=radio.hop_limit,
        boxes={inhabitant.node_num: inhabitant.root_key for inhabitant in simulation.of_kind("vm", "core")},
        signing_key=simulation.signing_key,
        store=simulation.store,
        on_stored=simulation.stored,
        start_unix_s=simulation.scenario.start_unix_s,
        on_text=simulation.text_heard,
    )


def core_box(
    simulation: Simulation, station: Station, root_key: bytes, on_stage: Callable[[CoreBox, int, int], None]
) -> CoreBox:
    """A box that is the protocol core alone."""
    scenario = simulation.scenario
    return CoreBox(
        simulation.ether,
        station,
        seed=simulation.seed,
        channel=simulation.mesh_channel,
        preset_name=scenario.radio.preset,
        hop_limit=scenario.radio.hop_limit,
        root_key=root_key,
        district_public_keys=simulation.public_keys,
        interval_s=scenario.readings.interval_s,
        samples_per_frame=scenario.readings.samples_per_frame,
        measure=lambda box: simulation.measure(box.station.name),
        on_stage=on_stage,
        start_unix_s=scenario.start_unix_s,
    )


def stock_box(simulation: Simulation, station: Station) -> StockNode:
    """A stock radio in the place of a box, on the district's channel."""
    radio = simulation.scenario.radio
    return _stock_node(simulation, station, simulation.mesh_channel, radio.preset, radio.hop_limit)


def stranger(simulation: Simulation, station: Station) -> StockNode:
    """Somebody else's radio, on the channel that it was sold with."""
    preset = simulation.scenario.strangers.preset
    return _stock_node(simulation, station, MeshChannel("", b"\x01", preset), preset, STRANGER_HOP_LIMIT)


def _stock_node(
    simulation: Simulation, station: Station, channel: MeshChannel, preset: str, hop_limit: int
) -> StockNode:
    return StockNode(
        simulation.ether, station, seed=simulation.seed, channel=channel, preset_name=preset, hop_limit=hop_limit
    )
