# SPDX-License-Identifier: Apache-2.0
"""A gateway's folder as `kiezbox gateway init` makes it: the real command takes what was changed, or says why not."""

import os
from pathlib import Path

import pytest

from kiezbox_simulator.real_gateway.folder import Folder, FolderError, empty_own_folder, init, kiezbox


async def made(path: Path, **lines: str) -> Folder:
    return await init(
        path, name="Gateway", district="simulation", station="Feuerwache", radio_port=4404, city_port=1883, lines=lines
    )


async def test_a_district_is_taken_over_and_the_gateway_accepts_it(tmp_path: Path) -> None:
    folder = await made(tmp_path / "gateway", **{"number = 0": "number = 3"})
    boxes = [(0x0B000001, "Rathaus", b"\x07" * 32), (2, 'Kita "Süd\\West"', b"k" * 32)]
    folder.take_over(bytes(range(32)), bytes(range(1, 33)), boxes)
    assert folder.key("channel.key") == bytes(range(32))
    assert folder.key("box-0b000001.key") == b"\x07" * 32
    for path in (folder.path / "keys").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    await kiezbox("gateway", "run", "--check-config", "--config", str(folder.configuration))
    assert len(await folder.enroll(3, "Bibliothek")) == 32
    assert "number = 3" in folder.configuration.read_text()
    assert len(folder.token) > 20


async def test_a_setting_that_is_no_longer_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="does not have 'colour = 7' any more"):
        await made(tmp_path / "gateway", **{"colour = 7": "colour = 8"})


async def test_what_the_command_refuses_is_said(tmp_path: Path) -> None:
    await made(tmp_path / "gateway")
    with pytest.raises(FolderError, match=r"`kiezbox gateway init` failed: .+"):
        await made(tmp_path / "gateway")


def test_only_our_own_folder_is_emptied(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    empty_own_folder(ours, "kiezbox demo")
    (ours / "old.txt").touch()
    empty_own_folder(ours, "kiezbox demo")
    assert os.listdir(ours) == ["made-by-kiezbox-demo"]
    theirs.mkdir()
    (theirs / "letter.txt").touch()
    with pytest.raises(FolderError, match="did not make"):
        empty_own_folder(theirs, "kiezbox demo")
    assert os.listdir(theirs) == ["letter.txt"]
