# SPDX-License-Identifier: Apache-2.0
"""Frames that the boxes of the demo made, read by decoders that others wrote, and by one written from our document.

The demo's own stage: five boxes on MicroPython, a stock radio, the real gateway, the air between them. Two decoders of
Meshtastic frames from the package index read every frame that a box put on the air, its own and those that it passed
on; the decoder of test_wire_format_document.py, which knows the document only, reads what is inside.
"""

import asyncio
import hashlib
import hmac
import io
import runpy
import socket
import sys
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from rich.console import Console

from kiezbox.protocol.channel import Channel
from kiezbox.protocol.frame import decode_header
from kiezbox.protocol.packet import NODEINFO_APP, TELEMETRY_APP, decode_data
from kiezbox_simulator.demo import deployment as plan
from kiezbox_simulator.demo.narration import Narrator
from kiezbox_simulator.demo.resident import Phone
from kiezbox_simulator.demo.stage import Settings, Stage
from kiezbox_simulator.ether.connection import watch

PATIENCE_S = 240
NAMES_MIN = 2
"""Boxes that have said their names. The last of five does so after 45 s, and the first says it all."""

CALL = {"category": "3", "text": "Der Aufzug steckt fest", "place": "Maaßenstraße 7", "people": "3"}
BOXES = {place.name: place.node_num for place in plan.BOXES}
READING, EMERGENCY, RECEIPT, MODE, RESULT = 1, 3, 16, 18, 7


class BoardAes:
    """CircuitPython's module `aesio`, as far as the decoder wants it."""

    def __init__(self, key: bytes, mode: int, counter: bytes) -> None:
        assert mode == 6
        self._cipher = Cipher(algorithms.AES(key), modes.CTR(counter)).encryptor()

    def encrypt_into(self, source: bytes, target: bytearray) -> None:
        target[:] = self._cipher.update(source)


@pytest.fixture(scope="module")
def meshfruit() -> Any:
    """Adafruit's decoder. It is made for CircuitPython: two of a board's modules are put in its place."""
    stand_ins: dict[str, Any] = {"aesio": types.ModuleType("aesio"), "micropython": types.ModuleType("micropython")}
    stand_ins["aesio"].AES, stand_ins["aesio"].MODE_CTR = BoardAes, 6
    stand_ins["micropython"].const = lambda value: value
    with pytest.MonkeyPatch.context() as patch:
        for name, module in stand_ins.items():
            patch.setitem(sys.modules, name, module)
        import adafruit_meshfruit

        yield adafruit_meshfruit


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The decoder that was written from docs/wire-format.md alone."""
    return runpy.run_path(str(Path(__file__).with_name("test_wire_format_document.py")))


@dataclass
class Air:
    """What was on the air: (sender's name, frame), and the keys of this run."""

    channel_key: bytes
    box_keys: dict[int, bytes]
    public_key: bytes
    frames: list[tuple[str, bytes]] = field(default_factory=list)

    def of_boxes(self) -> list[bytes]:
        """Every frame that a box sent, its own and relayed ones."""
        return [frame for sender, frame in self.frames if sender in BOXES]

    def plain(self, frame: bytes) -> bytes:
        """The encrypted part, opened without our code."""
        counter = frame[8:12] + bytes(4) + frame[4:8] + bytes(4)
        return Cipher(algorithms.AES(self.channel_key), modes.CTR(counter)).decryptor().update(frame[16:])

    def payloads(self, kind: int) -> list[tuple[int, bytes]]:
        """(originator, payload) of the Kiezbox messages of one kind, each once."""
        found = {}
        for _, frame in self.frames:
            data = decode_data(self.plain(frame))
            if data.portnum == 256 and data.payload[1] == kind:
                found[frame[4:12]] = (int.from_bytes(frame[4:8], "little"), data.payload)
        return list(found.values())

    def complete(self) -> bool:
        """Whether there is something of everything."""
        names = {frame[4:8] for frame in self.of_boxes() if decode_data(self.plain(frame)).portnum == NODEINFO_APP}
        readings = {node for node, _ in self.payloads(READING)}
        return (
            readings >= set(BOXES.values())
            and len(names & {node.to_bytes(4, "little") for node in BOXES.values()}) >= NAMES_MIN
            and all(self.payloads(kind) for kind in (EMERGENCY, RECEIPT, MODE, RESULT))
        )


def free_port() -> int:
    with socket.socket() as tcp:
        tcp.bind(("127.0.0.1", 0))
        port: int = tcp.getsockname()[1]
        return port


async def run_demo(folder: Path) -> Air:
    stage = Stage(
        Settings(folder / "demo", resident_port=free_port(), gateway_port=free_port()),
        Narrator(Console(file=io.StringIO())),
    )
    try:
        await stage.set_up()
        made = stage.deployment
        keys = dict(zip(BOXES.values(), made.box_keys, strict=True))
        air = Air(made.channel_key, keys, made.district_public_key)

        async def listen() -> None:
            async for one in watch(stage.box_specs[0].ether_port):
                air.frames.append((one.sender, bytes.fromhex(one.frame)))

        listening = asyncio.ensure_future(listen())
        phone = Phone(stage.box_ports[-1])
        await stage.gateway.api("/api/v1/mode", {"mode": "emergency"})
        called = False
        for _ in range(PATIENCE_S):
            page = await phone.open()
            if not called and page.mode == "emergency":
                called = bool((await phone.call_for_help(page, CALL)).code)
            if air.complete():
                break
            await asyncio.sleep(1)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        assert air.complete(), f"{len(air.frames)} frames, and not something of everything"
        return air
    finally:
        await stage.strike()


@pytest.fixture(scope="module")
def air(tmp_path_factory: pytest.TempPathFactory) -> Air:
    return asyncio.run(run_demo(tmp_path_factory.mktemp("air")))


def test_every_frame_of_a_box_is_read_alike_by_two_others(air: Air, meshfruit: Any) -> None:
    from micromesh.messages import Data

    ours = Channel(plan.CHANNEL_NAME, air.channel_key)
    theirs = meshfruit.Meshtastic_Compatible(air.channel_key)
    frames = air.of_boxes()
    relayed = 0
    for frame in frames:
        header = decode_header(frame)
        data = decode_data(ours.open(frame))
        packet = theirs.decode(frame)
        assert packet.sender_id == f"!{header.from_node:08x}"
        assert packet.channel_hash == header.channel_hash == ours.hash
        assert packet.portnum == data.portnum
        assert packet.payload == data.payload
        assert packet.plaintext == air.plain(frame)
        other = Data()
        other.ParseFromString(bytes(packet.plaintext))
        for name in ("portnum", "payload", "want_response", "request_id", "reply_id", "emoji", "bitfield"):
            assert getattr(other, name) == getattr(data, name), name
        assert other.SerializeToString() == packet.plaintext, "byte for byte"
        relayed += header.hop_start != header.hop_limit
    print(f"{len(frames)} frames of five boxes, {relayed} of them relayed")
    assert 0 < relayed < len(frames)


def test_boxes_introduce_themselves(air: Air, meshfruit: Any) -> None:
    from micromesh.messages import User

    channel = meshfruit.Meshtastic_Compatible(air.channel_key)
    names = {}
    for frame in air.of_boxes():
        packet = channel.decode(frame)
        if packet.portnum == meshfruit.PORT_NODEINFO and packet.sender_id == f"!{_sender(air, frame):08x}":
            user = User()
            user.ParseFromString(bytes(packet.payload))
            assert packet.user["long_name"].decode() == user.long_name
            assert packet.user["id"].decode() == user.id == packet.sender_id
            names[user.long_name] = user.short_name
    assert len(names) >= NAMES_MIN
    assert names.items() <= {place.name: f"KB{index}" for index, place in enumerate(plan.BOXES, 1)}.items()


def _sender(air: Air, frame: bytes) -> int:
    return BOXES[next(sender for sender, one in air.frames if one == frame)]


def test_telemetry_for_stock_apps_is_telemetry(air: Air) -> None:
    from meshtastic.protobuf import telemetry_pb2

    for frame in air.of_boxes():
        data = decode_data(air.plain(frame))
        if data.portnum == TELEMETRY_APP:
            assert telemetry_pb2.Telemetry.FromString(data.payload).WhichOneof("variant")


def test_what_is_inside_is_what_the_document_says(air: Air, document: dict[str, Any]) -> None:
    key_of, decode_body = document["key_of"], document["decode_body"]

    def body_of(node: int, payload: bytes) -> bytes:
        root_key = air.box_keys[node].hex()
        tag = hmac.digest(key_of(root_key, b"mac", payload[1]), node.to_bytes(4, "little") + payload[:-8], "sha256")
        assert tag[:8] == payload[-8:]
        assert payload[6] == 0, "one fragment"
        if payload[0] == 0x11:
            return payload[7:-8]
        block = node.to_bytes(4, "little") + payload[2:6] + bytes([payload[1], 1, 0, 0, 0, 0, 0, 0])
        opened: bytes = document["ctr"](key_of(root_key, b"seal", payload[1]), block, payload[7:-8])
        return opened

    for node, payload in air.payloads(READING):
        reading = decode_body("reading", body_of(node, payload))
        assert reading["sequence"] >= 1
        assert reading["interval_s"] == plan.READING_INTERVAL_S
        assert {"temperature_cc", "battery_mv"} <= set(reading["samples"][0])
    for node, payload in air.payloads(EMERGENCY):
        call = decode_body("emergency", body_of(node, payload))
        assert node == plan.BOXES[-1].node_num
        assert (call["text"], call["place"], call["people"]) == (CALL["text"], CALL["place"], 3)
    counters = {int.from_bytes(payload[2:6], "little") for _, payload in air.payloads(EMERGENCY)}
    stages = {tuple(item[1:]) for item in receipt_items(air, document, plan.BOXES[-1].node_num) if item[0] == "stage"}
    assert {(counter, 2) for counter in counters} <= stages
    key = Ed25519PublicKey.from_public_bytes(air.public_key)
    commands = set()
    for _, payload in air.payloads(MODE):
        key.verify(payload[-64:], b"Kiezbox 1 cast" + hashlib.sha256(payload[:-64]).digest())
        assert decode_body("mode", payload[8:-64])["mode"] == 2
        commands.add(int.from_bytes(payload[3:7], "little"))
    for node, payload in air.payloads(RESULT):
        result = decode_body("command_result", body_of(node, payload))
        assert result["refers_to"] in commands
        assert (result["kind"], result["result"]) == (MODE, 1)


def receipt_items(air: Air, document: dict[str, Any], box: int) -> list[Any]:
    """Everything that the gateway's lists of receipts said to one box."""
    found: list[Any] = []
    for _, raw in air.payloads(RECEIPT):
        at = 2
        while at < len(raw):
            end = at + 5 + raw[at + 4]
            if int.from_bytes(raw[at : at + 4], "little") == box:
                key = document["key_of"](air.box_keys[box].hex(), b"mac", RECEIPT)
                assert hmac.digest(key, raw[at:end], "sha256")[:8] == raw[end : end + 8]
                found += document["decode_items"](raw[at + 5 : end])
            at = end + 8
    return found
