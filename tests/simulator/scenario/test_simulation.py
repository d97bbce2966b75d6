# SPDX-License-Identifier: Apache-2.0
"""Whole runs with core boxes: the same twice, calls arrive, faults and attackers do what they should and no more."""

from kiezbox_simulator.scenario.referee import HOUR_US
from kiezbox_simulator.scenario.summary import summarise


def test_the_same_scenario_and_seed_give_the_same_trace_and_another_seed_another(ran):
    first, again, other = ran(), ran(), ran(seed=2)
    assert first.trace.count > 100
    assert first.trace.sha256 == again.trace.sha256 != other.trace.sha256


def test_every_call_arrives_and_its_receipt_comes_back(ran):
    simulation = ran()
    assert len(simulation.calls) > 10
    assert all(call.accepted_us is not None and call.delivered_us is not None for call in simulation.calls)
    assert all(call.receipt_us is not None and call.receipt_us >= call.delivered_us for call in simulation.calls)
    assert simulation.referee.violations == []


def test_calls_survive_a_power_cut_and_a_dead_gateway(ran):
    simulation = ran(
        fault=[
            {"at_h": 0.5, "kind": "gateway_death", "target": "1", "duration_h": 1},
            {"at_h": 0.8, "kind": "power_cut", "count": 3, "duration_h": 0.2},
        ],
        limits={"delivery_grace_h": 0.4},
    )
    waited = [
        call for call in simulation.calls if call.accepted_us and 0.5 * HOUR_US < call.accepted_us < 0.75 * HOUR_US
    ]
    assert waited
    assert all(call.delivered_us and call.delivered_us > 1.5 * HOUR_US for call in waited)
    assert any(call.refused == "box without power" for call in simulation.calls)
    assert simulation.referee.violations == []


def test_a_destroyed_box_loses_only_what_no_gateway_had_and_says_so(ran):
    simulation = ran(
        gateways={"at": [{"name": "far away", "x_m": 60_000, "y_m": 60_000}]},
        fault=[{"at_h": 1.5, "kind": "box_death", "target": "Rathaus"}],
        limits={"delivery_grace_h": 3},
    )
    lost = [call for call in simulation.calls if call.lost_reason]
    assert lost
    assert {call.box for call in lost} == {"Rathaus"}
    assert summarise(simulation)["calls"]["reasons"]["its box was destroyed before a gateway had it"] == len(lost)


def test_without_a_gateway_in_reach_the_referee_says_what_is_lost(ran):
    simulation = ran(
        gateways={"at": [{"name": "far away", "x_m": 60_000, "y_m": 60_000}]}, limits={"delivery_grace_h": 0.5}
    )
    assert simulation.referee.violation_count > 0
    assert all("lost: call" in line for line in simulation.referee.violations)


def test_attackers_with_the_channel_key_neither_forge_nor_read(ran):
    attacks = [{"at_h": 0.3, "kind": kind, "duration_h": 2, "period_s": 20} for kind in ("replay", "forge", "bit_flip")]
    simulation = ran(attack=attacks)
    genuine = {call.code for call in simulation.calls}
    stored = [
        received for _, received in simulation.store.messages.values() if received.kind in ("emergency", "exercise")
    ]
    assert sum(attacker.sent for attacker in simulation.attackers) > 500
    assert {received.message["code"] for received in stored} <= genuine
    assert len(stored) == len({(received.node_num, received.counter) for received in stored})
    assert simulation.gateways["Gateway 1"].endpoint.counters["false_tag"] > 20
    assert simulation.referee.violations == []
    assert all(call.delivered_us is not None for call in simulation.calls)


def test_a_thief_with_a_boxs_key_speaks_for_that_box_only_and_only_until_it_is_revoked(ran):
    simulation = ran(
        attack=[{"at_h": 0.5, "kind": "stolen_box", "near": "Rathaus", "duration_h": 2, "period_s": 20,
                 "revoked_after_h": 0.5}],
        gateways={"count": 2},
    )  # fmt: skip
    node_num = simulation.boxes["Rathaus"].station.node_num
    invented = [(at_us, item) for at_us, item in simulation.store.messages.values()
                if (item.message.get("text") or "").startswith("Nobody typed this")]  # fmt: skip
    assert simulation.forged == len(invented) > 20
    assert {item.node_num for _, item in invented} == {node_num}
    assert max(at_us for at_us, _ in invented) < 1.01 * HOUR_US
    counters = [gateway.endpoint.counters for gateway in simulation.gateways.values()]
    assert max(one.get("revoked_box", 0) for one in counters) > 20
    assert max(one.get("false_tag", 0) for one in counters) > 20
    assert simulation.referee.violations == []
    assert all(call.refused == "box without power" for call in simulation.calls
               if call.box == "Rathaus" and call.asked_us > 0.5 * HOUR_US)  # fmt: skip
    assert summarise(simulation)["calls"]["forged_by_thieves"] == simulation.forged


def test_jamming_beside_the_gateway_delays_and_does_not_lose(ran):
    simulation = ran(
        boxes={"kind": "core", "at": [{"name": "a", "x_m": 400, "y_m": 0}, {"name": "b", "x_m": 900, "y_m": 0}]},
        gateways={"at": [{"name": "g", "x_m": 450, "y_m": 20}]},
        people={"calls_per_box_day": 100, "until_h": 2},
        fault=[{"at_h": 0.5, "kind": "jamming", "target": "a", "duration_h": 0.5, "power_dbm": 40}],
    )
    during = [c for c in simulation.calls if c.accepted_us and 0.55 * HOUR_US < c.accepted_us < 0.85 * HOUR_US]
    assert during
    assert max((c.delivered_us - c.accepted_us) / 1e6 for c in during) > 60
    assert simulation.referee.violations == []


def test_strangers_take_their_share_of_the_air(ran):
    short = {"duration_h": 0.7, "people": {"calls_per_box_day": 100, "until_h": 0.5}}
    busy = ran(strangers={"count": 20, "preset": "MEDIUM_FAST", "period_s": 20, "payload_length": 200}, **short)
    assert busy.ether.fates[1] > 10 * ran(**short).ether.fates[1]
    assert len(busy.calls) > 5
    assert all(call.delivered_us is not None for call in busy.calls)


def test_stock_nodes_flood_without_receipts(ran):
    simulation = ran(boxes={"kind": "stock", "count": 5})
    assert any(call.delivered_us is not None for call in simulation.calls)
    assert all(call.receipt_us is None for call in simulation.calls)


def test_the_mode_command_reaches_every_box(ran):
    assert {box.mode for box in ran().boxes.values()} == {2}
