# SPDX-License-Identifier: Apache-2.0
"""A box's energy: panel, battery with temperature, and what its parts draw. Watts in, watts out; what to switch off
is the firmware's choice.

Battery: a lithium cell by chemistry. Open-circuit voltage over charge: typical curves of LiFePO4 and lithium-ion
(NMC) cells at rest. Usable capacity over temperature and no charging below 0 C: data sheets of such cells (LiFePO4
at -10 C about 80 %, at -20 C about 60 % of its capacity). Consumers: data sheets named at each. Not here: the sun
(sun.py), time of day.
"""

from dataclasses import dataclass, field
from itertools import pairwise

OPEN_CIRCUIT_MV = {
    "lifepo4": (
        (0.0, 2500),
        (0.05, 2950),
        (0.1, 3100),
        (0.2, 3200),
        (0.4, 3260),
        (0.6, 3300),
        (0.8, 3330),
        (0.95, 3360),
        (1.0, 3450),
    ),
    "li_ion": (
        (0.0, 3000),
        (0.05, 3350),
        (0.1, 3450),
        (0.2, 3560),
        (0.4, 3660),
        (0.6, 3800),
        (0.8, 3980),
        (0.95, 4120),
        (1.0, 4190),
    ),
}
"""Charge 0..1 -> millivolts of one cell."""

NOMINAL_MV = {"lifepo4": 3200, "li_ion": 3650}
CAPACITY_AT_C = ((-30.0, 0.4), (-20.0, 0.6), (-10.0, 0.8), (0.0, 0.9), (10.0, 0.97), (20.0, 1.0), (60.0, 1.0))
CHARGE_FROM_C = 0.0
CONVERTER_EFFICIENCY = 0.88
PANEL_DERATING = 0.8
"""Dirt, wiring, charger and heat together; PVGIS assumes 14 % losses, a small charger adds some."""


@dataclass(frozen=True)
class Consumers:
    """Draw in milliwatts at the supply, after conversion.

    mcu: ESP32-S3 awake at 80-160 MHz with light sleep between (data sheet table 4-8: 20-40 mA). radio_rx: SX1262
    boosted receive 5.3 mA; radio_tx: 118 mA at 22 dBm (data sheet table 3-5). wifi_ap: 95-100 mA receiving with
    beacons (ESP32-S3 data sheet table 4-7). dust: SDS011 70 mA or SPS30 55 mA at 5 V while its fan runs. sensors:
    BME680, microphone, INA226, RTC.
    """

    mcu_mw: float = 66.0
    radio_rx_mw: float = 17.5
    radio_tx_mw: float = 389.0
    wifi_ap_mw: float = 330.0
    dust_mw: float = 350.0
    sensors_mw: float = 6.0


@dataclass(frozen=True)
class Supply:
    """Panel and battery of a box. `cells` in series. `initial` is the charge at the start, 0 to 1."""

    panel_wp: float = 20.0
    panel_tilt_deg: float = 60.0
    panel_azimuth_deg: float = 0.0
    battery_wh: float = 230.0
    chemistry: str = "lifepo4"
    cells: int = 4
    initial: float = 0.9
    internal_mohm: float = 60.0


def _interpolate(table: tuple[tuple[float, float], ...], at: float) -> float:
    if at <= table[0][0]:
        return table[0][1]
    for (low, low_value), (high, high_value) in pairwise(table):
        if at <= high:
            return low_value + (high_value - low_value) * (at - low) / (high - low)
    return table[-1][1]


def usable_share(temperature_c: float) -> float:
    """Share of the rated capacity that can be drawn at this temperature."""
    return _interpolate(CAPACITY_AT_C, temperature_c)


def panel_mw(supply: Supply, irradiance_w_m2: float) -> float:
    """What the panel delivers into the battery's terminals."""
    return supply.panel_wp * irradiance_w_m2 * PANEL_DERATING


@dataclass
class Battery:
    """State of one battery. `charge` 0 to 1 of the rated capacity; `empty` once the protection has cut it off."""

    supply: Supply
    charge: float = field(default=-1.0)
    empty: bool = False
    drawn_wh: float = 0.0
    harvested_wh: float = 0.0
    current_ma: int = 0

    def __post_init__(self) -> None:
        if self.charge < 0:
            self.charge = self.supply.initial

    def step(self, duration_s: float, in_mw: float, out_mw: float, temperature_c: float) -> None:
        """Let time pass. Below 0 C the charger feeds the load but not the cells. What does not fit is lost."""
        load_mw = out_mw / CONVERTER_EFFICIENCY if not self.empty else 0.0
        charging_mw = in_mw - load_mw
        if charging_mw > 0 and temperature_c < CHARGE_FROM_C:
            charging_mw = 0.0
        hours = duration_s / 3600.0
        self.drawn_wh += load_mw / 1000.0 * hours
        self.harvested_wh += in_mw / 1000.0 * hours
        self.charge = min(1.0, self.charge + charging_mw / 1000.0 * hours / self.supply.battery_wh)
        volts = self.supply.cells * NOMINAL_MV[self.supply.chemistry] / 1000.0
        self.current_ma = round(charging_mw / volts)
        floor = 1.0 - usable_share(temperature_c)
        if self.charge <= floor:
            self.charge = max(self.charge, 0.0)
            self.empty = True
        elif self.empty and self.charge > floor + 0.08:
            self.empty = False  # The protection lets go only after some charge has come back.

    def voltage_mv(self, temperature_c: float) -> int:
        """Terminal voltage of the whole battery under its present current."""
        floor = 1.0 - usable_share(temperature_c)
        level = max(0.0, (self.charge - floor) / (1.0 - floor))
        rest_mv = _interpolate(OPEN_CIRCUIT_MV[self.supply.chemistry], level) * self.supply.cells
        return round(rest_mv + self.current_ma * self.supply.internal_mohm / 1000.0)
