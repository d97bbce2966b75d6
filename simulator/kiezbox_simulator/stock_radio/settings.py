# SPDX-License-Identifier: Apache-2.0
"""What a radio keeps over a reboot: its configuration, channels, owner. In the four files the firmware keeps it in.

A new radio has the firmware's defaults: region unset, preset LongFast, the public default channel. Used by `device.py`,
changed by `admin.py`; tests and the demo provision a radio by writing such files.
"""

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from meshtastic.protobuf import channel_pb2, config_pb2, deviceonly_pb2, localonly_pb2, mesh_pb2

from kiezbox.protocol.channel import Channel

CHANNELS = 8
DEFAULT_HOP_LIMIT = 3
DEFAULT_PSK = b"\x01"
STATE_VERSION = 24
"""DEVICESTATE_CUR_VER of firmware 2.7."""

PRESET_DISPLAY_NAMES = {
    "SHORT_TURBO": "ShortTurbo",
    "SHORT_FAST": "ShortFast",
    "SHORT_SLOW": "ShortSlow",
    "MEDIUM_FAST": "MediumFast",
    "MEDIUM_SLOW": "MediumSlow",
    "LONG_FAST": "LongFast",
    "LONG_MODERATE": "LongMod",
    "LONG_SLOW": "LongSlow",
    "LONG_TURBO": "LongTurbo",
}
"""What a channel with an empty name is called, by preset."""


class RadioSettings:
    """Everything that survives a power cycle. `owner.id` and the keys follow from the node number and `entropy`."""

    def __init__(self, node_num: int, long_name: str, short_name: str, entropy: bytes) -> None:
        self.node_num = node_num
        self.reboot_count = 0
        self.config = _default_config(entropy)
        self.modules = localonly_pb2.LocalModuleConfig(version=STATE_VERSION)
        self.modules.mqtt.address = "mqtt.meshtastic.org"
        self.modules.mqtt.root = "msh"
        self.modules.telemetry.device_update_interval = 1800
        self.modules.neighbor_info.update_interval = 21_600
        self.channels = [channel_pb2.Channel(index=index) for index in range(CHANNELS)]
        self.channels[0].role = channel_pb2.Channel.Role.PRIMARY
        self.channels[0].settings.psk = DEFAULT_PSK
        self.owner = mesh_pb2.User(
            id=f"!{node_num:08x}",
            long_name=long_name,
            short_name=short_name,
            macaddr=b"\x02\x00" + node_num.to_bytes(4, "big"),
            hw_model=mesh_pb2.HardwareModel.HELTEC_V3,
            role=config_pb2.Config.DeviceConfig.Role.CLIENT,
            public_key=self.config.security.public_key,
        )

    @property
    def preset(self) -> str:
        """Name of the modem preset in use."""
        return str(config_pb2.Config.LoRaConfig.ModemPreset.Name(self.config.lora.modem_preset))

    @property
    def hop_limit(self) -> int:
        """Hop limit of packets that name none."""
        return self.config.lora.hop_limit or DEFAULT_HOP_LIMIT

    def mesh_channels(self) -> list[tuple[int, Channel]]:
        """The enabled channels with their indices, primary first as in the radio's own list."""
        display_name = PRESET_DISPLAY_NAMES[self.preset]
        primary_psk = self.channels[0].settings.psk
        result = []
        for channel in self.channels:
            if channel.role == channel_pb2.Channel.Role.DISABLED:
                continue
            psk = channel.settings.psk
            if not psk and channel.role == channel_pb2.Channel.Role.SECONDARY:
                psk = primary_psk  # A secondary channel without a key uses the primary's.
            result.append((channel.index, Channel(channel.settings.name, psk, display_name)))
        return result

    def provision(
        self,
        preset: str,
        channel_name: str,
        channel_key: bytes,
        hop_limit: int,
        region: str = "EU_868",
        role: str = "CLIENT",
    ) -> None:
        """Set region, preset, hop limit and the primary channel, as someone does with an app who prepares a radio."""
        lora = self.config.lora
        lora.region = config_pb2.Config.LoRaConfig.RegionCode.Value(region)
        lora.modem_preset = config_pb2.Config.LoRaConfig.ModemPreset.Value(preset)
        lora.hop_limit = hop_limit
        # A region with a duty cycle makes the firmware refuse packets that came over MQTT.
        lora.ignore_mqtt = region == "EU_868"
        self.config.device.role = config_pb2.Config.DeviceConfig.Role.Value(role)
        self.owner.role = self.config.device.role
        self.channels[0].settings.name = channel_name
        self.channels[0].settings.psk = channel_key

    def files(self) -> dict[str, bytes]:
        """The files by the names under which the radio lists them to its client."""
        channels = deviceonly_pb2.ChannelFile(channels=self.channels, version=STATE_VERSION)
        state = deviceonly_pb2.DeviceState(owner=self.owner, version=STATE_VERSION)
        state.my_node.my_node_num = self.node_num
        state.my_node.reboot_count = self.reboot_count
        return {
            "/prefs/channels.proto": channels.SerializeToString(),
            "/prefs/config.proto": self.config.SerializeToString(),
            "/prefs/device.proto": state.SerializeToString(),
            "/prefs/module.proto": self.modules.SerializeToString(),
        }

    def save(self, folder: Path) -> None:
        """Write all files below `folder`, each in one step."""
        for name, content in self.files().items():
            path = folder / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(".new")
            temporary.write_bytes(content)
            temporary.replace(path)

    @classmethod
    def load(cls, folder: Path) -> "RadioSettings | None":
        """What `save` wrote, None when there is nothing."""
        prefs = folder / "prefs"
        if not (prefs / "device.proto").exists():
            return None
        state = deviceonly_pb2.DeviceState.FromString((prefs / "device.proto").read_bytes())
        settings = cls(state.my_node.my_node_num, state.owner.long_name, state.owner.short_name, b"\x00" * 32)
        settings.owner = state.owner
        settings.reboot_count = state.my_node.reboot_count
        settings.config.ParseFromString((prefs / "config.proto").read_bytes())
        settings.modules.ParseFromString((prefs / "module.proto").read_bytes())
        channels = deviceonly_pb2.ChannelFile.FromString((prefs / "channels.proto").read_bytes())
        settings.channels = list(channels.channels)
        return settings


def _default_config(entropy: bytes) -> localonly_pb2.LocalConfig:
    config = localonly_pb2.LocalConfig(version=STATE_VERSION)
    config.device.serial_enabled = True
    config.device.node_info_broadcast_secs = 10_800
    config.position.position_broadcast_secs = 900
    config.position.position_broadcast_smart_enabled = True
    config.position.gps_mode = config_pb2.Config.PositionConfig.GpsMode.NOT_PRESENT
    config.power.wait_bluetooth_secs = 60
    config.power.ls_secs = 300
    config.power.min_wake_secs = 10
    config.network.ntp_server = "meshtastic.pool.ntp.org"
    config.display.screen_on_secs = 60
    lora = config.lora
    lora.use_preset = True
    lora.hop_limit = DEFAULT_HOP_LIMIT
    lora.tx_enabled = True
    lora.sx126x_rx_boosted_gain = True
    config.bluetooth.enabled = True
    config.bluetooth.fixed_pin = 123_456
    private_key = X25519PrivateKey.from_private_bytes(entropy[:32].ljust(32, b"\x00"))
    raw = serialization.Encoding.Raw
    config.security.private_key = _clamped(
        private_key.private_bytes(raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
    )
    config.security.public_key = private_key.public_key().public_bytes(raw, serialization.PublicFormat.Raw)
    config.security.serial_enabled = True
    return config


def _clamped(key: bytes) -> bytes:
    # The firmware multiplies by the key as it stands; unclamped it would have another public key.
    return bytes((key[0] & 248, *key[1:31], key[31] & 127 | 64))
