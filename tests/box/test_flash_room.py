# SPDX-License-Identifier: Apache-2.0
import asyncio
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from kiezbox.box.flash_room import BLOCKS_MIN, FlashRoom


class Full:
    """An action that the flash refuses until enough was given up."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.done = False

    def __call__(self) -> None:
        if self.refusals:
            self.refusals -= 1
            raise OSError(28)
        self.done = True


def shed(given_up: list[str], name: str, gives: bool = True):
    def give() -> bool:
        given_up.append(name)
        return gives

    return give


def test_what_matters_less_is_given_up_in_order_and_only_as_much_as_needed(tmp_path: Path) -> None:
    room, gone = FlashRoom(str(tmp_path)), []
    room.sheds += [shed(gone, "empty", False), shed(gone, "readings"), shed(gone, "exercises")]
    action = Full(0)
    room.write(action)
    assert (action.done, gone) == (True, [])
    action = Full(1)
    room.write(action)
    assert (action.done, gone, room.shed) == (True, ["empty", "readings"], 1)
    gone.clear()
    action = Full(2)
    room.write(action)
    assert (action.done, gone, room.full) == (True, ["empty", "readings", "exercises"], False)


def test_when_nothing_is_left_the_flash_is_full(tmp_path: Path) -> None:
    room, gone = FlashRoom(str(tmp_path)), []
    room.sheds.append(shed(gone, "readings"))
    with pytest.raises(OSError, match="28"):
        room.write(Full(9))
    assert room.full
    room.write(Full(0))
    assert not room.full


def test_readings_stop_while_there_is_still_room_for_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = FlashRoom(str(tmp_path))
    for blocks, free, wanted in ((512, 65, True), (512, 64, False), (64, BLOCKS_MIN, False), (64, 17, True)):
        monkeypatch.setattr(os, "statvfs", lambda _, b=blocks, f=free: (4096, 4096, b, f))
        assert room.for_readings() is wanted
        assert room.free_bytes() == 4096 * free


@pytest.mark.parametrize("wrapped", [-2, 0xFFFF_FFFE])
def test_more_blocks_in_use_than_there_are_is_a_full_flash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrapped: int
) -> None:
    room = FlashRoom(str(tmp_path))
    monkeypatch.setattr(os, "statvfs", lambda _: (4096, 4096, 64, wrapped))
    assert not room.for_readings()
    assert room.free_bytes() == 0


def test_overwriting_ends_when_the_medium_is_full_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, beats = FlashRoom(str(tmp_path)), []
    monkeypatch.setattr(asyncio, "sleep_ms", lambda _: asyncio.sleep(0), raising=False)
    written = []

    class Medium:
        def write(self, data: bytes) -> None:
            if len(written) >= 100:
                raise OSError(28)
            written.append(data)

        def close(self) -> None:
            pass

    monkeypatch.setattr("builtins.open", lambda *_: Medium())
    assert asyncio.run(room.overwrite(lambda: beats.append(1)))
    assert len(written) == 100
    assert len(beats) > 10
    assert not (tmp_path / "filler").exists()


def test_overwriting_gives_way_to_a_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = FlashRoom(str(tmp_path))
    steps = SimpleNamespace(count=0)

    async def sleep_ms(_: int) -> None:
        steps.count += 1
        if steps.count == 5:
            assert (tmp_path / "filler").exists()
            room.write(Full(1))

    monkeypatch.setattr(asyncio, "sleep_ms", sleep_ms, raising=False)
    assert not asyncio.run(room.overwrite(lambda: None))
    assert steps.count == 5
    assert not (tmp_path / "filler").exists()


def test_a_filler_that_a_power_cut_left_goes_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "filler").write_bytes(b"x")
    FlashRoom(str(tmp_path))
    assert not (tmp_path / "filler").exists()
