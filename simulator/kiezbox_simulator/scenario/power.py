# SPDX-License-Identifier: Apache-2.0
"""Energy of all boxes of a run: each has a panel in the same sun and its own battery; consumption follows what the
box does.

Radio time comes from the ether, everything else from what the box says is switched on (`consumers`). What a box
switches off and when is its firmware's decision, made on the voltage it measures here; a battery that its protection
cuts off takes the box down, and the sun brings it back. Results: charge over time, the order in which functions
went, hours without power.
"""

from typing import TYPE_CHECKING

from kiezbox_simulator.world import chance, sun, weather
from kiezbox_simulator.world.energy import Battery, Consumers, Supply, panel_mw

if TYPE_CHECKING:
    from kiezbox_simulator.scenario.simulation import Simulation

MCU, RADIO, WIFI, DUST, SENSORS, ROUTER = 1, 2, 4, 8, 16, 32
"""Bits of what a box says is on."""

NAMES = {MCU: "processor", RADIO: "radio", WIFI: "Wi-Fi", DUST: "dust sensor", SENSORS: "sensors", ROUTER: "router"}
CORE_CONSUMERS = MCU | RADIO | WIFI | SENSORS


class _Box:
    def __init__(self, supply: Supply) -> None:
        self.battery = Battery(supply)
        self.consumers = CORE_CONSUMERS
        self.on_ms: dict[int, float] = dict.fromkeys(NAMES, 0.0)
        self.since_us = 0
        self.airtime_us = 0
        self.panel_now_mw = 0.0
        self.history: list[tuple[int, int]] = []
        self.shed: list[tuple[int, str]] = []
        self.down_us = 0


class PowerSystem:
    """Steps every box's battery. `values` are the energy values of a reading."""

    def __init__(self, simulation: "Simulation") -> None:
        energy = simulation.scenario.energy
        if energy is None:
            raise ValueError("this scenario has mains")
        self._simulation = simulation
        self._energy = energy
        self.loads = Consumers()
        self.boxes: dict[str, _Box] = {}
        for name in simulation.boxes:
            spread = energy.charge_spread * (2.0 * chance.uniform(simulation.seed, "charge", name) - 1.0)
            self.boxes[name] = _Box(
                Supply(
                    panel_wp=energy.panel_wp,
                    panel_tilt_deg=energy.panel_tilt_deg,
                    # Roofs differ: up to 40 degrees off south.
                    panel_azimuth_deg=80.0 * (chance.uniform(simulation.seed, "azimuth", name) - 0.5),
                    battery_wh=energy.battery_wh,
                    chemistry=energy.chemistry,
                    cells=energy.cells,
                    initial=min(1.0, max(0.05, energy.initial_charge + spread)),
                )
            )
        simulation.expect(0)
        simulation.schedule.at(0, self._step, None)

    def consumers(self, name: str, mask: int) -> None:
        """This box has switched something on or off, now."""
        box = self.boxes[name]
        self._account(box)
        for bit, what in NAMES.items():
            if box.consumers & bit and not mask & bit:
                box.shed.append((self._simulation.schedule.now_us, f"{what} off"))
            elif mask & bit and not box.consumers & bit:
                box.shed.append((self._simulation.schedule.now_us, f"{what} on"))
        box.consumers = mask

    def switch(self, name: str, bit: int, on: bool) -> None:
        """This box has switched one of its consumers."""
        mask = self.boxes[name].consumers
        self.consumers(name, mask | bit if on else mask & ~bit)

    def values(self, name: str) -> dict[str, int]:
        """battery_mv, panel_mv, battery_ma as the box's meter reads them."""
        box = self.boxes[name]
        temperature_c = self._temperature_c()
        # A panel at its maximum power point; open in the dark it shows nothing.
        panel_mv = round(17_500 * min(1.0, box.panel_now_mw / 150.0)) if box.panel_now_mw > 1 else 0
        return {
            "battery_mv": box.battery.voltage_mv(temperature_c),
            "panel_mv": panel_mv,
            "battery_ma": box.battery.current_ma,
        }

    def _temperature_c(self) -> float:
        simulation = self._simulation
        return weather.temperature_c(simulation.seed, simulation.unix_s, simulation.scenario.temperature_offset_c)

    def _account(self, box: _Box) -> None:
        now_us = self._simulation.schedule.now_us
        for bit in NAMES:
            if box.consumers & bit:
                box.on_ms[bit] += (now_us - box.since_us) / 1000.0
        box.since_us = now_us

    def _step(self, _: None) -> None:
        simulation = self._simulation
        step_s = self._energy.step_s
        next_us = simulation.schedule.now_us + step_s * 1_000_000
        simulation.expect(next_us)
        simulation.schedule.at(next_us, self._step, None)
        temperature_c = self._temperature_c()
        for name, box in self.boxes.items():
            station = simulation.boxes[name].station
            self._account(box)
            share = {bit: box.on_ms[bit] / (step_s * 1000.0) for bit in NAMES}
            box.on_ms = dict.fromkeys(NAMES, 0.0)
            airtime_us, box.airtime_us = station.airtime_us - box.airtime_us, station.airtime_us
            sending = airtime_us / (step_s * 1e6)
            loads = self.loads
            out_mw = (
                share[MCU] * loads.mcu_mw
                + max(0.0, share[RADIO] - sending) * loads.radio_rx_mw
                + sending * loads.radio_tx_mw
                + share[WIFI] * loads.wifi_ap_mw
                + share[DUST] * loads.dust_mw
                + share[SENSORS] * loads.sensors_mw
                + share[ROUTER] * self._energy.router_w * 1000.0
            )
            supply = box.battery.supply
            light = sun.panel_w_m2(simulation.seed, simulation.unix_s, supply.panel_tilt_deg, supply.panel_azimuth_deg)
            box.panel_now_mw = panel_mw(supply, light)
            before = box.battery.empty
            box.battery.step(step_s, box.panel_now_mw, out_mw, temperature_c)
            if box.battery.empty:
                box.down_us += step_s * 1_000_000
            box.history.append((simulation.schedule.now_us, round(box.battery.charge * 1000)))
            if box.battery.empty != before:
                self._power(name, box, box.battery.empty)

    def _power(self, name: str, box: _Box, gone: bool) -> None:
        simulation = self._simulation
        if gone:
            simulation.note(f"{name}: the battery is empty")
            box.shed.append((simulation.schedule.now_us, "everything off"))
            box.consumers = 0
            simulation.boxes[name].cut_power()
        else:
            simulation.note(f"{name}: the sun brings it back")
            box.consumers = CORE_CONSUMERS
            simulation.boxes[name].restore_power()
