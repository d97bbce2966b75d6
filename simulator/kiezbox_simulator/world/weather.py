# SPDX-License-Identifier: Apache-2.0
"""Air, noise and dust over Berlin as a box's sensors would give them: integers in the units of a reading.

Temperature: monthly means 1991-2020 of Berlin-Tempelhof (Deutscher Wetterdienst, multi-annual means) plus a daily
wave and slow weather. Noise: day and night levels of a residential main road (Berlin noise maps: 60-70 dB(A) by
day), ten less in a blackout without traffic lights and trams. Dust: Berlin's urban background, 10-20 ug/m3 PM10,
with morning and evening. None of it is a forecast; it is smooth, plausible and deterministic. Called for each box
every few minutes of virtual time.
"""

import math
from datetime import UTC, datetime

from kiezbox_simulator.world import chance

MONTH_TEMPERATURE_C = (1.1, 2.0, 5.2, 10.1, 14.7, 18.1, 20.1, 19.6, 15.0, 10.0, 5.5, 2.2)


def smooth(seed: int, name: str, unix_s: float, period_s: int) -> float:
    """Noise in -1..1 with knots every `period_s`, joined by a cosine."""
    place = unix_s / period_s
    low = math.floor(place)
    share = (1.0 - math.cos((place - low) * math.pi)) / 2.0
    first = chance.uniform(seed, name, low)
    return 2.0 * (first + (chance.uniform(seed, name, low + 1) - first) * share) - 1.0


def temperature_c(seed: int, unix_s: int, offset_c: float = 0.0) -> float:
    """Air temperature; `offset_c` shifts a whole scenario (a cold spell)."""
    moment = datetime.fromtimestamp(unix_s, UTC)
    place = moment.month - 1 + (moment.day - 15.5) / 31.0
    low = math.floor(place)
    mean = MONTH_TEMPERATURE_C[low % 12] + (MONTH_TEMPERATURE_C[(low + 1) % 12] - MONTH_TEMPERATURE_C[low % 12]) * (
        place - low
    )
    # Warmest about two hours after noon; the wave is flat in winter and 5 K in summer.
    wave = 1.5 + 3.5 * math.sin(math.pi * (moment.month - 0.5) / 12.0) ** 2
    hour = moment.hour + moment.minute / 60.0 + 1.0
    weather = 4.0 * smooth(seed, "temperature", unix_s, 172_800) + smooth(seed, "gusts", unix_s, 7200)
    return mean + offset_c + wave * math.cos((hour - 15.0) / 24.0 * 2.0 * math.pi) + weather


def readings(seed: int, key: str, unix_s: int, offset_c: float = 0.0, blackout: bool = False) -> dict[str, int]:
    """What the sensors of the box `key` would measure: value name of a reading -> integer. Energy values are not
    among them."""
    place_seed = chance.digest(seed, "place", key)
    air_c = temperature_c(seed, unix_s, offset_c) + 0.8 * smooth(place_seed, "sun", unix_s, 3600)
    humidity = 78.0 - 1.2 * (air_c - 8.0) + 12.0 * smooth(seed, "humidity", unix_s, 43_200)
    pressure_pa = (
        101_300.0 + 1500.0 * smooth(seed, "pressure", unix_s, 259_200) + 100.0 * smooth(seed, "tide", unix_s, 21_600)
    )
    hour = (unix_s // 3600 + 1) % 24
    traffic = math.exp(-(((hour - 8) / 2.5) ** 2)) + math.exp(-(((hour - 17.5) / 3.0) ** 2))
    if blackout:
        traffic *= 0.4
    pm10 = max(
        2.0,
        12.0
        + 7.0 * traffic
        + 8.0 * smooth(seed, "dust", unix_s, 86_400)
        + 2.0 * smooth(place_seed, "dust", unix_s, 1800),
    )
    quiet_dba = 44.0 if 6 <= hour < 22 else 38.0
    noise = (
        quiet_dba
        + 18.0 * min(1.0, traffic)
        - (6.0 if blackout else 0.0)
        + 3.0 * smooth(place_seed, "noise", unix_s, 900)
    )
    return {
        "temperature_cc": round(air_c * 100),
        "humidity_dpct": round(min(100.0, max(15.0, humidity)) * 10),
        "pressure_dpa": round(pressure_pa / 10),
        "pm1_dugm3": round(pm10 * 4.5),
        "pm25_dugm3": round(pm10 * 6.5),
        "pm10_dugm3": round(pm10 * 10),
        "noise_laeq_ddba": round(noise * 10),
        "noise_lamax_ddba": round((noise + 9.0 + 4.0 * abs(smooth(place_seed, "peak", unix_s, 300))) * 10),
        "gas_ohm": round(90_000 + 30_000 * smooth(place_seed, "gas", unix_s, 14_400)),
    }
