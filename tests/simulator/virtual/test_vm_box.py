# SPDX-License-Identifier: Apache-2.0
"""The firmware itself in virtual time: equal traces, a call from a phone's HTTP to the gateway and back, power cuts
in the flash."""

import pytest

from kiezbox_simulator.scenario import schema
from kiezbox_simulator.scenario.simulation import Simulation
from kiezbox_simulator.virtual.repetition import Repetitions
from kiezbox_simulator.virtual.vm_box import VmBox

BASE = {
    "title": "vm", "start": "2026-01-03T16:00:00+01:00", "duration_h": 1.2,
    "map": {"width_m": 1200, "height_m": 1200}, "boxes": {"kind": "vm", "count": 2},
    "readings": {"interval_s": 300, "samples_per_frame": 2},
    "people": {"calls_per_box_day": 60, "from_h": 0.15, "until_h": 1.0, "prank_share": 0, "blackout": False},
    "mode": [{"at_h": 0, "mode": "emergency"}], "limits": {"delivery_grace_h": 0.1},
}  # fmt: skip


@pytest.fixture
def run(tmp_path):
    count = 0

    def make(cores=2, start_order_seed=0, seed=1, **changes):
        nonlocal count
        count += 1
        work = tmp_path / f"{'x' * count}{count}"
        work.mkdir()
        simulation = Simulation(
            schema.parse(BASE | changes), seed, work_dir=work, cores=cores, start_order_seed=start_order_seed
        )
        simulation.run()
        return simulation

    return make


def test_one_core_or_two_and_any_order_of_starting_give_the_same_trace(run):
    first, second = run(cores=2), run(cores=1, start_order_seed=9)
    assert first.trace.count > 50
    assert first.trace.sha256 == second.trace.sha256


def test_a_box_that_is_told_of_copies_later_does_the_same_as_one_that_is_woken_for_each(run, monkeypatch):
    turns = []
    begin_turn = VmBox.begin_turn
    monkeypatch.setattr(VmBox, "begin_turn", lambda self: (turns.append(self), begin_turn(self)))
    town = {"map": {"width_m": 5000, "height_m": 2500}, "boxes": {"kind": "vm", "count": 16}, "duration_h": 0.6}
    later = run(**town)
    turns_later = len(turns)
    monkeypatch.setattr(Repetitions, "is_one", lambda self, frame: False)
    at_once = run(**town)
    assert turns_later < 0.8 * (len(turns) - turns_later)
    assert later.trace.count > 200
    assert not [text for _, text in later.events if "late" in text]
    assert later.trace.sha256 == at_once.trace.sha256


def test_a_box_that_thinks_before_its_moment_does_the_same_as_one_that_thinks_in_it(run, monkeypatch):
    early = []
    begin_early = VmBox.begin_early
    monkeypatch.setattr(VmBox, "begin_early", lambda self, at_us: early.append(begin_early(self, at_us)) or early[-1])
    before = run(boxes={"kind": "vm", "count": 4})
    assert early.count(True) > 20
    monkeypatch.setattr(VmBox, "begin_early", lambda self, at_us: None)
    assert run(boxes={"kind": "vm", "count": 4}).trace.sha256 == before.trace.sha256


def test_what_reaches_a_box_that_has_thought_ahead_is_an_error_and_not_an_event(run, monkeypatch):
    monkeypatch.setattr(VmBox, "_alone_until_us", lambda self, now_us: now_us + 60_000_000)
    with pytest.raises(RuntimeError, match="was alone until"):
        run()


def test_calls_typed_into_the_page_reach_the_gateway_and_the_page_says_so(run):
    simulation = run(people=BASE["people"] | {"lookers_per_box_day": 100})
    accepted = [call for call in simulation.calls if call.accepted_us is not None]
    assert len(accepted) >= 2
    assert all(call.delivered_us is not None for call in accepted)
    # The page with the code renews itself, so its person sees the receipt at the first or second time.
    assert all(call.receipt_us is not None and call.receipt_us - call.accepted_us < 45e6 for call in accepted)
    assert simulation.pages_read == simulation.pages_asked > 3
    assert simulation.readings_delivered > 0
    assert not [
        line for line in simulation.referee.violations if "secrecy" in line or "lost" in line or "truth" in line
    ]


def test_a_power_cut_in_the_middle_of_a_flash_write_loses_no_accepted_call(run):
    cuts = [
        {"at_h": at_h, "kind": "power_cut", "target": "all", "duration_h": 0.02, "torn": True}
        for at_h in (0.3, 0.45, 0.6)
    ]
    simulation = run(fault=cuts, duration_h=1.5, seed=2)
    accepted = [call for call in simulation.calls if call.accepted_us is not None]
    assert accepted
    assert all(call.delivered_us is not None for call in accepted)
    assert all(box.boots >= 4 for box in simulation.boxes.values())
    assert not [line for line in simulation.referee.violations if "lost" in line]
