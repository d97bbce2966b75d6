# SPDX-License-Identifier: Apache-2.0
"""Sun over Berlin: irradiance on a tilted panel at any second of any year, with deterministic clouds.

Monthly means: Palz, Greif (eds.): European Solar Radiation Atlas, 3rd ed., Springer 1996, Berlin 52.5 N, global
radiation on the horizontal (also in Quaschning: Understanding Renewable Energy Systems, 2nd ed., table 2.5).
Position of the sun: Spencer 1971 (declination, equation of time). Diffuse share: Erbs, Klein, Duffie: Estimation of
the diffuse radiation fraction, Solar Energy 28(4), 1982. Tilted surface: isotropic sky (Liu, Jordan 1963), ground
reflectance 0.2.

A day's clouds are a factor around the month's mean, an hour's a factor around the day's, both drawn by hash, so the
mean over many days is the month's. Not here: temperature (weather.py), what the panel makes of it (energy.py).
"""

import math
from datetime import UTC, date, datetime
from functools import lru_cache

from kiezbox_simulator.world import chance

LATITUDE_DEG, LONGITUDE_DEG = 52.52, 13.405
SOLAR_CONSTANT_W_M2 = 1361.0
ALBEDO = 0.2

DAILY_KWH_M2 = (0.61, 1.14, 2.44, 3.49, 4.77, 5.44, 5.26, 4.58, 3.05, 1.59, 0.76, 0.45)
"""Mean global radiation a day on the horizontal, January to December."""


def position(unix_s: int) -> tuple[float, float]:
    """Sine of the sun's elevation and its azimuth (radians from south, west positive) over Berlin."""
    moment = datetime.fromtimestamp(unix_s, UTC)
    day_angle = 2.0 * math.pi * (moment.timetuple().tm_yday - 1) / 365.0
    declination = (
        0.006918
        - 0.399912 * math.cos(day_angle)
        + 0.070257 * math.sin(day_angle)
        - 0.006758 * math.cos(2 * day_angle)
        + 0.000907 * math.sin(2 * day_angle)
    )
    equation_min = 229.18 * (
        0.000075
        + 0.001868 * math.cos(day_angle)
        - 0.032077 * math.sin(day_angle)
        - 0.014615 * math.cos(2 * day_angle)
        - 0.040849 * math.sin(2 * day_angle)
    )
    solar_min = moment.hour * 60 + moment.minute + moment.second / 60 + equation_min + 4.0 * LONGITUDE_DEG
    hour_angle = math.radians(solar_min / 4.0 - 180.0)
    latitude = math.radians(LATITUDE_DEG)
    sine = math.sin(latitude) * math.sin(declination) + math.cos(latitude) * math.cos(declination) * math.cos(
        hour_angle
    )
    east_west = math.cos(declination) * math.sin(hour_angle)
    south = math.sin(latitude) * math.cos(declination) * math.cos(hour_angle) - math.cos(latitude) * math.sin(
        declination
    )
    return sine, math.atan2(east_west, south)


@lru_cache(maxsize=1024)
def _day_shape_sum(day: date) -> float:
    """Integral of the day's clear-sky shape, in hours, at steps of ten minutes."""
    start_s = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    return math.fsum(math.pow(max(0.0, position(start_s + step * 600)[0]), 1.2) for step in range(144)) / 6.0


def cloud_factor(seed: int, day: date) -> float:
    """The day's radiation over its month's mean: 0.2 (fog) to 1.8 (clear), 1 on average."""
    return 0.2 + 1.6 * chance.uniform(seed, "clouds", day.isoformat())


def horizontal_w_m2(seed: int, unix_s: int) -> float:
    """Global irradiance on the horizontal."""
    sine, _ = position(unix_s)
    if sine <= 0.0:
        return 0.0
    moment = datetime.fromtimestamp(unix_s, UTC)
    day = moment.date()
    hour_factor = 0.7 + 0.6 * chance.uniform(seed, "cloud", day.isoformat(), moment.hour)
    mean = (
        1000.0
        * DAILY_KWH_M2[day.month - 1]
        * cloud_factor(seed, day)
        * hour_factor
        * math.pow(sine, 1.2)
        / _day_shape_sum(day)
    )
    # The clearest sky lets about 0.8 of the light outside the atmosphere through.
    return min(mean, 0.8 * SOLAR_CONSTANT_W_M2 * sine)


def panel_w_m2(seed: int, unix_s: int, tilt_deg: float, azimuth_deg: float = 0.0) -> float:
    """Global irradiance on a panel; azimuth from south, west positive."""
    total = horizontal_w_m2(seed, unix_s)
    if total <= 0.0:
        return 0.0
    sine, sun_azimuth = position(unix_s)
    clearness = min(total / (SOLAR_CONSTANT_W_M2 * sine), 1.0)
    if clearness <= 0.22:
        diffuse_share = 1.0 - 0.09 * clearness
    elif clearness <= 0.8:
        diffuse_share = (
            0.9511 - 0.1604 * clearness + 4.388 * clearness**2 - 16.638 * clearness**3 + 12.336 * clearness**4
        )
    else:
        diffuse_share = 0.165
    tilt = math.radians(tilt_deg)
    cosine = math.sqrt(max(0.0, 1.0 - sine * sine))
    incidence = sine * math.cos(tilt) + cosine * math.sin(tilt) * math.cos(sun_azimuth - math.radians(azimuth_deg))
    # Near the horizon the quotient explodes while the light does not: no more than a beam at 5 degrees can give.
    beam = total * (1.0 - diffuse_share) / max(sine, 0.087) * max(0.0, incidence)
    sky = total * diffuse_share * (1.0 + math.cos(tilt)) / 2.0
    return beam + sky + total * ALBEDO * (1.0 - math.cos(tilt)) / 2.0
