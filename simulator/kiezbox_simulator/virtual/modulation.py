# SPDX-License-Identifier: Apache-2.0
"""The ether's view of a LoRa preset: what two radios must share to hear each other, and the timings that follow.

The presets themselves and a frame's time on air are the protocol package's (airtime.py); the physics of the timings
is in `world/reception.py`. Used by everybody who puts a station on the ether.
"""

from dataclasses import dataclass
from functools import cached_property

from kiezbox.protocol import airtime
from kiezbox_simulator.world import reception


@dataclass(frozen=True)
class Modulation:
    """LoRa settings. The timings are worked out once for each object, because the ether asks for them with every
    frame."""

    name: str
    spreading_factor: int
    bandwidth_hz: int
    coding_rate_denominator: int

    @cached_property
    def grace_us(self) -> int:
        """From a frame's start until disturbance harms it."""
        return reception.capture_grace_us(self.spreading_factor, self.bandwidth_hz)

    @cached_property
    def lock_us(self) -> int:
        """From a frame's start until it holds a receiver."""
        return reception.lock_us(self.spreading_factor, self.bandwidth_hz)

    @cached_property
    def cad_us(self) -> int:
        """Duration of a channel activity detection."""
        return reception.cad_us(self.spreading_factor, self.bandwidth_hz)

    @cached_property
    def rows(self) -> int:
        """Bits that a symbol of the payload carries: two less than the spreading factor with low data rate
        optimisation."""
        return reception.payload_rows(self.spreading_factor, self.bandwidth_hz)

    @cached_property
    def clear_snr_db(self) -> float:
        """From here on no frame of any length is lost to noise."""
        return reception.clear_snr_db(self.spreading_factor, self.rows, self.coding_rate_denominator)


def modulation(preset_name: str) -> Modulation:
    """One of the protocol's presets. Raises KeyError."""
    preset = airtime.PRESETS[preset_name]
    return Modulation(preset_name, preset.spreading_factor, preset.bandwidth_hz, preset.coding_rate_denominator)


def on_air_us(preset_name: str, frame_length: int) -> int:
    """Time on air as the protocol package computes it."""
    return airtime.time_on_air_us(airtime.PRESETS[preset_name], frame_length)
