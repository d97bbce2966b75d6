# SPDX-License-Identifier: Apache-2.0
"""How long a frame occupies the band, in integers, and the presets and slots of the band EU_868.

Time on air: SX1261/2 data sheet rev 2.1, section 6.1.4, with Meshtastic's preamble of 16 symbols, explicit header and
CRC.
Presets, slot choice and slot time: firmware 2.7, src/mesh/RadioInterface.cpp. Not here: who may send (duty.py).
"""

PREAMBLE_SYMBOLS = 16
BAND_START_HZ = 869_400_000
BAND_END_HZ = 869_650_000


class Preset:
    """One modem setting.

    spreading_factor 7..12; bandwidth_hz; coding_rate_denominator 5..8 (4/5 .. 4/8); symbol_us: length of one symbol.
    """

    def __init__(self, name: str, bandwidth_hz: int, spreading_factor: int, coding_rate_denominator: int) -> None:
        self.name = name
        self.bandwidth_hz = bandwidth_hz
        self.spreading_factor = spreading_factor
        self.coding_rate_denominator = coding_rate_denominator
        self.symbol_us = (1 << spreading_factor) * 1000 // (bandwidth_hz // 1000)


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("SHORT_FAST", 250_000, 7, 5),
        Preset("SHORT_SLOW", 250_000, 8, 5),
        Preset("MEDIUM_FAST", 250_000, 9, 5),
        Preset("MEDIUM_SLOW", 250_000, 10, 5),
        Preset("LONG_FAST", 250_000, 11, 5),
        Preset("LONG_MODERATE", 125_000, 11, 8),
        Preset("LONG_SLOW", 125_000, 12, 8),
    )
}
"""Every Meshtastic preset that fits into 250 kHz."""


def time_on_air_us(preset: Preset, frame_length: int) -> int:
    """Microseconds on the air of a frame of 0..255 bytes, its 16-byte header counted in."""
    spreading_factor = preset.spreading_factor
    # Low data rate optimisation from symbols of 16 ms on.
    bits_per_block = 4 * (spreading_factor - 2 if preset.symbol_us >= 16_000 else spreading_factor)
    bits = max(8 * frame_length - 4 * spreading_factor + 44, 0)
    blocks = (bits + bits_per_block - 1) // bits_per_block
    # The preamble ends with 4.25 symbols of sync, so quarters of symbols are counted.
    quarters = 4 * (PREAMBLE_SYMBOLS + 4) + 1 + 4 * (8 + blocks * preset.coding_rate_denominator)
    return quarters * preset.symbol_us // 4


def slot_ms(preset: Preset) -> int:
    """The unit of contention: channel activity detection of 2.5 symbols and 7.6 ms of propagation and turnaround."""
    return (25 * preset.symbol_us // 10 + 7_600) // 1_000


def frequency_hz(preset: Preset, channel_name: str, channel_num: int = 0) -> int:
    """The centre of the slot that the name of the primary channel selects, or number `channel_num` (1..) if set."""
    slots = (BAND_END_HZ - BAND_START_HZ) // preset.bandwidth_hz
    if channel_num:
        index = (channel_num - 1) % slots
    else:
        hashed = 5381
        for byte in channel_name.encode():
            hashed = hashed * 33 + byte & 0xFFFFFFFF
        index = hashed % slots
    return BAND_START_HZ + preset.bandwidth_hz // 2 + index * preset.bandwidth_hz
