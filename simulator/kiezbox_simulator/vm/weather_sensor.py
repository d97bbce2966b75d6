# SPDX-License-Identifier: Apache-2.0
"""A sensor port that makes plausible city values from the time of day, different for each box. Runs on MicroPython."""

import math
import time

from micropython import const

_DAY_S = const(86_400)


class WeatherSensor:
    """All twelve values of a box, as one chip would give them."""

    fault_bit = 1

    def __init__(self, seed):
        self._state = seed * 2_654_435_761 & 0x7FFFFFFF

    def _noise(self, spread):
        self._state = (self._state * 1_103_515_245 + 12_345) & 0x7FFFFFFF
        return (self._state >> 8) % (2 * spread + 1) - spread

    async def read(self):
        """See the Sensor port of kiezbox/box/ports.py."""
        day = 2 * math.pi * (time.time() % _DAY_S) / _DAY_S
        sun = max(0.0, -math.cos(day))
        traffic = 0.5 - 0.5 * math.cos(2 * day)
        noise_ddba = int(450 + 180 * traffic) + self._noise(15)
        pm25 = int(80 + 70 * traffic) + self._noise(10)
        return {
            "temperature_cc": int(200 + 900 * sun) + self._noise(20),
            "humidity_dpct": int(850 - 250 * sun) + self._noise(8),
            "pressure_dpa": 10_130 + self._noise(3),
            "pm1_dugm3": pm25 * 6 // 10,
            "pm25_dugm3": pm25,
            "pm10_dugm3": pm25 * 14 // 10 + self._noise(5),
            "noise_laeq_ddba": noise_ddba,
            "noise_lamax_ddba": noise_ddba + 120 + self._noise(30),
            "gas_ohm": 52_000 + self._noise(900),
            "battery_mv": 3_900 + self._noise(5),
            "panel_mv": int(5_800 * sun),
            "battery_ma": int(220 * sun) - 45,
        }
