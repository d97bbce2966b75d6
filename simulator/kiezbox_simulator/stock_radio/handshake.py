# SPDX-License-Identifier: Apache-2.0
"""What a radio sends when a client asks for its configuration, in the firmware's order (PhoneAPI, 2.7), on which apps
rely.

my_info, device UI, own node, metadata, 8 channels, configuration, modules, the other nodes, the list of files,
config_complete_id. Nonce 69420 leaves out the other nodes, 69421 everything but nodes.
"""

from collections.abc import Iterator

from meshtastic.protobuf import config_pb2, device_ui_pb2, mesh_pb2, module_config_pb2

from kiezbox_simulator.stock_radio.node_database import NodeDatabase
from kiezbox_simulator.stock_radio.settings import STATE_VERSION, RadioSettings

ONLY_CONFIG_NONCE = 69420
ONLY_NODES_NONCE = 69421
FIRMWARE_VERSION = "2.7.26.54e0d8d"
MIN_APP_VERSION = 30_200
CONFIG_SECTIONS = (
    "device",
    "position",
    "power",
    "network",
    "display",
    "lora",
    "bluetooth",
    "security",
    "sessionkey",
    "device_ui",
)
MODULE_SECTIONS = (
    "mqtt", "serial", "external_notification", "store_forward", "range_test", "telemetry", "canned_message", "audio",
    "remote_hardware", "neighbor_info", "ambient_lighting", "detection_sensor", "paxcounter",
)  # fmt: skip


def handshake(nonce: int, settings: RadioSettings, nodes: NodeDatabase) -> Iterator[mesh_pb2.FromRadio]:
    """All messages of one handshake; the last one brings the nonce back."""
    only_nodes = nonce == ONLY_NODES_NONCE
    if not only_nodes:
        yield mesh_pb2.FromRadio(my_info=my_info(settings, len(nodes)))
        yield mesh_pb2.FromRadio(deviceuiConfig=device_ui_pb2.DeviceUIConfig())
    own = nodes.own(settings)
    yield mesh_pb2.FromRadio(node_info=own)
    if not only_nodes:
        yield mesh_pb2.FromRadio(metadata=metadata(settings))
        for channel in settings.channels:
            yield mesh_pb2.FromRadio(channel=channel)
        for section in CONFIG_SECTIONS:
            yield mesh_pb2.FromRadio(config=config_section(settings, section))
        for section in MODULE_SECTIONS:
            yield mesh_pb2.FromRadio(moduleConfig=module_section(settings, section))
    if nonce != ONLY_CONFIG_NONCE:
        for node in nodes.others():
            yield mesh_pb2.FromRadio(node_info=node)
    if not only_nodes:
        for name, content in settings.files().items():
            yield mesh_pb2.FromRadio(fileInfo=mesh_pb2.FileInfo(file_name=name, size_bytes=len(content)))
    yield mesh_pb2.FromRadio(config_complete_id=nonce)


def my_info(settings: RadioSettings, node_count: int) -> mesh_pb2.MyNodeInfo:
    """Who the client talks to."""
    return mesh_pb2.MyNodeInfo(
        my_node_num=settings.node_num,
        reboot_count=settings.reboot_count,
        min_app_version=MIN_APP_VERSION,
        device_id=settings.owner.macaddr.ljust(16, b"\x00"),
        pio_env="heltec-v3",
        nodedb_count=node_count,
    )


def metadata(settings: RadioSettings) -> mesh_pb2.DeviceMetadata:
    """What the radio is made of."""
    return mesh_pb2.DeviceMetadata(
        firmware_version=FIRMWARE_VERSION,
        device_state_version=STATE_VERSION,
        canShutdown=True,
        hasWifi=True,
        hasBluetooth=True,
        role=settings.config.device.role,
        hw_model=settings.owner.hw_model,
        hasPKC=True,
    )


def config_section(settings: RadioSettings, name: str) -> config_pb2.Config:
    """One section of the configuration as the client gets it."""
    result = config_pb2.Config()
    if name in ("sessionkey", "device_ui"):
        getattr(result, name).SetInParent()
    else:
        getattr(result, name).CopyFrom(getattr(settings.config, name))
    return result


def module_section(settings: RadioSettings, name: str) -> module_config_pb2.ModuleConfig:
    """One module's configuration as the client gets it."""
    result = module_config_pb2.ModuleConfig()
    getattr(result, name).CopyFrom(getattr(settings.modules, name))
    return result
