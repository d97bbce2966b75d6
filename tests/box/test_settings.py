# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from kiezbox.box.flash_room import FlashRoom
from kiezbox.box.settings import APPLIED, REFUSED, Settings, Unprovisioned
from kiezbox.box.testing import FakePorts
from tests.box.lone_box import CONFIGURATION


def boot(folder: Path, offered: dict[str, object] | None = None) -> Settings:
    ports = FakePorts(str(folder))
    ports.offered = offered
    return Settings(ports, FlashRoom(str(folder)))


def test_a_box_is_provisioned_once(tmp_path: Path) -> None:
    with pytest.raises(Unprovisioned, match="no configuration"):
        boot(tmp_path)
    assert boot(tmp_path, CONFIGURATION).values["name"] == CONFIGURATION["name"]
    settings = boot(tmp_path, CONFIGURATION | {"name": "another"})
    assert settings.values["name"] == CONFIGURATION["name"]
    assert not settings.faulty


def test_a_wrong_file_is_refused_with_all_that_is_wrong_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Unprovisioned, match=r"hop_limit: .*; colour: no such key"):
        boot(tmp_path, CONFIGURATION | {"hop_limit": 0, "colour": 1})
    with pytest.raises(Unprovisioned, match="no configuration"):
        boot(tmp_path)


def test_a_change_is_on_flash_before_it_is_applied(tmp_path: Path) -> None:
    settings = boot(tmp_path, CONFIGURATION)
    assert settings.change({"place": "Neu"}) == (APPLIED, "", False)
    assert settings.values["place"] == boot(tmp_path).values["place"] == "Neu"
    assert settings.change({"place": "Neu"}) == (APPLIED, "", False)
    assert settings.change({"short_name": "K9"}) == (APPLIED, "restart", True)
    assert boot(tmp_path).values["short_name"] == "K9"


def test_a_refused_change_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = boot(tmp_path, CONFIGURATION)
    before = dict(settings.values)
    assert settings.change({"place": "Neu", "hop_limit": 9}) == (REFUSED, "hop_limit", False)

    def full(_: object) -> None:
        raise OSError(28)

    monkeypatch.setattr(settings._room, "write", full)
    assert settings.change({"place": "Neu"}) == (REFUSED, "flash", False)
    assert settings.values == boot(tmp_path).values == before


def test_on_trial_until_a_gateway_is_heard(tmp_path: Path) -> None:
    settings = boot(tmp_path, CONFIGURATION)
    assert settings.change({"hop_limit": 2}) == (APPLIED, "restart", True)
    settings.heard()  # Still with the old settings: that says nothing about the new ones.
    assert not settings.on_trial
    running = boot(tmp_path)
    assert running.on_trial
    assert running.values["hop_limit"] == 2
    running.heard()
    assert not running.on_trial
    assert not running.give_back()
    again = boot(tmp_path)
    assert (again.on_trial, again.values["hop_limit"]) == (False, 2)


def test_the_old_settings_come_back_if_nobody_is_heard(tmp_path: Path) -> None:
    boot(tmp_path, CONFIGURATION).change({"preset": "LONG_FAST", "place": "Neu"})
    running = boot(tmp_path)
    assert running.change({"hop_limit": 1}) == (APPLIED, "restart", True)
    running = boot(tmp_path)
    assert running.give_back()
    again = boot(tmp_path)
    assert not again.on_trial
    assert again.values | CONFIGURATION == again.values


def test_a_damaged_copy_leaves_the_one_before_and_is_reported(tmp_path: Path) -> None:
    boot(tmp_path, CONFIGURATION).change({"place": "Neu"})
    (tmp_path / "config.b").write_bytes(b"\xff" * 100)
    settings = boot(tmp_path)
    assert settings.values["place"] == CONFIGURATION["place"]
    assert settings.faulty


def test_keys_that_a_newer_firmware_finds_wrong_do_not_keep_a_box_from_starting(tmp_path: Path) -> None:
    settings = boot(tmp_path, CONFIGURATION)
    settings._save(CONFIGURATION | {"colour": "red", "reserve_pct": 99}, None)
    again = boot(tmp_path)
    assert again.faulty
    assert again.values["reserve_pct"] == 40
    assert "colour" not in again.values
