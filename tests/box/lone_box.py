# SPDX-License-Identifier: Apache-2.0
"""One box alone in virtual time: the firmware's own main.run on the real MicroPython and LittleFS, driven by a test.

Nothing but the test reaches it: what it transmits is answered with "sent" after 400 ms of airtime, its sensors give
the same few values. Weeks take seconds.
"""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kiezbox.protocol.reading import VALUE_NAMES
from kiezbox_simulator.firmware_build import FirmwareBuild
from kiezbox_simulator.virtual import vm_link
from kiezbox_simulator.virtual.vm_box import HEAP_KIB
from kiezbox_simulator.virtual.vm_pool import MICROPYTHON_PATH

AIRTIME_MS = 400
BOOT_MS = 2_000
NODE_NUM = 0x0BB0_0001
ROOT_KEY = bytes(range(32))
VALUES = {"temperature_cc": 1234, "humidity_dpct": 500, "battery_mv": 3900}

CONFIGURATION: dict[str, Any] = {
    "node_num": NODE_NUM,
    "name": "Einsame Box",
    "short_name": "K001",
    "place": "Teststraße 1",
    "district": "Test",
    "root_key_hex": ROOT_KEY.hex(),
    "channel": {"name": "Kiezbox", "psk_hex": "00" * 16},
    "preset": "MEDIUM_FAST",
    "hop_limit": 5,
    "district_public_keys": {},
    "reading_interval_s": 300,
    "samples_per_frame": 2,
    "health_interval_s": 3600,
    "nodeinfo_interval_s": 10_800,
    "mode": "everyday",
}


class LoneBox:
    """Its flash stays in `folder` from one boot to the next. `frames`: what it sent, (now_ms, frame)."""

    def __init__(self, folder: Path, built: FirmwareBuild, stand_ins: Path, **changes: Any) -> None:
        folder.mkdir()
        self.folder = folder
        settings = {"seed": "lone", "flash_blocks": 64}
        settings |= {
            name: changes.pop(name)
            for name in list(changes)
            if name in ("flash_blocks", "reset_cause", "parts", "dns_port")
        }
        (folder / "box.json").write_text(json.dumps(settings))
        (folder / "provision.json").write_text(json.dumps(CONFIGURATION | changes))
        for name, target in (("lib", built.lib), ("root", built.root), ("vm", stand_ins)):
            (folder / name).symlink_to(target)
        self.boots = 0
        self.now_ms = 0
        self.log: list[str] = []
        self.frames: list[tuple[int, bytes]] = []
        self.notes: list[tuple[int, str]] = []
        self.resets: list[tuple[int, str]] = []
        self.answers: dict[int, bytes] = {}
        self.on_frame: Callable[[int, bytes], None] = lambda now_ms, frame: None
        self.closed_ms: dict[int, int] = {}
        self.replies: dict[int, tuple[int, bytes]] = {}
        self.heap_kib = HEAP_KIB
        self.image: Path | None = None
        self.longest_turn_ns = 0
        self._inputs: list[tuple[int, int, bytes]] = []
        self._number = 0
        self._wake_ms: int | None = None
        self._vm: vm_link.VmProcess | None = None

    def put(self, kind: int, payload: bytes = b"", after_ms: int = 0) -> None:
        """Something happens to the box."""
        self._number += 1
        self._inputs.append((self.now_ms + after_ms, self._number, vm_link.record(kind, payload)))

    def boot(self) -> None:
        """Power on."""
        self.boots += 1
        self._inputs.clear()
        self._vm = vm_link.VmProcess(
            self.folder, "virtual_box", [f"{self.boots:06d}"], MICROPYTHON_PATH, self.heap_kib, self.image
        )
        self._vm.collect()
        self._wake_ms = self.now_ms = self.now_ms + BOOT_MS

    def cut_power(self) -> None:
        """Between two instructions."""
        if self._vm is not None:
            self._vm.kill()
            self._vm = None

    def run(self, seconds: float) -> None:
        """Let time pass. After a reset of its own the box boots again; after a power cut it stays dark."""
        until_ms = self.now_ms + round(seconds * 1000)
        if self._vm is None:
            self.boot()
        while True:
            moments = [moment for moment, _, _ in self._inputs]
            if self._wake_ms is not None:
                moments.append(self._wake_ms)
            if not moments or min(moments) > until_ms:
                self.now_ms = until_ms
                return
            self.now_ms = max(self.now_ms, min(moments))
            due = sorted(one for one in self._inputs if one[0] <= self.now_ms)
            self._inputs = [one for one in self._inputs if one[0] > self.now_ms]
            if not self._turn(b"".join(one[2] for one in due)):
                return

    def _turn(self, records: bytes) -> bool:
        assert self._vm is not None
        started_ns = self.cpu_ns()
        self._vm.wake(self.now_ms, records)
        self._wake_ms, wanted = self._vm.collect()
        self.longest_turn_ns = max(self.longest_turn_ns, self.cpu_ns() - started_ns)
        for kind, payload in wanted:
            self._perform(kind, payload)
        reason = self._vm.reset_reason
        if reason is None:
            return True
        self.resets.append((self.now_ms, reason))
        self.cut_power()
        if reason == "power cut":
            return False
        self.boot()
        return True

    def _perform(self, kind: int, payload: bytes) -> None:
        if kind == vm_link.TRANSMIT:
            self.frames.append((self.now_ms, payload))
            self.put(vm_link.SENT, after_ms=AIRTIME_MS)
            self.on_frame(self.now_ms, payload)
        elif kind == vm_link.LOG:
            self.log.append(payload.decode())
        elif kind == vm_link.NOTE:
            name, _, value = payload.decode().partition("=")
            if name == "measure":
                values = [struct.pack("<Bi", VALUE_NAMES.index(key), VALUES[key]) for key in sorted(VALUES)]
                self.put(vm_link.SENSORS, b"".join(values), after_ms=50)
            else:
                self.notes.append((self.now_ms, f"{name}={value}"))
        elif kind == vm_link.SEND:
            (number,) = struct.unpack_from("<H", payload)
            self.answers[number] = self.answers.get(number, b"") + payload[2:]
        elif kind == vm_link.CLOSE:
            (number,) = struct.unpack_from("<H", payload)
            self.closed_ms[number] = self.now_ms
        elif kind == vm_link.REPLY:
            (number,) = struct.unpack_from("<H", payload)
            self.replies[number] = (self.now_ms, payload[2:])

    def cpu_ns(self) -> int:
        """Processor time of this boot's process so far, however busy the machine is."""
        if self._vm is None:
            return 0
        return int(Path(f"/proc/{self._vm.process.pid}/schedstat").read_text().split()[0])

    def connect(self, client: str = "192.168.4.20", after_ms: int = 0) -> int:
        """A phone opens the page; its number, under which `answers` and `closed_ms` tell what became of it."""
        self._number += 1
        number = self._number % 65_535 + 1
        self.answers.pop(number, None)
        self.closed_ms.pop(number, None)
        self.put(vm_link.OPEN, struct.pack("<HH", number, 80) + client.encode(), after_ms)
        return number

    def send(self, number: int, data: bytes, after_ms: int = 0) -> None:
        """The phone sends, in one piece."""
        self.put(vm_link.DATA, struct.pack("<H", number) + data, after_ms)

    def hang_up(self, number: int, after_ms: int = 0) -> None:
        """The phone goes away."""
        self.put(vm_link.HANGUP, struct.pack("<H", number), after_ms)

    def datagram(self, data: bytes, after_ms: int = 0) -> int:
        """Somebody asks the name server; `replies` has moment and answer under this number."""
        self._number += 1
        number = self._number % 65_535 + 1
        self.replies.pop(number, None)
        self.put(vm_link.DATAGRAM, struct.pack("<HH", number, 53) + data, after_ms)
        return number

    def heap_used_bytes(self) -> int:
        """After a collection."""
        self.put(vm_link.FAULT, b"count_heap")
        self.run(0.001)
        return next(int(note.partition("=")[2]) for _, note in reversed(self.notes) if note.startswith("heap="))

    def request(self, text: str, client: str = "192.168.4.20", wait_s: float = 20) -> str:
        """One HTTP request, and the answer to it."""
        number = self.connect(client)
        self.send(number, text.encode(), after_ms=2)
        self.run(wait_s)
        return self.answers.pop(number, b"").decode()
