# SPDX-License-Identifier: Apache-2.0
import pytest

from kiezbox.box.modes import Modes
from kiezbox.box.testing import FakeState


def test_a_new_box_has_the_mode_it_was_provisioned_with() -> None:
    assert Modes(FakeState(), "maintenance").name == "maintenance"
    assert Modes(FakeState(), "rubbish").name == "everyday"


def test_mode_epoch_and_end_survive_together() -> None:
    state = FakeState()
    modes = Modes(state, "everyday")
    assert modes.command({"mode": 2, "epoch": 17})
    assert (modes.name, modes.number, modes.epoch) == ("emergency", 2, 17)
    assert state.values == {"mode": "emergency", "mode_epoch": 17, "mode_until_s": 0}
    again = Modes(state, "everyday")
    assert (again.name, again.epoch) == ("emergency", 17)


@pytest.mark.parametrize("number", [0, 5, None])
def test_what_is_no_mode_changes_nothing(number: int | None) -> None:
    state = FakeState()
    modes = Modes(state, "everyday")
    assert not modes.command({"mode": number, "epoch": 3})
    assert (modes.name, state.values) == ("everyday", {})


def test_a_mode_ends_at_its_time_if_the_time_is_known_also_after_a_restart() -> None:
    state = FakeState()
    Modes(state, "maintenance").command({"mode": 3, "epoch": 4, "until_s": 1_000})
    modes = Modes(state, "maintenance")
    assert not modes.end(0)
    assert not modes.end(999)
    assert modes.name == "exercise"
    assert modes.end(1_000)
    assert not modes.end(1_001)
    assert (modes.name, modes.epoch) == ("maintenance", 4)
    assert Modes(state, "everyday").name == "maintenance"


def test_a_later_command_has_its_own_end() -> None:
    state = FakeState()
    modes = Modes(state, "everyday")
    modes.command({"mode": 3, "epoch": 4, "until_s": 1_000})
    modes.command({"mode": 2, "epoch": 5})
    assert not modes.end(5_000)
    assert modes.name == "emergency"
