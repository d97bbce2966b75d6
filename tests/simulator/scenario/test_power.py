# SPDX-License-Identifier: Apache-2.0
"""What goes first when a battery runs down is the firmware's decision on the voltage it measures."""


def test_the_router_goes_long_before_the_box_does(vm_ran):
    simulation = vm_ran(
        energy={"initial_charge": 0.9, "charge_spread": 0.0, "battery_wh": 8, "router_w": 8, "panel_wp": 0},
        people={"calls_per_box_day": 0},
        readings={"interval_s": 60, "samples_per_frame": 2},
        duration_h=8,
    )
    for power in simulation.power.boxes.values():
        order = [text for _, text in power.shed]
        assert order.index("router on") < order.index("router off") < order.index("everything off")
        times_h = {text: time_us / 3.6e9 for time_us, text in power.shed}
        # Without the router the rest of the charge lasts for hours.
        assert times_h["everything off"] - times_h["router off"] > 2
    assert all(not box.station.alive for box in simulation.boxes.values())


def test_a_battery_that_lasts_sheds_nothing(vm_ran):
    simulation = vm_ran(energy={"initial_charge": 0.9, "router_w": 3}, people={"calls_per_box_day": 0})
    for power in simulation.power.boxes.values():
        assert [text for _, text in power.shed] == ["router on"]
