# SPDX-License-Identifier: Apache-2.0
"""What breaks, when and where: turns a scenario's `fault` tables into events. A box that is gone or off says nothing
about it."""

import math
from typing import TYPE_CHECKING, Any

from kiezbox_simulator.world import chance
from kiezbox_simulator.world.link import Site, mean_received_dbm
from kiezbox_simulator.world.people import HOUR_US

if TYPE_CHECKING:
    from kiezbox_simulator.scenario.schema import Fault
    from kiezbox_simulator.scenario.simulation import Simulation


def plan(simulation: "Simulation") -> None:
    """Put every fault on the schedule. Raises ValueError for a target that does not exist."""
    for number, fault in enumerate(simulation.scenario.fault):
        for name in _targets(simulation, fault, number):
            spread_us = round(fault.spread_h * HOUR_US * chance.uniform(simulation.seed, "fault", number, name))
            at_us = round(fault.at_h * HOUR_US) + spread_us
            simulation.expect(at_us)
            simulation.schedule.at(at_us, _begin, (simulation, fault, name))


def _targets(simulation: "Simulation", fault: "Fault", number: int) -> list[str]:
    pool = list(simulation.gateways) if fault.kind in ("gateway_death", "uplink_outage") else list(simulation.boxes)
    if fault.target == "all":
        return pool
    if fault.target == "random":
        order = sorted(pool, key=lambda name: chance.digest(simulation.seed, "target", number, name))
        return order[: fault.count]
    if fault.target in pool:
        return [fault.target]
    if fault.target.isdigit() and 0 < int(fault.target) <= len(pool):
        return [pool[int(fault.target) - 1]]
    raise ValueError(f"fault {fault.kind}: no such target: {fault.target}")


def _begin(item: "tuple[Simulation, Fault, str]") -> None:
    simulation, fault, name = item
    end_us = simulation.schedule.now_us + round(fault.duration_h * HOUR_US)
    simulation.note(
        f"{name}: {fault.kind.replace('_', ' ')}" + (" in the middle of a flash write" if fault.torn else "")
    )
    if fault.kind in ("gateway_death", "uplink_outage"):
        gateway = simulation.gateways[name]
        if fault.kind == "gateway_death":
            gateway.die()
        else:
            gateway.set_uplink(False)
    elif fault.kind == "jamming":
        _jam(simulation, simulation.boxes[name].station.site, fault.power_dbm, True)
    else:
        box: Any = simulation.boxes[name]
        if fault.kind == "power_cut":
            cut_torn = getattr(box, "cut_power_torn", None)
            if fault.torn and cut_torn is not None:
                cut_torn(chance.choice(simulation.seed, 12, "torn", name, simulation.schedule.now_us))
            else:
                box.cut_power()
        elif fault.kind == "box_death":
            destroy(simulation, name, "its box was destroyed before a gateway had it")
            return
        elif hasattr(box, "fault"):
            box.fault(fault.kind, fault.jump_s)
        else:
            simulation.note(
                f"{name}: only vm boxes have what a {fault.kind.replace('_', ' ')} would hit; nothing happens"
            )
    simulation.expect(end_us)
    simulation.schedule.at(end_us, _end, (simulation, fault, name))


def destroy(simulation: "Simulation", name: str, reason: str) -> None:
    """This box is gone, and with it the calls that only it had."""
    simulation.boxes[name].destroy()
    for call in simulation.calls:
        if call.box == name and call.accepted_us is not None and call.delivered_us is None:
            call.lost_reason = reason


def _end(item: "tuple[Simulation, Fault, str]") -> None:
    simulation, fault, name = item
    simulation.note(f"{name}: {fault.kind.replace('_', ' ')} is over")
    if fault.kind == "gateway_death":
        simulation.gateways[name].revive()
    elif fault.kind == "uplink_outage":
        simulation.gateways[name].set_uplink(True)
    elif fault.kind == "jamming":
        _jam(simulation, simulation.boxes[name].station.site, fault.power_dbm, False)
    elif fault.kind == "power_cut":
        box: Any = simulation.boxes[name]
        if not box.station.alive:
            box.restore_power()
    elif hasattr(simulation.boxes[name], "fault"):
        simulation.boxes[name].fault(f"{fault.kind}_over", 0)


def _jam(simulation: "Simulation", place: Site, power_dbm: float, begins: bool) -> None:
    """Noise over the whole band from beside this box: every receiver's floor rises by what reaches it."""
    jammer = Site(f"jammer at {place.key}", place.x_m + 20.0, place.y_m, 2.0, 0.0)
    for station in simulation.ether.stations:
        noise_dbm = station.quiet_noise_dbm
        if begins:
            heard_dbm = mean_received_dbm(simulation.ether.channel, power_dbm, jammer, station.site)
            total = 10.0 ** (station.quiet_noise_dbm / 10.0) + 10.0 ** (heard_dbm / 10.0)
            noise_dbm = 10.0 * math.log10(total)
        station.set_noise(noise_dbm)
