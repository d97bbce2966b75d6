# SPDX-License-Identifier: Apache-2.0
"""A box that runs its real firmware on MicroPython, behind the same port as every radio owner.

It is handed what happens as records, thinks in no time at all, and says until when it sleeps. Everything it wants
done is done when its turn ends. A reset or a power cut ends the process; flash.bin in its folder is what the next
boot finds.

With each turn it is told until when nothing can reach it: no frame that is on the air now ends before, one that
begins later takes its time, and whoever will touch the box at a later moment has said so (`expect`). Until then it
goes on without asking, and what it wants is done at the moment it came to. Something that reached it earlier all the
same would be a mistake of the simulator, and is an error.

Copies of what it had already wait for its next turn, each with its moment (repetition.py). A turn that it asked for may
begin before its moment for the same reason, so that it thinks while the simulator and other boxes go on; what comes of
it counts from its moment on.

Not here: when turns happen (vm_pool.py), what people do (phone.py).
"""

import heapq
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiezbox.protocol.reading import VALUE_NAMES
from kiezbox_simulator.scenario.power import ROUTER
from kiezbox_simulator.virtual import vm_link
from kiezbox_simulator.virtual.repetition import Repetitions
from kiezbox_simulator.virtual.station import RECEIVED, Station
from kiezbox_simulator.virtual.vm_connections import Connection, Connections
from kiezbox_simulator.virtual.vm_inbox import Inbox
from kiezbox_simulator.world import chance

if TYPE_CHECKING:
    from kiezbox_simulator.virtual.vm_pool import VmPool

BOOT_US = 2_000_000
"""From power to the first line of the firmware."""

MEASURE_US = 50_000
HEAP_KIB = 640
"""Ample: a scenario asks how a district behaves. Objects of a 64-bit interpreter are larger than the board's, bytecode
lies on this heap and not in flash, and the stand-ins for its built-in asyncio, sockets and flash driver take 21 KiB;
what is left makes the collector work more rarely. Whether the firmware fits into a board is the firmware's own tests'
question."""

RESTART_PAUSE_US = (1_000_000, 10_000_000, 60_000_000)
"""Before a box that crashed boots again: a boot loader's own pauses."""

FLASH_BLOCKS = 256
RTC_AGED, GOOD = 1, 2


class VmBox:
    """Lives in `folder`. Made by VmPool."""

    def __init__(self, pool: "VmPool", station: Station, folder: Path, settings: dict[str, Any], image: Path) -> None:
        self.pool = pool
        self.station = station
        self.folder = folder
        self.boots = 0
        self.crashes: list[str] = []
        self.readings_made = 0
        self.mode: int | None = None
        self.dead = False
        self._schedule = pool.simulation.schedule
        self._image = image
        self._inbox = Inbox()
        self._repetitions: Repetitions | None = None
        self._measuring = False
        self._vm: vm_link.VmProcess | None = None
        self._running = False
        self._planned_us = -1
        self._connections = Connections(self.put)
        self._clock_offset_s: int | None = None
        self._sensors_silent = False
        self._flash_broken = False
        self._expected_us: list[int] = []
        self._ahead_us = -1
        self._begun_us = -1
        self._over: tuple[int | None, list[tuple[int, bytes]]] | vm_link.VmError | None = None
        station.owner = self
        (folder / "provision.json").write_text(json.dumps(settings.pop("configuration")))
        (folder / "box.json").write_text(json.dumps(settings | {"flash_blocks": FLASH_BLOCKS}))

    # Life of the process

    def spawn(self) -> None:
        """Start the process; it loads while others do the same, and waits to be switched on."""
        arguments = [f"{self.boots:06d}"]
        self._vm = vm_link.VmProcess(self.folder, "virtual_box", arguments, "", HEAP_KIB, self._image)
        if self.pool.is_crowd:
            self._vm.yield_to_writer()

    def start(self) -> None:
        """Power on."""
        if self.dead:
            return
        if self._vm is None:
            self.spawn()
        self.boots += 1
        self.station.alive = True
        self._later(BOOT_US, self._switched_on)

    def _switched_on(self, boots: int) -> None:
        if boots != self.boots or self._vm is None:
            return
        try:
            self._vm.collect()
        except vm_link.VmError as error:
            self._ended(str(error))
            return
        self._running = True
        self._repetitions = Repetitions(self.station.node_num)
        self.trace("boot", str(self.boots))
        if self._clock_offset_s is not None:
            unix_s = self.pool.simulation.unix_s + self._clock_offset_s
            self.put(vm_link.CLOCK, struct.pack("<IB", unix_s, RTC_AGED))
        if self._flash_broken:
            self.put(vm_link.FAULT, b"broken_flash")
        self.pool.due(self)

    def cut_power(self) -> None:
        """Dark at once, between two instructions."""
        self._stop()
        self.pool.simulation.ether.switch(self.station, False)

    def cut_power_torn(self, operations: int) -> None:
        """Dark in the middle of one of the next writes to flash; at the latest with the ordinary cut a minute later."""
        part = chance.choice(self.pool.simulation.seed, 257, "torn", self.station.name, self._schedule.now_us)
        self.put(vm_link.CUT, struct.pack("<IH", operations, part))
        self._later(60_000_000, self._cut_late)

    def _cut_late(self, boots: int) -> None:
        if boots == self.boots and self.station.alive:
            self.cut_power()

    def destroy(self) -> None:
        """Gone for good, with what is on it."""
        self.dead = True
        self.cut_power()
        self.station.owner = None

    def restore_power(self) -> None:
        """Light again: boot from what is on flash."""
        if self.dead:
            return
        self.pool.simulation.ether.switch(self.station, True)
        self.start()

    def close(self) -> None:
        """The run is over."""
        self._stop()

    def _stop(self) -> None:
        self._running = False
        self._planned_us = self._ahead_us = self._begun_us = -1
        self._over = self._repetitions = None
        self._inbox.clear()
        self._measuring = False
        self._connections.break_off()
        if self._vm is not None:
            self._vm.kill()
            self._vm = None

    def _ended(self, reason: str) -> None:
        """The process is gone: a power cut stays dark, anything else boots again."""
        self.trace("reset", reason.splitlines()[0][:120])
        vm = self._vm
        self._stop()
        self.pool.simulation.ether.switch(self.station, False)
        if reason == "power cut":
            return
        if reason not in ("watchdog", "restart") and vm is not None:
            self.crashes.append(reason)
        self.pool.simulation.note(f"{self.station.name} restarts: {reason.splitlines()[-1][:200]}")
        pause_us = RESTART_PAUSE_US[min(len(self.crashes) // 3, 2)]
        self._later(pause_us, self._again)

    def _again(self, boots: int) -> None:
        if boots == self.boots and not self.station.alive:
            self.restore_power()

    # Inputs

    def put(self, kind: int, payload: bytes = b"") -> None:
        """Something happens to the box now."""
        self._note_input(kind, payload)
        if self._running:
            self.pool.due(self)

    def _note_input(self, kind: int, payload: bytes, waits: bool = False) -> None:
        """For the next turn, which may be later if it `waits`."""
        now_us = self._schedule.now_us
        if self._ahead_us > now_us or self._begun_us > now_us:
            alone_us = max(self._ahead_us, self._begun_us)
            raise RuntimeError(f"{self.station.name} was alone until {alone_us} us, yet something came")
        if self._vm is not None:
            self._inbox.add(kind, payload, now_us, waits)

    def receive(self, frame: bytes, rssi_dbm: int, snr_db: float) -> None:
        """From the ether."""
        quarters = max(-128, min(127, round(snr_db * 4)))
        payload = struct.pack("<hb", rssi_dbm, quarters) + frame
        repeated = self._repetitions is not None and self._repetitions.is_one(frame)
        if repeated and not self._measuring and not self._connections:
            self._note_input(vm_link.RECEIVED, payload, waits=True)
        else:
            self.put(vm_link.RECEIVED, payload)

    def transmitted(self) -> None:
        """From the ether."""
        self.put(vm_link.SENT)

    def channel_busy(self) -> None:
        """From the ether."""
        self.put(vm_link.BUSY)

    def fault(self, kind: str, amount: int) -> None:
        """A fault of the scenario begins or ends ("..._over")."""
        if kind == "clock_jump":
            self._clock_offset_s = (self._clock_offset_s or 0) + amount
            unix_s = self.pool.simulation.unix_s + self._clock_offset_s
            self.put(vm_link.CLOCK, struct.pack("<IB", max(0, unix_s), RTC_AGED))
        elif kind in ("sensor", "sensor_over"):
            self._sensors_silent = kind == "sensor"
        else:
            if kind == "radio_reset" and self._running:
                # What the chip was about to send, sending or receiving breaks off.
                self.pool.simulation.ether.switch(self.station, False)
                self.pool.simulation.ether.switch(self.station, True)
            elif kind in ("broken_flash", "broken_flash_over"):
                self._flash_broken = kind == "broken_flash"
            # Who knows what it still takes in: from now on it is woken for everything.
            self._repetitions = None
            self.put(vm_link.FAULT, kind.encode())

    def connect(self, client: str, on_data: Callable[[bytes], None], on_close: Callable[[], None]) -> Connection | None:
        """A phone opens the box's page; None if there is no box to answer."""
        if not self._running:
            return None
        return self._connections.begin(client, on_data, on_close)

    def expect(self, time_us: int) -> None:
        """Somebody will touch this box at that moment, and not before."""
        heapq.heappush(self._expected_us, time_us)

    def _later(self, after_us: int, what: Callable[[int], None]) -> None:
        """An event of this boot of the box's own."""
        time_us = self._schedule.now_us + after_us
        self.expect(time_us)
        self._schedule.at(time_us, what, self.boots)

    # Turns

    def _alone_until_us(self, now_us: int) -> int:
        """Nothing reaches this box before this moment."""
        station, expected = self.station, self._expected_us
        if station.pending is not None:
            return now_us
        until_us = self.pool.undisturbed_until_us(now_us)
        if station.transmitting is not None:
            until_us = min(until_us, station.transmitting.end_us)
        while expected and expected[0] < now_us:
            heapq.heappop(expected)
        if expected:
            until_us = min(until_us, expected[0])
        for reception in station.incoming:
            if reception.fate == RECEIVED and reception.transmission.end_us < until_us:
                until_us = reception.transmission.end_us
        return until_us

    def begin_early(self, planned_us: int) -> bool | None:
        """Begin the turn it asked for at that moment, which is still to come; None if it asks for it no longer, False
        if something may reach it before."""
        if planned_us != self._planned_us or not self._running or self._begun_us >= 0:
            return None
        if planned_us >= self._alone_until_us(self._schedule.now_us):
            return False
        self._begin(planned_us)
        return True

    def begin_turn(self) -> None:
        """Hand over the moment and what happened, unless that is done."""
        if self._running and self._begun_us < 0:
            self._begin(self._schedule.now_us)

    def _begin(self, at_us: int) -> None:
        if self._vm is None:
            return
        records = self._inbox.take(at_us)
        self._begun_us = at_us
        alone_until_ms = (self._alone_until_us(self._schedule.now_us) - 1) // 1000
        busy_until_us = self.pool.simulation.ether.busy_until_us(self.station)
        try:
            self._vm.wake(at_us // 1000, records, alone_until_ms, busy_until_us)
        except vm_link.VmError as error:
            self._over = error

    def await_turn(self) -> None:
        """Wait until it has thought."""
        if self._vm is None or self._begun_us < 0 or self._over is not None:
            return
        try:
            self._over = self._vm.collect()
        except vm_link.VmError as error:
            self._over = error

    def end_turn(self) -> None:
        """Take back what it wants."""
        self.await_turn()
        over = self._over
        if self._vm is None or over is None:
            return
        self._over, self._begun_us, self._planned_us = None, -1, -1
        if isinstance(over, vm_link.VmError):
            self._ended(str(over))
            return
        wake_ms, records = over
        ahead_us = self._vm.now_ms * 1000
        if records and ahead_us > self._schedule.now_us:
            self._ahead_us = ahead_us
            self._schedule.at(ahead_us, self._came_to, (self.boots, ahead_us, wake_ms, records))
        else:
            self._act(wake_ms, records)

    def _came_to(self, turn: tuple[int, int, int | None, list[tuple[int, bytes]]]) -> None:
        """The others are now where this box already was."""
        boots, ahead_us, wake_ms, records = turn
        if boots == self.boots and ahead_us == self._ahead_us and self._running:
            self._ahead_us = -1
            self._act(wake_ms, records)

    def _act(self, wake_ms: int | None, records: list[tuple[int, bytes]]) -> None:
        reason = None
        for kind, payload in records:
            if kind == vm_link.RESET:
                reason = payload.decode()
            else:
                self._perform(kind, payload)
        if reason is not None:
            self._ended(reason)
        elif wake_ms is not None:
            self._planned_us = max(wake_ms * 1000, self._schedule.now_us)
            self._schedule.at(self._planned_us, self._wake, self._planned_us)
            self.pool.planned(self, self._planned_us)

    def _wake(self, planned_us: int) -> None:
        if planned_us == self._planned_us and self._running:
            self.pool.due(self)

    def _perform(self, kind: int, payload: bytes) -> None:
        if kind == vm_link.TRANSMIT:
            self.pool.simulation.ether.request(self.station, payload)
        elif kind == vm_link.SEND:
            self._connections.deliver(payload)
        elif kind == vm_link.CLOSE:
            self._connections.end(payload)
        elif kind == vm_link.NOTE:
            name, _, value = payload.decode().partition("=")
            self._note(name, value)
        elif kind == vm_link.CONSUMERS:
            if self.pool.simulation.power is not None:
                self.pool.simulation.power.consumers(self.station.name, struct.unpack("<H", payload)[0])
        elif kind == vm_link.LOG:
            self.trace("log", payload.decode(errors="replace").replace("\n", " "))

    def _note(self, name: str, value: str) -> None:
        if name == "late":
            late_ms = self._schedule.now_us // 1000 - int(value)
            self.pool.simulation.note(f"{self.station.name}: acted {late_ms} ms late, a mistake of the simulator")
        elif name == "measure":
            self._measuring = True
            self._later(MEASURE_US, self._measured)
        elif name == "router" and self.pool.simulation.power is not None:
            self.pool.simulation.power.switch(self.station.name, ROUTER, value == "1")
        elif name == "clock":
            time_s, _ = map(int, value.split())
            self._clock_offset_s = time_s - self.pool.simulation.unix_s

    def _measured(self, boots: int) -> None:
        if boots != self.boots or not self._running:
            return
        self._measuring = False
        values = {} if self._sensors_silent else self.pool.simulation.measure(self.station.name)
        if values:
            self.readings_made += 1
        self.put(
            vm_link.SENSORS,
            b"".join(struct.pack("<Bi", VALUE_NAMES.index(name), value) for name, value in sorted(values.items())),
        )

    def trace(self, kind: str, detail: str) -> None:
        """One line of the trace."""
        self.pool.simulation.trace.add(kind, self.station.name, detail)
