# SPDX-License-Identifier: Apache-2.0
"""Each fault by what it does to boxes with their firmware: it must be seen to bite, and must lose no accepted call."""

import pytest

from kiezbox_simulator.scenario.referee import HOUR_US


def stored(simulation, kind):
    """(time in hours, message) of what gateways have, oldest first."""
    found = [(at_us / HOUR_US, item) for at_us, item in simulation.store.messages.values() if item.kind == kind]
    return sorted(found, key=lambda one: one[0])


def accepted(simulation, from_h=0.0, until_h=9.0):
    return [call for call in simulation.calls if call.accepted_us and from_h < call.accepted_us / HOUR_US < until_h]


def assert_nothing_lost(simulation):
    assert accepted(simulation)
    assert all(call.delivered_us is not None for call in accepted(simulation))
    assert simulation.referee.violations == []


def test_a_power_cut_between_two_instructions_and_one_within_a_flash_write(vm_ran):
    simulation = vm_ran(
        fault=[
            {"at_h": 0.3, "kind": "power_cut", "target": "1", "duration_h": 0.05},
            {"at_h": 0.5, "kind": "power_cut", "target": "2", "duration_h": 0.05, "torn": True},
        ]
    )
    assert_nothing_lost(simulation)
    assert [box.boots for box in simulation.boxes.values()] == [2, 2]
    assert any("in the middle of a flash write" in text for _, text in simulation.events)


def test_a_destroyed_box_is_gone_for_good_also_when_the_sun_comes_back(vm_ran):
    simulation = vm_ran(
        energy={"initial_charge": 0.9},
        fault=[
            {"at_h": 0.3, "kind": "box_death", "target": "1"},
            {"at_h": 0.4, "kind": "power_cut", "target": "1", "duration_h": 0.1},
        ],
    )
    gone, other = simulation.boxes.values()
    assert (gone.boots, gone.station.alive) == (1, False)
    assert other.station.alive
    assert {call.refused for call in simulation.calls if call.box == gone.station.name and call.asked_us > 0.3 * HOUR_US
            } == {"box without power"}  # fmt: skip


def test_radio_reset_breaks_off_what_is_on_its_way_and_no_more(vm_ran):
    simulation = vm_ran(
        fault=[{"at_h": 0.2 + 0.01 * number, "kind": "radio_reset", "target": "all"} for number in range(40)]
    )
    assert sum("radio reset" in text and "over" not in text for _, text in simulation.events) == 80
    assert [box.boots for box in simulation.boxes.values()] == [1, 1]
    assert_nothing_lost(simulation)


def test_silent_sensors_are_reported_and_heal(vm_ran):
    simulation = vm_ran(fault=[{"at_h": 0.3, "kind": "sensor", "target": "1", "duration_h": 0.3}])
    node_num = next(iter(simulation.boxes.values())).station.node_num
    faults = [(at_h, item.message.get("faults") or 0) for at_h, item in stored(simulation, "health")
              if item.node_num == node_num]  # fmt: skip
    assert any(bits for at_h, bits in faults if 0.35 < at_h < 0.6)
    assert not any(bits for at_h, bits in faults if at_h < 0.3 or at_h > 0.7)
    assert_nothing_lost(simulation)


def test_a_full_flash_sheds_readings_first_and_calls_never(vm_ran):
    simulation = vm_ran(
        fault=[{"at_h": 0.3, "kind": "full_flash", "target": "all", "duration_h": 0.25}], duration_h=1.2
    )
    during = [call for call in simulation.calls if 0.31 < call.asked_us / HOUR_US < 0.52]
    assert during
    assert all(call.accepted_us for call in during)
    health = [(at_h, item.message) for at_h, item in stored(simulation, "health")]
    full = [message for at_h, message in health if 0.32 < at_h < 0.54]
    assert full
    assert all((message.get("flash_free_bytes") or 0) < 8 * 4096 for message in full)
    assert any(message.get("readings_shed") for message in full)
    assert not any(message.get("readings_shed") for at_h, message in health if at_h < 0.3)
    assert max(message.get("flash_free_bytes") or 0 for at_h, message in health if at_h > 0.6) > 500_000
    assert [box.boots for box in simulation.boxes.values()] == [1, 1]
    assert_nothing_lost(simulation)


def test_a_flash_that_refuses_every_write_refuses_calls_with_a_reason_also_after_a_start(vm_ran):
    simulation = vm_ran(
        fault=[
            {"at_h": 0.3, "kind": "broken_flash", "target": "all", "duration_h": 0.25},
            {"at_h": 0.4, "kind": "power_cut", "target": "1", "duration_h": 0.01},
        ],
        duration_h=1.2,
    )
    during = [call for call in simulation.calls if 0.31 < call.asked_us / HOUR_US < 0.52]
    first, second = simulation.boxes.values()
    assert {call.box for call in during if call.asked_us / HOUR_US > 0.42} >= {first.station.name}
    assert all(call.refused and "konnte den Text gerade nicht speichern" in call.refused for call in during)
    assert (first.boots, second.boots) == (2, 1)
    assert accepted(simulation, from_h=0.6)
    assert_nothing_lost(simulation)


def test_a_box_out_of_memory_is_itself_again_after_a_while(vm_ran):
    simulation = vm_ran(
        fault=[{"at_h": 0.3, "kind": "memory_exhaustion", "target": "1", "duration_h": 0.2}], duration_h=1.2
    )
    name, box = next(iter(simulation.boxes.items()))
    with_refusals = [call for call in simulation.calls if call.box == name and 0.3 < call.asked_us / HOUR_US < 0.5]
    restarts = [item.message.get("restarts") or 0 for _, item in stored(simulation, "health")
                if item.node_num == box.station.node_num]  # fmt: skip
    # It bites: somebody is refused, a task starts again, or the whole box does.
    assert any(call.accepted_us is None for call in with_refusals) or max(restarts) > 0 or box.boots > 1
    assert [call for call in accepted(simulation, from_h=0.6) if call.box == name]
    assert_nothing_lost(simulation)


def test_a_clock_that_jumped_is_set_right_by_the_next_beacon_and_calls_go_on(vm_ran):
    simulation = vm_ran(
        fault=[{"at_h": 0.32, "kind": "clock_jump", "target": "1", "jump_s": -86_400}],
        time_beacon_h=0.25, duration_h=1.2,
    )  # fmt: skip
    node_num = next(iter(simulation.boxes.values())).station.node_num
    errors_s = {round(at_h, 2): item.message["time_s"] - simulation.scenario.start_unix_s - at_h * 3600
                for at_h, item in stored(simulation, "health") if item.node_num == node_num
                and item.message.get("time_s")}  # fmt: skip
    assert any(error_s < -80_000 for at_h, error_s in errors_s.items() if 0.32 < at_h < 0.55)
    assert all(abs(error_s) < 60 for at_h, error_s in errors_s.items() if at_h > 0.9)
    assert_nothing_lost(simulation)


def test_the_city_gets_what_waited_once_its_line_is_back(vm_ran):
    simulation = vm_ran(fault=[{"at_h": 0.05, "kind": "uplink_outage", "target": "all", "duration_h": 0.5}])
    assert_nothing_lost(simulation)
    early = accepted(simulation, until_h=0.5)
    assert early
    assert all(call.station_us is None or call.station_us > 0.55 * HOUR_US for call in early)
    assert simulation.gateways["Gateway 1"]._for_the_city == []


def test_core_and_stock_boxes_say_that_they_have_no_flash(ran):
    simulation = ran(fault=[{"at_h": 1, "kind": "full_flash", "target": "1", "duration_h": 0.1}])
    assert any("only vm boxes" in text for _, text in simulation.events)


@pytest.mark.parametrize("kind", ["core", "stock"])
def test_power_cut_and_death_of_boxes_in_this_process(ran, kind):
    simulation = ran(
        boxes={"kind": kind, "count": 5},
        fault=[
            {"at_h": 0.5, "kind": "power_cut", "target": "1", "duration_h": 0.2},
            {"at_h": 0.6, "kind": "box_death", "target": "2"},
            {"at_h": 0.7, "kind": "power_cut", "target": "2", "duration_h": 0.2},
        ],
    )
    alive = [box.station.alive for box in simulation.boxes.values()]
    assert alive == [True, False, True, True, True]
