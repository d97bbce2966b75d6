# SPDX-License-Identifier: Apache-2.0
"""A radio's settings: new, provisioned, saved and read back."""

from pathlib import Path

from meshtastic.protobuf import channel_pb2, config_pb2

from kiezbox.protocol.channel import Channel
from kiezbox_simulator.stock_radio.settings import PRESET_DISPLAY_NAMES, RadioSettings

KEY = bytes(range(32))


def new() -> RadioSettings:
    return RadioSettings(0x7C3E51A4, "Rathaus", "RH", bytes(range(1, 33)))


def test_a_new_radio_is_on_the_public_default_channel() -> None:
    settings = new()
    ((index, channel),) = settings.mesh_channels()
    # Hash of LongFast under the default key, as the real firmware has it.
    assert (index, channel.name, channel.hash) == (0, "LongFast", 0x08)
    assert settings.hop_limit == 3
    assert settings.config.lora.region == config_pb2.Config.LoRaConfig.RegionCode.UNSET


def test_its_keys_are_clamped_and_belong_together() -> None:
    security = new().config.security
    assert security.private_key[0] & 7 == 0
    assert security.private_key[31] & 0xC0 == 0x40
    assert new().owner.public_key == security.public_key
    assert len(security.public_key) == 32


def test_provisioned_it_is_on_the_channel_of_the_boxes() -> None:
    settings = new()
    settings.provision("MEDIUM_FAST", "Kiezbox", KEY, 5)
    ((_, channel),) = settings.mesh_channels()
    assert channel.hash == Channel("Kiezbox", KEY).hash
    assert (settings.preset, settings.hop_limit) == ("MEDIUM_FAST", 5)
    assert settings.config.lora.ignore_mqtt


def test_a_secondary_channel_without_a_key_has_the_primary_key() -> None:
    settings = new()
    settings.provision("MEDIUM_FAST", "Kiezbox", KEY, 5)
    settings.channels[2].role = channel_pb2.Channel.Role.SECONDARY
    settings.channels[2].settings.name = "Haus"
    assert [(index, channel.key) for index, channel in settings.mesh_channels()] == [(0, KEY), (2, KEY)]


def test_saved_settings_come_back(tmp_path: Path) -> None:
    assert RadioSettings.load(tmp_path) is None
    settings = new()
    settings.provision("MEDIUM_FAST", "Kiezbox", KEY, 5)
    settings.reboot_count = 3
    settings.save(tmp_path)
    again = RadioSettings.load(tmp_path)
    assert again is not None
    assert again.files() == settings.files()
    assert sorted(again.files()) == [
        "/prefs/channels.proto",
        "/prefs/config.proto",
        "/prefs/device.proto",
        "/prefs/module.proto",
    ]
    assert not list(tmp_path.rglob("*.new"))


def test_every_preset_has_a_name_for_a_channel_without_one() -> None:
    settings = RadioSettings(1, "Long", "Shrt", b"entropy")
    for preset, name in PRESET_DISPLAY_NAMES.items():
        settings.config.lora.modem_preset = config_pb2.Config.LoRaConfig.ModemPreset.Value(preset)
        assert settings.mesh_channels()[0][1].name == name
