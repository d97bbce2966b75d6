# SPDX-License-Identifier: Apache-2.0
"""A place on the map with a radio, and the port between its radio and whoever uses it.

`RadioOwner` is that port: core nodes, vm boxes, gateways, strangers and attackers all stand behind it. `Station` is
plain state of the ether; only `ether.py` changes it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from kiezbox_simulator.world import reception
from kiezbox_simulator.world.chance import digest
from kiezbox_simulator.world.link import Site

if TYPE_CHECKING:
    from kiezbox_simulator.virtual.ether import Reception, Transmission


@dataclass(frozen=True)
class Modulation:
    """LoRa settings that two radios must share to hear each other, and what follows from them."""

    name: str
    spreading_factor: int
    bandwidth_hz: int
    coding_rate_denominator: int

    @property
    def grace_us(self) -> int:
        """From a frame's start until disturbance harms it."""
        return reception.capture_grace_us(self.spreading_factor, self.bandwidth_hz)

    @property
    def lock_us(self) -> int:
        """From a frame's start until it holds a receiver."""
        return reception.lock_us(self.spreading_factor, self.bandwidth_hz)

    @property
    def cad_us(self) -> int:
        """Duration of a channel activity detection."""
        return reception.cad_us(self.spreading_factor, self.bandwidth_hz)


class RadioOwner(Protocol):
    """What the ether tells the user of a radio. All times are `Schedule.now_us`."""

    def receive(self, frame: bytes, rssi_dbm: int, snr_db: float) -> None:
        """A whole frame came in without error."""

    def transmitted(self) -> None:
        """The frame asked for has left."""

    def channel_busy(self) -> None:
        """Activity was heard; the frame asked for was not sent."""


class Station:
    """One radio. `index` is its place in the ether's list, which follows the node numbers and not the order of
    starting."""

    __slots__ = (
        "airtime_us",
        "alive",
        "grace_us",
        "incoming",
        "index",
        "limit_dbm",
        "lock_us",
        "modulation",
        "node_num",
        "noise_dbm",
        "owner",
        "pending",
        "power_dbm",
        "quiet_noise_dbm",
        "salt",
        "sent",
        "site",
        "transmitting",
    )  # fmt: skip

    def __init__(
        self,
        index: int,
        node_num: int,
        site: Site,
        modulation: Modulation,
        noise_dbm: float,
        power_dbm: float,
        seed: int,
    ) -> None:
        self.index = index
        self.node_num = node_num
        self.site = site
        self.modulation = modulation
        self.quiet_noise_dbm = self.noise_dbm = noise_dbm
        self.power_dbm = power_dbm
        self.limit_dbm = noise_dbm + reception.SNR_LIMIT_DB[modulation.spreading_factor]
        self.grace_us = modulation.grace_us
        self.lock_us = modulation.lock_us
        self.salt = digest(seed, "station", node_num)
        self.owner: RadioOwner | None = None
        self.alive = True
        self.incoming: list[Reception] = []
        self.transmitting: Transmission | None = None
        self.pending: bytes | None = None
        self.sent = 0
        self.airtime_us = 0

    @property
    def name(self) -> str:
        """The site's key."""
        return self.site.key
