# SPDX-License-Identifier: Apache-2.0
"""The heaviest hour of a box, played to the firmware on the MicroPython VM: fifteen phones, a full outbox, relaying.

Not a measurement by itself: firmware.py measures with it, and a test holds the figures to the budgets.
"""

import json
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from kiezbox.protocol.airtime import PRESETS
from kiezbox.protocol.box_node import BoxNode
from kiezbox.protocol.channel import Channel
from kiezbox.protocol.events import Persist
from kiezbox.protocol.mesh import Transmit
from kiezbox_simulator import board
from kiezbox_simulator.box_process import VM_DIR
from kiezbox_simulator.firmware_build import build, rom_image

PHONES = 15
OUTBOX_CALLS = 24
"""More than custody has places for; the rest waits on flash."""

ROUNDS = 3
TRIES = 20
NEIGHBOURS = 24
CHANNEL_NAME = "Kiezbox"
CHANNEL_KEY = bytes(range(32))
PROGRAMS = Path(__file__).parent / "on_micropython"
FORM = {
    "category": "2",
    "text": "نحن محاصرون في القبو والدخان يملأ الدرج " * 3,
    "place": "Müggelheimer Straße 5, Hinterhaus, 3. Stock",
    "people": "4",
    "name": "Nguyễn Thị Hồng Hạnh",
    "contact": "0151 23456789",
}


class LoadError(Exception):
    """The box did not stand the load: what failed, one sentence."""


@dataclass(frozen=True)
class Load:
    """What one run saw. Bytes of heap, on the interpreter in use."""

    started_bytes: int
    imported_bytes: int
    most_bytes: int
    frames_heard: int
    frames_sent: int
    pages: int
    gave_way: int
    cpu_s: float


def image(folder: Path) -> Path:
    """The firmware and the load's program as a read-only image."""
    also = folder / "loaded"
    also.mkdir()
    for name in ("loaded_box.py", "loaded_ports.py", "call_and_page.py"):
        shutil.copy(PROGRAMS / name, also)
    for name in ("file_flash.py", "weather_sensor.py"):
        shutil.copy(VM_DIR / name, also)
    (folder / "firmware").mkdir(exist_ok=True)
    return rom_image(build(folder / "firmware"), also)


def frames(path: Path) -> None:
    """Calls and readings of other boxes, as a radio in their middle hears them."""
    channel = Channel(CHANNEL_NAME, CHANNEL_KEY)
    sample = {"temperature_cc": 812, "humidity_dpct": 741, "pressure_dpa": 10_132, "pm25_dugm3": 101}
    recorded = bytearray()
    for number in range(NEIGHBOURS):
        node_num = 0x0B0C1000 + number
        node = BoxNode(
            node_num, bytes((number,)) * 32, channel, PRESETS["MEDIUM_FAST"], {}, bytes((number,)) * 32, {}, 3
        )
        for action in node.poll(0):
            if isinstance(action, Persist):
                node.persisted(action.name, action.value)
        node.send("emergency", {"text": f"Hilfe {number}", "category": 1, "code": "0123ABCD", "action": 0}, 1)
        node.send(
            "reading", {"sequence": 1, "time_s": 1, "clock_quality": 2, "interval_s": 300, "samples": [sample]}, 1
        )
        for now_ms in range(0, 120_000, 50):
            for action in node.poll(now_ms):
                if isinstance(action, Persist):
                    node.persisted(action.name, action.value)
                elif isinstance(action, Transmit):
                    recorded += bytes((len(action.frame),)) + action.frame
                    node.transmitted(now_ms)
    path.write_bytes(recorded)


class LoadedBox:
    """Use as a context manager."""

    def __init__(self, rom: Path, folder: Path, heap_kib: int, *, sampled: bool) -> None:
        self.port, dns_port = _free_port(), _free_port()
        folder.mkdir(parents=True, exist_ok=True)
        config = configuration(folder, self.port, dns_port)
        self.gave_way = 0
        self._log = folder / "log.txt"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                board.command(rom, "loaded_box", str(config), "1" if sampled else "0", heap_kib=heap_kib),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> "LoadedBox":
        deadline_s = time.monotonic() + 60
        while "READY" not in self.log():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                log = self.log()
                self.__exit__()
                raise LoadError(f"the box did not start: {log[-300:]}")
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def log(self) -> str:
        """What the box has said."""
        return self._log.read_text(errors="replace")

    def imported_bytes(self) -> int:
        """Heap that the import of the firmware took."""
        started, imported = (
            int(re.findall(rf"^{word} (\d+)", self.log(), re.MULTILINE)[0]) for word in ("START", "IMPORTED")
        )
        return imported - started

    def cpu_s(self) -> float:
        """Processor time it has taken."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def ask(self, source: str, path: str, form: dict[str, str] | None = None, *, slow: bool = False) -> str:
        """One page. A phone that had to give way asks again, as a browser or a person does. Raises LoadError if that
        happens over and over, or if a page breaks off."""
        for _ in range(TRIES):
            received = self._ask(source, path, form, slow=slow)
            if received:
                break
            self.gave_way += 1
            time.sleep(0.3)
        if not received.endswith(b"</html>\n"):
            raise LoadError(f"{path}: the page broke off after {len(received)} bytes: {self.log()[-4000:]}")
        return received.decode()

    def _ask(self, source: str, path: str, form: dict[str, str] | None, *, slow: bool) -> bytes:
        body = urllib.parse.urlencode(form).encode() if form is not None else b""
        head = f"{'GET' if form is None else 'POST'} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
        head += "User-Agent: " + "Mozilla/5.0 (Linux; Android 14) " * 4 + "\r\nAccept-Language: ar,de;q=0.8\r\n"
        if form is not None:
            head += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
        with socket.socket() as stream:
            stream.settimeout(60)
            if slow:
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            stream.bind((source, 0))
            received = b""
            try:
                stream.connect(("127.0.0.1", self.port))
                if slow:
                    stream.sendall(head[:60].encode())
                    time.sleep(0.3)
                    head = head[60:]
                stream.sendall(head.encode() + b"\r\n" + body)
                while data := stream.recv(700 if slow else 65536):
                    received += data
                    if slow:
                        time.sleep(0.005)
            except ConnectionError:
                pass
            except OSError as error:
                raise LoadError(f"{path}: {error} after {len(received)} bytes") from None
        return received


def play(rom: Path, folder: Path, heap_kib: int, *, sampled: bool = False) -> Load:
    """The whole load. Raises LoadError if a page, a call or a task of the box failed."""
    with LoadedBox(rom, folder, heap_kib, sampled=sampled) as box:
        for number in range(OUTBOX_CALLS):
            _stored(box.ask(f"127.0.9.{number + 1}", "/ar/call", FORM | {"mode": "emergency", "place": str(number)}))
        pages = OUTBOX_CALLS
        together = threading.Barrier(PHONES)
        with ThreadPoolExecutor(PHONES) as phones:
            pages += sum(phones.map(lambda number: _phone(box, number, together), range(PHONES)))
        log = box.log()
        cpu_s = box.cpu_s()
    for trouble in ("failed", "Traceback", "MemoryError"):
        if trouble in log:
            raise LoadError(f"{trouble}: {log[-500:]}")
    used = re.findall(r"^USED (\d+) heard (\d+) sent (\d+)", log, re.MULTILINE) or [("0", "0", "0")]
    return Load(
        started_bytes=int(re.findall(r"^START (\d+)", log, re.MULTILINE)[0]),
        imported_bytes=int(re.findall(r"^IMPORTED (\d+)", log, re.MULTILINE)[0]),
        most_bytes=int(used[-1][0]),
        frames_heard=int(used[-1][1]),
        frames_sent=int(used[-1][2]),
        pages=pages,
        gave_way=box.gave_way,
        cpu_s=cpu_s,
    )


def _phone(box: LoadedBox, number: int, together: threading.Barrier) -> int:
    source = f"127.0.8.{number + 1}"
    together.wait()
    for round_ in range(ROUNDS):
        box.ask(source, "/ar/", slow=True)
        page = box.ask(
            f"127.0.{10 + round_}.{number + 1}", "/ar/call", FORM | {"mode": "emergency", "people": str(number)}
        )
        code = _stored(page)
        box.ask(source, "/vi/status", {"code": code}, slow=True)
        box.ask(source, "/ls/help", slow=True)
    return 4 * ROUNDS


def _stored(page: str) -> str:
    found = re.search(r"<strong>([0-9A-Z]{4})-([0-9A-Z]{4})</strong>", page)
    if not found:
        sentence = re.search(r'role="alert"[^>]*>([^<]*)', page)
        raise LoadError(f"a call was not stored: {sentence[1] if sentence else page[-200:]}")
    return found[1] + found[2]


def configuration(folder: Path, http_port: int = 0, dns_port: int = 0) -> Path:
    """The file that the programs on MicroPython are started with; their flash lies beside it."""
    frames_path = folder.parent / "frames.bin"
    if not frames_path.exists():
        frames(frames_path)
    given = {
        "frames_path": str(frames_path),
        "flash_path": str(folder / "flash.bin"),
        "http_port": http_port,
        "dns_port": dns_port,
        "box": _box(),
        "form": FORM,
    }
    path = folder / "box.json"
    path.write_text(json.dumps(given))
    return path


def _box() -> dict[str, object]:
    return {
        "node_num": 0x0B0C0001,
        "name": "Kiezbox Rathaus Köpenick",
        "short_name": "RKP",
        "place": "Alt-Köpenick 21",
        "district": "treptow-koepenick",
        "root_key_hex": "11" * 32,
        "channel": {"name": CHANNEL_NAME, "psk_hex": CHANNEL_KEY.hex()},
        "preset": "MEDIUM_FAST",
        "hop_limit": 5,
        "district_public_keys": {"1": "22" * 32},
        "reading_interval_s": 10,
        "samples_per_frame": 3,
        "health_interval_s": 60,
        "mode": "emergency",
    }


def _free_port() -> int:
    with socket.socket() as stream:
        stream.bind(("127.0.0.1", 0))
        port: int = stream.getsockname()[1]
        return port
