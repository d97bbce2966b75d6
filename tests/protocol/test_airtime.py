# SPDX-License-Identifier: Apache-2.0
from kiezbox.protocol.airtime import PRESETS, frequency_hz, slot_ms, time_on_air_us

MEASURED_MS = {
    # preset: 56 bytes, 255 bytes; as Meshtastic firmware 2.7 computes them
    "SHORT_FAST": (58, 204),
    "SHORT_SLOW": (106, 362),
    "MEDIUM_FAST": (191, 642),
    "MEDIUM_SLOW": (361, 1181),
    "LONG_FAST": (682, 2157),
    "LONG_MODERATE": (2167, 7934),
    "LONG_SLOW": (4071, 14295),
}


def test_time_on_air_equals_the_firmware_for_every_preset():
    assert set(MEASURED_MS) == set(PRESETS)
    for name, (short_ms, long_ms) in MEASURED_MS.items():
        assert (time_on_air_us(PRESETS[name], 56) + 500) // 1000 == short_ms, name
        assert (time_on_air_us(PRESETS[name], 255) + 500) // 1000 == long_ms, name


def test_time_on_air_never_falls_with_length():
    for preset in PRESETS.values():
        previous_us = 0
        for length in range(256):
            airtime_us = time_on_air_us(preset, length)
            assert airtime_us >= previous_us
            previous_us = airtime_us


def test_slot_is_the_firmwares_integer_of_milliseconds():
    assert slot_ms(PRESETS["LONG_FAST"]) == 28
    assert slot_ms(PRESETS["MEDIUM_FAST"]) == 12
    assert slot_ms(PRESETS["SHORT_FAST"]) == 8


def test_frequency_slots():
    assert frequency_hz(PRESETS["LONG_FAST"], "LongFast") == 869_525_000
    assert frequency_hz(PRESETS["MEDIUM_FAST"], "Kiezbox") == 869_525_000
    assert frequency_hz(PRESETS["LONG_MODERATE"], "LongMod") == 869_587_500
    assert frequency_hz(PRESETS["LONG_SLOW"], "LongSlow") == 869_462_500
    assert frequency_hz(PRESETS["LONG_SLOW"], "any", 2) == 869_587_500
