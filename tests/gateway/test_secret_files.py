# SPDX-License-Identifier: Apache-2.0
"""Keys and the list of boxes: permissions checked, every mistake one sentence, nothing overwritten, nothing told."""

from pathlib import Path

import pytest

from kiezbox_gateway import box_files, configuration, provisioning, secret_files
from kiezbox_gateway.secret_files import SecretFileError

VALUES = {"name": "G", "district": "kiez", "station": "S", "radio": "auto", "city": "mqtt://h", "port": "1"}


def test_new_gateway_has_sound_and_private_keys(tmp_path: Path) -> None:
    path = provisioning.initialise(tmp_path / "g", VALUES)
    settings = configuration.load(path)
    assert len(secret_files.read_hex_key(settings.radio.channel_key_file, (32,))) == 32
    assert len(secret_files.read_token(settings.web.token_file)) >= 32
    assert box_files.read_boxes(settings.boxes.file) == []
    for file in (settings.radio.channel_key_file, settings.boxes.district_key_file, settings.web.token_file):
        assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "g" / "keys").stat().st_mode & 0o077 == 0
    text = path.read_text()
    assert settings.web.token_file.read_text().strip() not in text


def test_init_overwrites_nothing_and_leaves_nothing_behind(tmp_path: Path) -> None:
    provisioning.initialise(tmp_path, VALUES)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(SecretFileError, match="not overwritten"):
        provisioning.initialise(tmp_path, VALUES)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    with pytest.raises(configuration.ConfigurationError):
        provisioning.initialise(tmp_path / "bad", VALUES | {"district": "Not A District"})
    assert [path for path in (tmp_path / "bad").rglob("*") if path.is_file()] == []
    with pytest.raises(SecretFileError, match="quotation"):
        provisioning.initialise(tmp_path / "bad", VALUES | {"name": 'a"\n[web]'})


def test_open_key_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "x.key"
    secret_files.write_secret(key, secret_files.new_key_text())
    key.chmod(0o640)
    with pytest.raises(SecretFileError, match="chmod 600"):
        secret_files.read_secret(key)


@pytest.mark.parametrize("content", ["", "zz", "00" * 31, "00" * 33, "ü"])
def test_malformed_key_is_named_and_not_told(tmp_path: Path, content: str) -> None:
    key = tmp_path / "x.key"
    key.write_text(content)
    key.chmod(0o600)
    with pytest.raises(SecretFileError, match=r"x\.key must hold") as caught:
        secret_files.read_hex_key(key, (32,))
    assert not content or content not in str(caught.value).replace(str(key), "")


def test_enrolled_boxes_are_read_back(tmp_path: Path) -> None:
    file = tmp_path / "boxes.toml"
    box_files.enroll_box(file, 0x7C3E51A4, "Bäckerei Straße 5")
    box_files.enroll_box(file, 5, "Zwei")
    first, second = box_files.read_boxes(file)
    assert (first.node_num, first.name, second.node_num) == (0x7C3E51A4, "Bäckerei Straße 5", 5)
    assert first.root_key != second.root_key
    with pytest.raises(SecretFileError, match="already"):
        box_files.enroll_box(file, 5, "Again")
    with pytest.raises(SecretFileError, match="printable"):
        box_files.enroll_box(file, 6, 'x"\n')
    assert len(box_files.read_boxes(file)) == 2


def test_position_is_optional_and_checked(tmp_path: Path) -> None:
    file = tmp_path / "boxes.toml"
    box_files.enroll_box(file, 5, "Fünf")
    text = file.read_text()
    file.write_text(text + "latitude = 52.48\nlongitude = 13.35\n")
    assert box_files.read_boxes(file)[0].latitude == 52.48
    file.write_text(text + "latitude = 152.48\n")
    with pytest.raises(SecretFileError, match="box 1 needs"):
        box_files.read_boxes(file)


@pytest.mark.parametrize(
    "text",
    [
        "[[box]]\n",
        '[[box]]\nnode_num = "xyz"\nname = "n"\nroot_key_file = "k"\n',
        '[[box]]\nnode_num = "0"\nname = "n"\nroot_key_file = "k"\n',
        '[[box]]\nnode_num = "ffffffff"\nname = "n"\nroot_key_file = "k"\n',
        '[[box]]\nnode_num = "5"\nname = "n"\nroot_key_file = "missing"\n',
        '[[box]]\nnode_num = "5"\nname = "n"\nroot_key = "00"\n',
        "[box]\n",
        "x = 1\n",
        "not toml",
    ],
)
def test_malformed_list_of_boxes_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "boxes.toml").write_text(text)
    with pytest.raises(SecretFileError):
        box_files.read_boxes(tmp_path / "boxes.toml")


def test_twice_the_same_box(tmp_path: Path) -> None:
    file = tmp_path / "boxes.toml"
    box_files.enroll_box(file, 5, "Fünf")
    file.write_text(file.read_text() * 2)
    with pytest.raises(SecretFileError, match="twice"):
        box_files.read_boxes(file)


def test_missing_files_say_which_command_makes_them(tmp_path: Path) -> None:
    with pytest.raises(SecretFileError, match="enroll"):
        box_files.read_boxes(tmp_path / "boxes.toml")
    with pytest.raises(SecretFileError, match="init"):
        secret_files.read_secret(tmp_path / "x")
