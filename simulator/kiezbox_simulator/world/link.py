# SPDX-License-Identifier: Apache-2.0
"""The fixed part of a radio link: transmit power, antennas, path loss, shadowing, and the noise it is heard over.

`Channel` is the whole description of the air of a scenario; `mean_received_dbm` is what two sites hear of each other
on average. What changes from frame to frame (fading, collisions) is in `reception.py`.
"""

import math
from dataclasses import dataclass

from kiezbox_simulator.world import chance, path_loss

THERMAL_NOISE_DBM_HZ = -174.0
"""k T at 290 K in 1 Hz."""


@dataclass(frozen=True)
class Site:
    """Where an antenna stands: metres east and north of the map's corner, height above ground, gain over an
    isotropic antenna."""

    key: str
    x_m: float
    y_m: float
    height_m: float = 15.0
    antenna_dbi: float = 2.0


@dataclass(frozen=True)
class Channel:
    """The air. `model` is "uma", "log_distance" or "suburban_macro"; shadowing applies to the last two (UMa brings
    its own)."""

    seed: int
    model: str = "uma"
    frequency_hz: float = 869_525_000.0
    exponent: float = 3.5
    shadowing_db: float = 6.0
    fading_db: float = 2.0
    noise_figure_db: float = 6.0
    ambient_noise_db: float = 0.0


def distance_m(first: Site, second: Site) -> float:
    """Horizontal distance."""
    return math.hypot(first.x_m - second.x_m, first.y_m - second.y_m)


def noise_dbm(channel: Channel, bandwidth_hz: float) -> float:
    """Noise power in the receiver: thermal, its noise figure (SX1261/2: 6 dB gives the data sheet's sensitivities),
    city noise."""
    return THERMAL_NOISE_DBM_HZ + 10.0 * math.log10(bandwidth_hz) + channel.noise_figure_db + channel.ambient_noise_db


def median_loss_db(channel: Channel, first: Site, second: Site, sight: bool = False) -> float:
    """Path loss without shadowing, the same in both directions; `sight`: line of sight, of which only UMa knows.

    Raises ValueError for an unknown model.
    """
    separation_m = distance_m(first, second)
    if channel.model == "uma":
        return path_loss.uma_db(separation_m, channel.frequency_hz, first.height_m, second.height_m, sight)
    if channel.model == "log_distance":
        return path_loss.log_distance_db(separation_m, channel.frequency_hz, channel.exponent)
    if channel.model == "suburban_macro":
        upper_m, lower_m = max(first.height_m, second.height_m), min(first.height_m, second.height_m)
        return path_loss.suburban_macro_db(separation_m, channel.frequency_hz, upper_m, lower_m)
    raise ValueError(f"no such path loss model: {channel.model}")


def loss_db(channel: Channel, first: Site, second: Site) -> float:
    """Path loss with the link's own line of sight and shadowing: the same in both directions, whatever the order of the
    two sites. Raises ValueError for an unknown model."""
    low, high = sorted((first, second), key=lambda site: site.key)
    offset = chance.normal(channel.seed, "shadowing", low.key, high.key)
    if channel.model != "uma":
        return median_loss_db(channel, low, high) + channel.shadowing_db * offset
    seen = path_loss.uma_line_of_sight_probability(distance_m(low, high), min(low.height_m, high.height_m))
    sight = chance.uniform(channel.seed, "line of sight", low.key, high.key) < seen
    return median_loss_db(channel, low, high, sight) + path_loss.UMA_SHADOWING_DB[sight] * offset


def mean_received_dbm(channel: Channel, power_dbm: float, sender: Site, receiver: Site) -> float:
    """Power at the receiver's input before fading; `power_dbm` at the sender's antenna connector."""
    return power_dbm + sender.antenna_dbi + receiver.antenna_dbi - loss_db(channel, sender, receiver)
