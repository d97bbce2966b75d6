# SPDX-License-Identifier: Apache-2.0
"""Plain state of the ether: radios, frames on the air, each frame at each receiver; and the port between a radio and
whoever uses it.

`RadioOwner` is that port: core nodes, vm boxes, gateways, strangers and attackers all stand behind it. Only `ether.py`
changes what is here; observers (referee, trace) read it.
"""

from typing import Protocol

from kiezbox_simulator.virtual.modulation import Modulation
from kiezbox_simulator.world import reception
from kiezbox_simulator.world.chance import digest
from kiezbox_simulator.world.link import Site

RECEIVED, COLLISION, HALF_DUPLEX, HELD, WEAK, OFF, OTHER_PRESET = range(7)
REASONS = ("received", "collision", "half_duplex", "receiver_held", "weak_signal", "receiver_off", "other_preset")
"""What becomes of a frame at a receiver, by the number that `Reception.fate` holds."""


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
        self.quiet_noise_dbm = noise_dbm
        self.power_dbm = power_dbm
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
        self.set_noise(noise_dbm)

    @property
    def name(self) -> str:
        """The site's key."""
        return self.site.key

    def set_noise(self, noise_dbm: float) -> None:
        """The noise in this receiver from now on; what it needs of a frame follows."""
        self.noise_dbm = noise_dbm
        self.limit_dbm = noise_dbm + reception.SNR_LIMIT_DB[self.modulation.spreading_factor]


class Transmission:
    """One frame on the air. `salt`: this frame's part of every draw about it."""

    __slots__ = ("end_us", "frame", "modulation", "receptions", "salt", "sender", "start_us")

    def __init__(self, sender: Station, frame: bytes, start_us: int, end_us: int, salt: int) -> None:
        self.sender = sender
        self.frame = frame
        self.start_us = start_us
        self.end_us = end_us
        self.modulation = sender.modulation
        self.salt = salt
        self.receptions: list[Reception] = []


class Reception:
    """One frame at one receiver, while it lasts. `fate` is an index into REASONS; `holds`: the receiver follows it."""

    __slots__ = ("fate", "holds", "power_dbm", "station", "transmission")

    def __init__(self, station: Station, transmission: Transmission, power_dbm: float) -> None:
        self.station = station
        self.transmission = transmission
        self.power_dbm = power_dbm
        self.fate = RECEIVED
        self.holds = power_dbm >= station.limit_dbm and transmission.modulation is station.modulation
