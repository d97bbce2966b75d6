# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from kiezbox.box.flash_room import FlashRoom
from kiezbox.box.state import LEAP, State
from kiezbox.protocol import duty, packet_id


class FullRoom(FlashRoom):
    def write(self, action) -> None:
        raise OSError(28)


def test_all_values_are_saved_together_and_only_when_something_changed(tmp_path: Path) -> None:
    state = State(str(tmp_path), FlashRoom(str(tmp_path)))
    assert state.save()
    assert list(tmp_path.iterdir()) == []
    state.put("mode", "emergency")
    state.put("mode_epoch", 3)
    assert State(str(tmp_path), FlashRoom(str(tmp_path))).values == {}
    assert state.save()
    again = State(str(tmp_path), FlashRoom(str(tmp_path)))
    assert (again.values, again.damaged) == ({"mode": "emergency", "mode_epoch": 3}, False)


def test_a_flash_that_refuses_is_said_and_tried_again(tmp_path: Path) -> None:
    state = State(str(tmp_path), FullRoom(str(tmp_path)))
    state.put("mode", "emergency")
    assert not state.save()
    assert not state.save()
    state._room = FlashRoom(str(tmp_path))
    assert state.save()
    assert State(str(tmp_path), FlashRoom(str(tmp_path))).values == {"mode": "emergency"}


def test_after_damage_numbers_leap_forward_and_the_hour_counts_as_spent(tmp_path: Path) -> None:
    state = State(str(tmp_path), FlashRoom(str(tmp_path)))
    for reserved in (64, 128, 192):
        state.put("counter_reserved", reserved)
        state.put(packet_id.PERSIST_NAME, 2 * reserved)
        state.save()
    (tmp_path / "state.a").write_bytes(b"rubbish")
    again = State(str(tmp_path), FlashRoom(str(tmp_path)))
    assert again.damaged
    assert again.values["counter_reserved"] == 128
    again.leap(9)
    assert again.values["counter_reserved"] == 128 + LEAP
    assert again.values[packet_id.PERSIST_NAME] == 256 + LEAP
    assert again.values[duty.PERSIST_NAME] == duty.LIMIT_MS
    (tmp_path / "state.b").write_bytes(b"rubbish")
    nothing = State(str(tmp_path), FlashRoom(str(tmp_path)))
    nothing.leap(5_000)
    assert nothing.values["counter_reserved"] == 5_000 + LEAP
