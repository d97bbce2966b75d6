# SPDX-License-Identifier: Apache-2.0
"""Path loss between two antennas, in dB, by three published models. Pure functions; shadowing is in `link.py`.

log-distance    PL = PL0 + 10 n log10(d/d0). n: Rappaport, Wireless Communications, 2nd ed., table 4.2 (urban 2.7-3.5).
UMa             3GPP TR 38.901 V16.1, table 7.4.1-1 (urban macro, LOS and NLOS) and table 7.4.2-1 (probability of
                line of sight). Its upper antenna stands at 25 m and the lower at 1.5-22.5 m: boxes on roofs are such
                lower antennas, so the higher of the two counts as base station.
suburban macro  3GPP TR 25.996 V16, section 5.2, as Meshtasticator uses it; kept for comparison with that simulator.
"""

import math

SPEED_OF_LIGHT_M_S = 299_792_458.0


def free_space_db(distance_m: float, frequency_hz: float) -> float:
    """Friis: 20 log10(4 pi d f / c)."""
    return 20.0 * math.log10(4.0 * math.pi * max(distance_m, 1.0) * frequency_hz / SPEED_OF_LIGHT_M_S)


def log_distance_db(distance_m: float, frequency_hz: float, exponent: float = 3.5, reference_m: float = 40.0) -> float:
    """Free space up to `reference_m`, then `exponent` times ten dB a decade."""
    distance_m = max(distance_m, 1.0)
    if distance_m <= reference_m:
        return free_space_db(distance_m, frequency_hz)
    return free_space_db(reference_m, frequency_hz) + 10.0 * exponent * math.log10(distance_m / reference_m)


def uma_line_of_sight_probability(distance_m: float, lower_height_m: float) -> float:
    """TR 38.901 table 7.4.2-1, UMa; horizontal distance, height of the lower antenna 1.5-23 m."""
    if distance_m <= 18.0:
        return 1.0
    near = 18.0 / distance_m + math.exp(-distance_m / 63.0) * (1.0 - 18.0 / distance_m)
    if lower_height_m <= 13.0:
        return near
    lift = float(((min(lower_height_m, 23.0) - 13.0) / 10.0) ** 1.5)
    return near * (1.0 + lift * 1.25 * (distance_m / 100.0) ** 3 * math.exp(-distance_m / 150.0))


def uma_db(
    distance_m: float, frequency_hz: float, height_m: float, other_height_m: float, line_of_sight: bool
) -> float:
    """TR 38.901 table 7.4.1-1, UMa; the horizontal distance is held to the model's 10 m and above."""
    upper_m, lower_m = max(height_m, other_height_m), min(max(min(height_m, other_height_m), 1.5), 22.5)
    distance_m = max(distance_m, 10.0)
    slant_m = math.hypot(distance_m, upper_m - lower_m)
    ghz = frequency_hz / 1e9
    # Breakpoint distance with the effective environment height of 1 m (note 1 of the table).
    breakpoint_m = 4.0 * max(upper_m - 1.0, 0.5) * max(lower_m - 1.0, 0.5) * frequency_hz / SPEED_OF_LIGHT_M_S
    if distance_m <= breakpoint_m:
        los_db = 28.0 + 22.0 * math.log10(slant_m) + 20.0 * math.log10(ghz)
    else:
        drop_db = 9.0 * math.log10(breakpoint_m**2 + (upper_m - lower_m) ** 2)
        los_db = 28.0 + 40.0 * math.log10(slant_m) + 20.0 * math.log10(ghz) - drop_db
    if line_of_sight:
        return los_db
    nlos_db = 13.54 + 39.08 * math.log10(slant_m) + 20.0 * math.log10(ghz) - 0.6 * (lower_m - 1.5)
    return max(los_db, nlos_db)


UMA_SHADOWING_DB = {True: 4.0, False: 6.0}
"""Standard deviation with and without line of sight, TR 38.901 table 7.4.1-1, UMa."""


def suburban_macro_db(
    distance_m: float, frequency_hz: float, height_m: float, other_height_m: float, urban: bool = False
) -> float:
    """TR 25.996 section 5.2 (COST 231 Hata): base station height, mobile height; 3 dB more in urban surroundings."""
    distance_m = max(distance_m, 35.0)
    mhz = frequency_hz / 1e6
    return (
        (44.9 - 6.55 * math.log10(height_m)) * math.log10(distance_m / 1000.0)
        + 45.5
        + (35.46 - 1.1 * other_height_m) * math.log10(mhz)
        - 13.82 * math.log10(height_m)
        + 0.7 * other_height_m
        + (3.0 if urban else 0.0)
    )
