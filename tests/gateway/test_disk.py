# SPDX-License-Identifier: Apache-2.0
"""The reserve is real blocks; readings are refused first."""

from pathlib import Path

from kiezbox_gateway.disk import MIB, Disk


def test_reserve_is_laid_in_freed_and_laid_in_again(tmp_path: Path) -> None:
    disk = Disk(tmp_path, 2, 1)
    assert not disk.check()
    assert disk.has_reserve
    assert (tmp_path / "reserve").stat().st_blocks * 512 >= 2 * MIB
    assert disk.free_reserve()
    assert not disk.has_reserve
    assert not disk.may_take("reading")
    assert disk.may_take("call")
    assert not disk.free_reserve()
    assert not disk.check()
    assert disk.has_reserve
    assert disk.may_take("reading")


def test_little_space_lays_no_reserve_and_refuses_readings(tmp_path: Path) -> None:
    disk = Disk(tmp_path, 1, 1 << 40)
    assert disk.check()
    assert not disk.has_reserve
    assert not disk.may_take("reading")
    assert disk.may_take("health")


def test_folder_that_is_gone_counts_as_full(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "gone", 1, 1)
    assert disk.check()
    assert disk.free_bytes == 0
