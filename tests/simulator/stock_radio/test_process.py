# SPDX-License-Identifier: Apache-2.0
"""Simulated radios as processes, used by the unmodified `meshtastic` command line and package."""

import asyncio
import json
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from meshtastic.protobuf import mesh_pb2

from kiezbox_simulator.ether.street import Link, Place, Street
from kiezbox_simulator.program import Program, ProgramError, Programs, installed_command, python_module
from kiezbox_simulator.stock_radio.packets import PORTS
from kiezbox_simulator.stock_radio.process import RadioError, read_spec
from kiezbox_simulator.stock_radio.stream import FrameReader, encode

KEY = bytes(range(32))
STREET = Street("MEDIUM_FAST", (Place(0xA1, "first"), Place(0xA2, "second")), (Link("first", "second", -118.0),))


class TwoRadios:
    """An ether and two radios in reach of each other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = Programs(folder / "logs")
        self.radios: list[Program] = []
        self.ports: list[int] = []

    async def start(self) -> None:
        (self.folder / "street.json").write_text(STREET.to_json())
        ether = self.programs.add("ether", python_module("kiezbox_simulator.ether", str(self.folder / "street.json")))
        ether.start()
        self.ether_port = int((await ether.ready())["port"])
        for place in STREET.places:
            radio = self.programs.add(place.name, self.command(place))
            radio.start()
            self.radios.append(radio)
        self.ports = [int((await radio.ready())["port"]) for radio in self.radios]

    def command(self, place: Place, port: int = 0) -> list[str]:
        spec = {
            "node_num": f"{place.node_num:08x}",
            "name": f"Radio {place.name}",
            "short_name": place.name[:4],
            "folder": str(self.folder / place.name),
            "ether_port": self.ether_port,
            "port": port,
            "preset": STREET.preset,
            "channel": {"name": "Kiezbox", "psk_hex": KEY.hex()},
            "hop_limit": 3,
        }
        path = self.folder / f"{place.name}-{port}.json"
        path.write_text(json.dumps(spec))
        return python_module("kiezbox_simulator.stock_radio", str(path))


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[TwoRadios]:
    radios = TwoRadios(tmp_path)
    try:
        await radios.start()
        yield radios
    finally:
        radios.programs.stop()


async def meshtastic(port: int, *arguments: str) -> str:
    """Run the real command line; its standard output."""
    process = await asyncio.create_subprocess_exec(
        installed_command("meshtastic"),
        "--host",
        f"127.0.0.1:{port}",
        *arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    # Its standard error may hold a "Broken pipe": closing at once, the package races against its own heartbeat.
    output, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, said.decode()
    return output.decode()


class Client:
    """A client of the stream API that keeps the connection open."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.frames = FrameReader()
        self.messages: list[mesh_pb2.FromRadio] = []

    async def __aenter__(self) -> "Client":
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.send(mesh_pb2.ToRadio(want_config_id=4711))
        await self.until(lambda message: message.config_complete_id == 4711)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    def send(self, message: mesh_pb2.ToRadio) -> None:
        self.writer.write(encode(message.SerializeToString()))

    async def until(self, wanted: "object", timeout_s: float = 30) -> mesh_pb2.FromRadio:
        assert callable(wanted)
        async with asyncio.timeout(timeout_s):
            while True:
                for index, message in enumerate(self.messages):
                    if wanted(message):
                        del self.messages[: index + 1]
                        return message
                data = await self.reader.read(4096)
                assert data, "the radio closed the connection"
                self.messages += [mesh_pb2.FromRadio.FromString(payload) for payload in self.frames.feed(data)]


async def test_the_command_line_gets_info_and_sends_text_that_arrives(two: TwoRadios) -> None:
    async with Client(two.ports[1]) as listener:
        info = await meshtastic(two.ports[0], "--info")
        assert re.search(r"Owner: Radio first \(firs\)", info)
        assert '"myNodeNum": 161' in info
        assert '"firmwareVersion": "2.7.26' in info
        assert '"modemPreset": "MEDIUM_FAST"' in info
        assert re.search(r"Index 0: PRIMARY psk=secret .*\"name\": \"Kiezbox\"", info)
        said = await meshtastic(two.ports[0], "--sendtext", "Hallo")
        assert "Sending text message Hallo to ^all" in said
        message = await listener.until(lambda message: message.packet.decoded.portnum == PORTS.TEXT_MESSAGE_APP)
        assert message.packet.decoded.payload == b"Hallo"
        assert getattr(message.packet, "from") == 0xA1
    nodes = await meshtastic(two.ports[1], "--nodes")
    assert "!000000a1" in nodes
    # It was heard, so it was asked for its name, and answered.
    async with asyncio.timeout(30):
        while "Radio first" not in nodes:
            nodes = await meshtastic(two.ports[1], "--nodes")


async def test_a_text_that_is_relayed_is_acknowledged_to_the_command_line(two: TwoRadios) -> None:
    said = await meshtastic(two.ports[0], "--sendtext", "Hallo", "--ack")
    assert "Received an implicit ACK" in said


async def test_settings_written_by_the_command_line_survive_the_reboot_they_cause(two: TwoRadios) -> None:
    said = await meshtastic(two.ports[0], "--set", "lora.hop_limit", "6")
    assert "Set lora.hop_limit to 6" in said
    for _ in range(300):
        if "rebooting" in two.radios[0].output():
            break
        await asyncio.sleep(0.1)
    await asyncio.sleep(2.5)
    assert "lora.hop_limit: 6" in await meshtastic(two.ports[0], "--get", "lora.hop_limit")
    assert '"rebootCount": 2' in await meshtastic(two.ports[0], "--info")


async def test_a_new_client_puts_the_old_one_out(two: TwoRadios) -> None:
    async with Client(two.ports[0]) as old, Client(two.ports[0]) as new:
        assert await asyncio.wait_for(old.reader.read(100), 10) == b""
        heartbeat = mesh_pb2.ToRadio()
        heartbeat.heartbeat.SetInParent()
        new.send(heartbeat)
        status = await new.until(lambda message: message.HasField("queueStatus"))
        assert (status.queueStatus.free, status.queueStatus.maxlen) == (16, 16)


async def test_garbage_on_the_port_harms_nobody(two: TwoRadios) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", two.ports[0])
    writer.write(
        b"GET / HTTP/1.1\r\n\r\n" + bytes(range(256)) * 20 + b"\x94\xc3\xff\xff" + b"\x94\xc3\x00\x04\xff\xff\xff\xff"
    )
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    async with Client(two.ports[0]):
        two.programs.check()


async def test_a_port_in_use_is_said_in_one_sentence(two: TwoRadios) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        intruder = two.programs.add("intruder", two.command(STREET.places[0], port))
        intruder.start()
        with pytest.raises(ProgramError, match=rf"status 1: Port {port} cannot be used: Address already in use"):
            await intruder.ready()
    assert "Traceback" not in intruder.output()


async def test_without_an_ether_it_ends_with_one_sentence(two: TwoRadios) -> None:
    two.ether_port = 1
    lonely = two.programs.add("lonely", two.command(STREET.places[0]))
    lonely.start()
    with pytest.raises(ProgramError, match="no ether at 127"):
        async with asyncio.timeout(10):
            while True:
                lonely.check()
                await asyncio.sleep(0.05)
    assert "Traceback" not in lonely.output()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "does not describe a radio"),
        ("{}", "node_num is missing"),
        ('{"node_num": "xyz"}', "does not describe a radio"),
        ('{"speed": 0}', "speed is above 0"),
        ('{"speed": "NaN"}', "speed is above 0"),
    ],
)
def test_a_bad_description_is_said_in_one_sentence(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "radio.json"
    path.write_text(content)
    with pytest.raises(RadioError, match=said):
        read_spec(path)
    result = subprocess.run(
        [sys.executable, "-m", "kiezbox_simulator.stock_radio", str(path)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert said in result.stderr
    assert "Traceback" not in result.stderr
