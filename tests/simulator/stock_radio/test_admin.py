# SPDX-License-Identifier: Apache-2.0
"""Reading and writing a radio's settings through admin messages, and what makes it reboot."""

import pytest
from meshtastic.protobuf import admin_pb2, channel_pb2, config_pb2, mesh_pb2

from kiezbox_simulator.stock_radio.admin import REBOOT_DELAY_S, Administration
from kiezbox_simulator.stock_radio.node_database import NodeDatabase
from kiezbox_simulator.stock_radio.settings import RadioSettings

BAD_REQUEST = mesh_pb2.Routing.Error.BAD_REQUEST


@pytest.fixture
def settings() -> RadioSettings:
    return RadioSettings(0x7C3E51A4, "Rathaus", "RH", bytes(range(1, 33)))


@pytest.fixture
def administration(settings: RadioSettings) -> Administration:
    return Administration(settings, NodeDatabase(settings.node_num))


def test_what_is_written_is_read_back(administration: Administration) -> None:
    write = admin_pb2.AdminMessage()
    write.set_channel.index = 1
    write.set_channel.role = channel_pb2.Channel.Role.SECONDARY
    write.set_channel.settings.name = "Haus"
    outcome = administration.handle(write)
    assert (outcome.written, outcome.reboot_in_s, outcome.error) == (True, None, 0)
    reply = administration.handle(admin_pb2.AdminMessage(get_channel_request=2)).reply
    assert reply is not None
    assert reply.get_channel_response == write.set_channel


def test_lora_settings_reboot_only_when_they_change(administration: Administration, settings: RadioSettings) -> None:
    write = admin_pb2.AdminMessage()
    write.set_config.lora.CopyFrom(settings.config.lora)
    assert administration.handle(write).reboot_in_s is None
    write.set_config.lora.hop_limit = 9
    assert administration.handle(write).reboot_in_s == REBOOT_DELAY_S
    # The firmware knows no more than seven hops.
    assert settings.hop_limit == 7


def test_an_open_edit_holds_the_reboot_back_until_the_commit(
    administration: Administration, settings: RadioSettings
) -> None:
    administration.handle(admin_pb2.AdminMessage(begin_edit_settings=True))
    write = admin_pb2.AdminMessage()
    write.set_config.lora.CopyFrom(settings.config.lora)
    write.set_config.lora.modem_preset = config_pb2.Config.LoRaConfig.ModemPreset.MEDIUM_FAST
    assert administration.handle(write).reboot_in_s is None
    outcome = administration.handle(admin_pb2.AdminMessage(commit_edit_settings=True))
    assert outcome.reboot_in_s == REBOOT_DELAY_S
    assert settings.preset == "MEDIUM_FAST"


def test_security_settings_without_keys_keep_the_keys(administration: Administration, settings: RadioSettings) -> None:
    key = settings.config.security.private_key
    write = admin_pb2.AdminMessage()
    write.set_config.security.serial_enabled = False
    assert administration.handle(write).reboot_in_s == REBOOT_DELAY_S
    assert settings.config.security.private_key == key
    assert settings.owner.public_key == settings.config.security.public_key


def test_there_is_one_primary_channel(administration: Administration, settings: RadioSettings) -> None:
    write = admin_pb2.AdminMessage()
    write.set_channel.index = 3
    write.set_channel.role = channel_pb2.Channel.Role.PRIMARY
    administration.handle(write)
    roles = [channel.role for channel in settings.channels]
    assert roles.count(channel_pb2.Channel.Role.PRIMARY) == 1
    assert roles[3] == channel_pb2.Channel.Role.PRIMARY


def test_owner_name_and_time(administration: Administration, settings: RadioSettings) -> None:
    write = admin_pb2.AdminMessage()
    write.set_owner.long_name = "Neuer Name"
    assert administration.handle(write).owner_changed
    assert (settings.owner.long_name, settings.owner.short_name) == ("Neuer Name", "RH")
    assert administration.handle(admin_pb2.AdminMessage(set_time_only=1_700_000_000)).time_s == 1_700_000_000
    assert administration.handle(admin_pb2.AdminMessage(reboot_seconds=3)).reboot_in_s == 3


@pytest.mark.parametrize("request_kind", ["get_owner_request", "get_device_metadata_request", "get_ui_config_request"])
def test_reading(administration: Administration, request_kind: str) -> None:
    reply = administration.handle(admin_pb2.AdminMessage(**{request_kind: True})).reply
    assert reply is not None
    assert reply.WhichOneof("payload_variant") == request_kind.replace("request", "response")


def test_every_config_and_module_section_can_be_read(administration: Administration) -> None:
    for value in range(10):
        reply = administration.handle(admin_pb2.AdminMessage(get_config_request=value)).reply  # type: ignore[arg-type]
        assert reply is not None
        assert reply.HasField("get_config_response")
    for value in range(13):
        message = admin_pb2.AdminMessage(get_module_config_request=value)  # type: ignore[arg-type]
        reply = administration.handle(message).reply
        assert reply is not None
        assert reply.HasField("get_module_config_response")


@pytest.mark.parametrize(
    "message",
    [
        admin_pb2.AdminMessage(get_channel_request=9),
        admin_pb2.AdminMessage(set_channel=channel_pb2.Channel(index=8)),
        admin_pb2.AdminMessage(set_config=config_pb2.Config()),
        admin_pb2.AdminMessage(enter_dfu_mode_request=True),
        admin_pb2.AdminMessage(),
    ],
)
def test_what_makes_no_sense_changes_nothing(
    administration: Administration, settings: RadioSettings, message: admin_pb2.AdminMessage
) -> None:
    before = settings.files()
    outcome = administration.handle(message)
    assert (outcome.error, outcome.written, outcome.reboot_in_s) == (BAD_REQUEST, False, None)
    assert settings.files() == before
