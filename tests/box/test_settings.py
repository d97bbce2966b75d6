# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest

from kiezbox.box.flash_room import FlashRoom
from kiezbox.box.settings import APPLIED, REFUSED, Settings, Unprovisioned
from kiezbox.box.testing import FakePorts
from tests.box.lone_box import CONFIGURATION


def boot(folder: Path, offered: dict[str, object] | bytes | None = None) -> Settings:
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


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (b"", "the file is not JSON in UTF-8"),
        (json.dumps(CONFIGURATION).encode("utf-16"), "the file is not JSON in UTF-8"),
        (json.dumps(CONFIGURATION).encode() + b" " * 8_192, "the file is longer than 8192 bytes"),
        (b"[]", "configuration: must be an object with keys"),
        (
            json.dumps(CONFIGURATION | {"name": "a\0b"}).encode(),
            "name: must be a text of 1 to 39 bytes, without control",
        ),
        (
            json.dumps(CONFIGURATION | {f"k{n}": 0 for n in range(500)}).encode(),
            r"k0: .*; k29: no such key; [.]{3}: and more$",
        ),
    ],
)
def test_a_file_that_is_none_is_refused_with_one_sentence(tmp_path: Path, file: bytes, sentence: str) -> None:
    with pytest.raises(Unprovisioned, match="the configuration of this box is wrong: " + sentence):
        boot(tmp_path, file)


@pytest.mark.parametrize("escaped", [True, False])
def test_a_file_may_begin_with_a_mark_and_write_its_letters_in_both_ways(tmp_path: Path, escaped: bool) -> None:
    name = "Köpenick 😀 \\ue9"
    file = b"\xef\xbb\xbf" + json.dumps(CONFIGURATION | {"name": name}, ensure_ascii=escaped).encode()
    assert boot(tmp_path, file).values["name"] == boot(tmp_path).values["name"] == name


def test_voltages_that_a_newer_firmware_finds_crossed_do_not_keep_a_box_from_starting(tmp_path: Path) -> None:
    boot(tmp_path, CONFIGURATION)._save(CONFIGURATION | {"router_off_below_mv": 9_000, "a:b": 1}, {"name": "x"})
    again = boot(tmp_path)
    assert again.faulty
    assert again.values["router_off_below_mv"] == 3_500
    assert not again.on_trial, "there is nothing right to go back to"


def test_more_than_flash_gives_back_is_refused(tmp_path: Path) -> None:
    settings = boot(tmp_path, CONFIGURATION)
    places = [{"name": '"' * 64, "address": "\\" * 64, "kind": '"' * 64}] * 12
    assert settings.change({"help_points": places}) == (APPLIED, "", False)
    assert boot(tmp_path).values == settings.values
    # On trial the file would hold all of it twice.
    assert settings.change({"hop_limit": 4}) == (REFUSED, "flash", False)
    assert boot(tmp_path).values == settings.values


@pytest.mark.parametrize(("error", "detail"), [(OSError(28), "flash"), (MemoryError(), "memory")])
def test_what_cannot_be_stored_now_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, detail: str
) -> None:
    boot(tmp_path, CONFIGURATION).change({"hop_limit": 2})
    running = boot(tmp_path)

    def refuse(_: object) -> None:
        raise error

    with monkeypatch.context() as short:
        short.setattr(running._room, "write", refuse)
        running.heard()
        assert running.on_trial
        assert not running.give_back()
        assert running.change({"place": "Neu"}) == (REFUSED, detail, False)
    running.heard()
    assert not running.on_trial
    assert not boot(tmp_path).on_trial
