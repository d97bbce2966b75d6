# SPDX-License-Identifier: Apache-2.0
"""Starts the portal on the real MicroPython with a board's heap and talks to it: raw sockets, commands by pipe."""

import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiezbox_simulator.board import command
from kiezbox_simulator.firmware_build import FIRMWARE_DIR, build, rom_image

HEAP_KIB = 128


def free_port() -> int:
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        port: int = tcp.getsockname()[1]
        udp.bind(("127.0.0.1", port))
        return port


def image(folder: Path) -> Path:
    """The firmware, the box in memory and portal_vm.py as one read-only image."""
    also = folder / "vm"
    also.mkdir()
    shutil.copy(FIRMWARE_DIR / "kiezbox/portal/testing.py", also / "portal_testing.py")
    shutil.copy(Path(__file__).with_name("portal_vm.py"), also / "portal_vm.py")
    (folder / "firmware").mkdir()
    return rom_image(build(folder / "firmware"), also)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: str
    wire_bytes: int

    @property
    def code(self) -> str:
        """The receipt code on the page."""
        found = re.search(r"<strong>([0-9A-Z]{4})-([0-9A-Z]{4})</strong>", self.body)
        assert found, self.body[-3000:]
        return found[1] + found[2]


class BoxProcess:
    """Use as a context manager. `port` serves the page, `dns_port` the names."""

    def __init__(self, rom: Path, mode: str = "emergency", heap_kib: int = HEAP_KIB) -> None:
        self.port, self.dns_port = free_port(), free_port()
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            command(rom, "portal_vm", mode, str(self.port), str(self.dns_port), heap_kib=heap_kib),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=tempfile.gettempdir(),
        )
        assert self._process.stdout
        ready = self._process.stdout.readline()
        if not ready.startswith("READY"):
            ready += self.errors()
            self.stop()
            raise RuntimeError(ready)

    def __enter__(self) -> "BoxProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def errors(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._errors.close()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def tell(self, line: str) -> Any:
        """One command of portal_vm.py and its answer."""
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise RuntimeError(f"the box ended with {self._process.wait(5)}: {self.errors()}") from None
        while True:
            answer = self._process.stdout.readline()
            if not answer:
                raise RuntimeError(f"the box ended with {self._process.wait(5)}: {self.errors()}")
            if answer[0] in "{[":
                return json.loads(answer)
            sys.stderr.write(answer)  # What the interpreter says of a task that died.

    def connect(self, source: str = "127.0.0.1", timeout_s: float = 10.0) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout_s, (source, 0))

    def raw(self, request: bytes, source: str = "127.0.0.1", timeout_s: float = 20.0) -> bytes:
        """Everything that comes back until the box hangs up."""
        with self.connect(source, timeout_s) as stream:
            stream.sendall(request)
            return read_all(stream)

    def get(self, path: str = "/", language: str = "", method: str = "GET", **headers: str) -> Answer:
        lines = [f"{method} {path} HTTP/1.1"]
        headers = {"Host": f"127.0.0.1:{self.port}", "Accept-Language": language} | headers
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items() if value]
        return parse(self.raw("\r\n".join([*lines, "", ""]).encode()))

    def post(self, path: str, source: str = "127.0.0.1", headers: str = "", **form: str) -> Answer:
        body = urllib.parse.urlencode(form)
        own = f"127.0.0.1:{self.port}"
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {own}\r\nOrigin: http://{own}\r\n{headers}"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return parse(self.raw((head + body).encode(), source))

    def call(self, language: str = "de", mode: str = "emergency", **form: str) -> Answer:
        """A call as the form sends it."""
        return self.post(f"/{language}/call", mode=mode, **({"text": "Hilfe", "category": "1"} | form))


def read_all(stream: socket.socket) -> bytes:
    received = b""
    while True:
        try:
            data = stream.recv(65536)
        except ConnectionResetError:
            return received
        if not data:
            return received
        received += data


def parse(wire: bytes) -> Answer:
    head, _, body = wire.partition(b"\r\n\r\n")
    lines = head.decode("ascii").split("\r\n")
    assert lines[0].startswith("HTTP/1.1 "), wire[:200]
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    return Answer(int(lines[0].split()[1]), headers, body.decode("utf-8"), len(wire))
