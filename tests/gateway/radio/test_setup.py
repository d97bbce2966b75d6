# SPDX-License-Identifier: Apache-2.0
"""What a radio is told until it fits."""

from meshtastic.protobuf import channel_pb2, config_pb2

from kiezbox_gateway.radio import setup

KEY = bytes(range(32))
WANTED = setup.Wanted("EU_868", "MEDIUM_FAST", "Kiezbox", KEY, 5)
LORA = config_pb2.Config.LoRaConfig


def reported(*, fits: bool, index: int = 0) -> setup.Reported:
    found = setup.Reported(node_num=1, lora=LORA(use_preset=True, tx_power=14), device=config_pb2.Config.DeviceConfig())
    channel = channel_pb2.Channel(index=index, role=channel_pb2.Channel.Role.PRIMARY)
    channel.settings.name, channel.settings.psk = "Kiezbox", KEY
    if fits:
        assert found.lora is not None
        found.lora.region = LORA.RegionCode.EU_868
        found.lora.modem_preset = LORA.ModemPreset.MEDIUM_FAST
        found.lora.hop_limit = 5
    else:
        channel.settings.psk = b"\x01"
    found.channels[index] = channel
    return found


def test_fitting_radio_is_left_alone() -> None:
    assert setup.differences(reported(fits=True), WANTED) == []
    assert setup.writes(reported(fits=True), WANTED) == []
    assert setup.channel_index(reported(fits=True, index=2), WANTED) == 2


def test_new_radio_is_written_channel_first_reboot_last() -> None:
    found = reported(fits=False)
    assert setup.differences(found, WANTED) == ["region", "preset", "hop limit", "channel"]
    writes = setup.writes(found, WANTED)
    assert [message.WhichOneof("payload_variant") for message in writes] == ["set_channel", "set_config"]
    lora = writes[1].set_config.lora
    assert (lora.region, lora.modem_preset, lora.hop_limit) == (LORA.RegionCode.EU_868, LORA.ModemPreset.MEDIUM_FAST, 5)
    assert lora.tx_power == 14  # What the owner chose for the antenna stays.


def test_disabled_channel_does_not_count() -> None:
    found = reported(fits=True)
    found.channels[0].role = channel_pb2.Channel.Role.DISABLED
    assert setup.differences(found, WANTED) == ["channel"]


def test_radio_that_would_not_relay_our_port_is_corrected() -> None:
    found = reported(fits=True)
    assert found.device is not None
    found.device.rebroadcast_mode = config_pb2.Config.DeviceConfig.RebroadcastMode.CORE_PORTNUMS_ONLY
    found.device.node_info_broadcast_secs = 3600
    assert setup.differences(found, WANTED) == ["rebroadcast mode"]
    (write,) = setup.writes(found, WANTED)
    assert write.set_config.device.rebroadcast_mode == config_pb2.Config.DeviceConfig.RebroadcastMode.ALL
    assert write.set_config.device.node_info_broadcast_secs == 3600


def test_no_difference_names_a_key() -> None:
    text = " ".join(setup.differences(reported(fits=False), WANTED))
    assert KEY.hex() not in text
