# SPDX-License-Identifier: Apache-2.0
"""What a radio must be told until it fits the configuration. Plain functions over what the radio reported.

The radio's inbound queue holds four messages and drops the oldest without an error, so `radio.session` paces the writes
and reads everything back. Writing LoRa settings reboots the radio after some seconds.
"""

from dataclasses import dataclass, field

from meshtastic.protobuf import admin_pb2, channel_pb2, config_pb2

# Later writes would be lost in the radio's queue of four when sent faster than this.
WRITE_PAUSE_MS = 700


@dataclass(frozen=True)
class Wanted:
    """The radio settings a deployment shares: region and preset by their firmware names, one channel, the hop limit."""

    region: str
    preset: str
    channel_name: str
    channel_key: bytes
    hop_limit: int


@dataclass
class Reported:
    """What the radio said about itself in one handshake."""

    node_num: int | None = None
    firmware_version: str | None = None
    lora: config_pb2.Config.LoRaConfig | None = None
    device: config_pb2.Config.DeviceConfig | None = None
    channels: dict[int, channel_pb2.Channel] = field(default_factory=dict)
    nodes: dict[int, str] = field(default_factory=dict)


def channel_index(reported: Reported, wanted: Wanted) -> int | None:
    """Index of the radio's channel with the wanted name and key, None when it has none."""
    for index, channel in sorted(reported.channels.items()):
        disabled = channel.role == channel_pb2.Channel.Role.DISABLED
        if not disabled and channel.settings.name == wanted.channel_name and channel.settings.psk == wanted.channel_key:
            return index
    return None


def differences(reported: Reported, wanted: Wanted) -> list[str]:
    """Short names of what does not fit; empty when the radio is ready. Never contains a key."""
    found = []
    lora = reported.lora
    if lora is None:
        found.append("lora settings unknown")
    else:
        if lora.region != config_pb2.Config.LoRaConfig.RegionCode.Value(wanted.region):
            found.append("region")
        if not lora.use_preset or lora.modem_preset != config_pb2.Config.LoRaConfig.ModemPreset.Value(wanted.preset):
            found.append("preset")
        if lora.hop_limit != wanted.hop_limit:
            found.append("hop limit")
    device = reported.device
    # CORE_PORTNUMS_ONLY and its like would not relay the private port that every Kiezbox message uses.
    if device is not None and device.rebroadcast_mode != config_pb2.Config.DeviceConfig.RebroadcastMode.ALL:
        found.append("rebroadcast mode")
    if channel_index(reported, wanted) is None:
        found.append("channel")
    return found


def writes(reported: Reported, wanted: Wanted) -> list[admin_pb2.AdminMessage]:
    """Admin messages in the order to send; the one that reboots the radio comes last."""
    found = differences(reported, wanted)
    messages: list[admin_pb2.AdminMessage] = []
    if "channel" in found:
        message = admin_pb2.AdminMessage()
        message.set_channel.index = 0
        message.set_channel.role = channel_pb2.Channel.Role.PRIMARY
        message.set_channel.settings.name = wanted.channel_name
        message.set_channel.settings.psk = wanted.channel_key
        messages.append(message)
    if "rebroadcast mode" in found and reported.device is not None:
        message = admin_pb2.AdminMessage()
        message.set_config.device.CopyFrom(reported.device)
        message.set_config.device.rebroadcast_mode = config_pb2.Config.DeviceConfig.RebroadcastMode.ALL
        messages.append(message)
    if {"region", "preset", "hop limit", "lora settings unknown"} & set(found):
        message = admin_pb2.AdminMessage()
        lora = message.set_config.lora
        if reported.lora is not None:
            lora.CopyFrom(reported.lora)
        lora.use_preset = True
        lora.region = config_pb2.Config.LoRaConfig.RegionCode.Value(wanted.region)
        lora.modem_preset = config_pb2.Config.LoRaConfig.ModemPreset.Value(wanted.preset)
        lora.hop_limit = wanted.hop_limit
        lora.tx_enabled = True
        messages.append(message)
    return messages
