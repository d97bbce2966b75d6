# SPDX-License-Identifier: Apache-2.0
"""Administration of a radio by its own client: reading and writing settings as apps do (firmware 2.7, AdminModule).

1. Writes take effect on the settings at once; LoRa, network, security and module settings reboot the radio seven
   seconds later.
2. Between begin_edit_settings and commit_edit_settings nothing reboots; the commit does.
3. What is not known here is answered with BAD_REQUEST if an answer is wanted, else ignored, as by a radio built without
   it.

Administration from afar is not here: the radio answers it with NOT_AUTHORIZED (`device.py`).
"""

from dataclasses import dataclass

from meshtastic.protobuf import admin_pb2, channel_pb2, connection_status_pb2, mesh_pb2

from kiezbox.protocol.frame import HOP_LIMIT_MAX
from kiezbox_simulator.stock_radio import handshake
from kiezbox_simulator.stock_radio.node_database import NodeDatabase
from kiezbox_simulator.stock_radio.settings import CHANNELS, RadioSettings

REBOOT_DELAY_S = 7
REBOOTING_SECTIONS = {"lora", "network", "security"}


@dataclass
class Outcome:
    """What the radio does next. `written`: settings are to be saved, which keeps it busy. `time_s`: the client told the
    time."""

    reply: admin_pb2.AdminMessage | None = None
    written: bool = False
    reboot_in_s: int | None = None
    time_s: int | None = None
    error: int = 0
    owner_changed: bool = False


class Administration:
    """Answers admin messages. Holds nothing but whether an edit is open."""

    def __init__(self, settings: RadioSettings, nodes: NodeDatabase) -> None:
        self._settings = settings
        self._nodes = nodes
        self._editing = False

    def handle(self, message: admin_pb2.AdminMessage) -> Outcome:
        """Do what one message asks for."""
        kind = message.WhichOneof("payload_variant") or ""
        outcome = self._read(kind, message) or self._write(kind, message)
        if outcome.reboot_in_s is not None and self._editing and kind != "reboot_seconds":
            outcome.reboot_in_s = None
        return outcome

    def _read(self, kind: str, message: admin_pb2.AdminMessage) -> Outcome | None:
        settings = self._settings
        reply = admin_pb2.AdminMessage()
        if kind == "get_channel_request":
            index = message.get_channel_request - 1
            if not 0 <= index < CHANNELS:
                return Outcome(error=mesh_pb2.Routing.Error.BAD_REQUEST)
            reply.get_channel_response.CopyFrom(settings.channels[index])
        elif kind == "get_owner_request":
            reply.get_owner_response.CopyFrom(settings.owner)
        elif kind == "get_config_request":
            section = handshake.CONFIG_SECTIONS[message.get_config_request]
            reply.get_config_response.CopyFrom(handshake.config_section(settings, section))
        elif kind == "get_module_config_request":
            if message.get_module_config_request >= len(handshake.MODULE_SECTIONS):
                return Outcome(error=mesh_pb2.Routing.Error.BAD_REQUEST)
            section = handshake.MODULE_SECTIONS[message.get_module_config_request]
            reply.get_module_config_response.CopyFrom(handshake.module_section(settings, section))
        elif kind == "get_device_metadata_request":
            reply.get_device_metadata_response.CopyFrom(handshake.metadata(settings))
        elif kind == "get_device_connection_status_request":
            status = connection_status_pb2.DeviceConnectionStatus()
            status.wifi.status.is_connected = True
            reply.get_device_connection_status_response.CopyFrom(status)
        elif kind == "get_ui_config_request":
            reply.get_ui_config_response.SetInParent()
        else:
            return None
        return Outcome(reply=reply)

    def _write(self, kind: str, message: admin_pb2.AdminMessage) -> Outcome:
        settings, nodes = self._settings, self._nodes
        if kind == "set_owner":
            owner = message.set_owner
            settings.owner.long_name = owner.long_name or settings.owner.long_name
            settings.owner.short_name = owner.short_name or settings.owner.short_name
            settings.owner.is_unmessagable = owner.is_unmessagable
            return Outcome(written=True, owner_changed=True)
        if kind == "set_channel":
            return self._set_channel(message.set_channel)
        if kind == "set_config":
            return self._set_config(message)
        if kind == "set_module_config":
            section = message.set_module_config.WhichOneof("payload_variant")
            if section not in handshake.MODULE_SECTIONS:
                return Outcome(error=mesh_pb2.Routing.Error.BAD_REQUEST)
            getattr(settings.modules, section).CopyFrom(getattr(message.set_module_config, section))
            return Outcome(written=True, reboot_in_s=REBOOT_DELAY_S)
        if kind == "begin_edit_settings":
            self._editing = True
            return Outcome()
        if kind == "commit_edit_settings":
            self._editing = False
            return Outcome(written=True, reboot_in_s=REBOOT_DELAY_S)
        if kind == "reboot_seconds":
            return Outcome(reboot_in_s=max(0, message.reboot_seconds))
        if kind == "set_time_only":
            return Outcome(time_s=message.set_time_only)
        if kind in ("set_favorite_node", "remove_favorite_node"):
            nodes.set_favorite(getattr(message, kind), kind == "set_favorite_node")
            return Outcome(written=True)
        if kind == "remove_by_nodenum":
            nodes.remove(message.remove_by_nodenum)
            return Outcome(written=True)
        if kind == "nodedb_reset":
            nodes.clear()
            return Outcome(written=True, reboot_in_s=REBOOT_DELAY_S)
        return Outcome(error=mesh_pb2.Routing.Error.BAD_REQUEST)

    def _set_channel(self, channel: channel_pb2.Channel) -> Outcome:
        settings = self._settings
        if not 0 <= channel.index < CHANNELS:
            return Outcome(error=mesh_pb2.Routing.Error.BAD_REQUEST)
        if channel.role == channel_pb2.Channel.Role.PRIMARY:
            for other in settings.channels:
                if other.role == channel_pb2.Channel.Role.PRIMARY:
                    other.role = channel_pb2.Channel.Role.SECONDARY
        settings.channels[channel.index].CopyFrom(channel)
        return Outcome(written=True)

    def _set_config(self, message: admin_pb2.AdminMessage) -> Outcome:
        settings = self._settings
        section = message.set_config.WhichOneof("payload_variant")
        if section in ("sessionkey", "device_ui", None):
            return Outcome(error=mesh_pb2.Routing.Error.BAD_REQUEST)
        assert section is not None  # noqa: S101  For the type checker.
        current, wanted = getattr(settings.config, section), getattr(message.set_config, section)
        changed = current != wanted
        if section == "security":
            # A client that leaves the keys out does not mean to lose them.
            public_key, private_key = current.public_key, current.private_key
            current.CopyFrom(wanted)
            current.public_key = wanted.public_key or public_key
            current.private_key = wanted.private_key or private_key
            settings.owner.public_key = current.public_key
        else:
            current.CopyFrom(wanted)
        if section == "device":
            settings.owner.role = settings.config.device.role
        settings.config.lora.hop_limit = min(settings.config.lora.hop_limit, HOP_LIMIT_MAX)
        reboots = section in REBOOTING_SECTIONS and changed
        return Outcome(written=True, reboot_in_s=REBOOT_DELAY_S if reboots else None)
