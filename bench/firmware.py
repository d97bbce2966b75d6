# SPDX-License-Identifier: Apache-2.0
"""What the whole firmware takes: heap under load, bytes of bytecode, flash for a call, time for a page."""

import subprocess
import tempfile
from pathlib import Path

from bench import loaded_box
from bench.figure import Figure
from kiezbox_simulator import board
from kiezbox_simulator.firmware_build import build, whole_box_bytecode
from kiezbox_simulator.interpreter import interpreter

GATEWAY_HALF = {"gateway_endpoint", "gateway_box", "gateway_wire", "downlink", "downlink_job", "readable"}
AMPLE_KIB = 512
SMALLEST_KIB, LARGEST_KIB, STEP_KIB = {64: 96, 32: 56}, {64: 256, 32: 160}, 4
"""In how little memory it does not run and in how much it does, by the interpreter's word size."""

BOARD_PERCENT = 64
"""What the 32-bit interpreter needed when the 64-bit one needed 100: 100 and 156 KiB."""

HOW_LOAD = (
    f"{loaded_box.PHONES} phones at once, {loaded_box.OUTBOX_CALLS} calls unsent, a frame to judge and relay every "
    "250 ms"
)
HOW_PAGE = (
    "processor time on the host's VM, fastest of 9: request parsed, page written, nothing sent; an ESP32 at 240 MHz "
    "takes about 65 to 105 times as long (other programs' ratio, not measured with this one)"
)


def run() -> list[Figure]:
    """Figures for build/bench/firmware.json."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rom = loaded_box.image(folder)
        return [*_sizes(folder), *_heap(rom, folder), *_call_and_page(rom, folder)]


def package_bytes(folder: Path) -> dict[str, int]:
    """Bytes by package, compiled module by module; `data`: texts and the like, `gateway_half`: of the protocol, what no
    box imports. What a board runs is `resident`, one module of all, and `late`, what that loads when it is called."""
    sizes: dict[str, int] = {}
    for path, size_bytes in build(folder / "firmware").sizes_bytes.items():
        if path.startswith("lib/"):
            package = Path(path).parts[2] if path.count("/") > 2 else "kiezbox"
            package = package if path.endswith(".mpy") else "data"
            package = "gateway_half" if Path(path).stem in GATEWAY_HALF else package
            sizes[package] = sizes.get(package, 0) + size_bytes
    whole = whole_box_bytecode()
    sizes["resident"] = len(whole.pop("main"))
    sizes["late"] = sum(map(len, whole.values()))
    return sizes


def imported_bytes(rom: Path, folder: Path) -> int:
    """Heap that importing the whole firmware takes, before anything is done with it."""
    with loaded_box.LoadedBox(rom, folder, AMPLE_KIB, sampled=False) as box:
        return box.imported_bytes()


def _sizes(folder: Path) -> list[Figure]:
    how = "mpy-cross, bytecode that runs in place from flash; resident and late are what a board runs"
    return [Figure(f"mpy_{name}", size, "B", how) for name, size in sorted(package_bytes(folder).items())]


def _heap(rom: Path, folder: Path) -> list[Figure]:
    ample = loaded_box.play(rom, folder / "ample", AMPLE_KIB, sampled=True)
    least_kib = _least_kib(rom, folder)
    load = f"the whole box on {interpreter()}: {HOW_LOAD}"
    high = f"; most that was in use after a collection, in a heap of {AMPLE_KIB} KiB where nobody waits for memory"
    least = f"; smallest heap, in steps of {STEP_KIB} KiB, in which every page arrives whole and every call is stored"
    figures = [
        Figure("word_bits", interpreter().word_bits, "bit", f"all heap figures: {interpreter()}"),
        Figure(
            "heap_imported", ample.imported_bytes - ample.started_bytes, "B", f"import of everything, {interpreter()}"
        ),
        Figure("heap_high_water_ample", ample.most_bytes, "B", load + high),
        Figure("heap_smallest", least_kib * 1024, "B", load + least),
        Figure("frames_judged_under_load", ample.frames_heard, "frames", load),
        Figure("pages_under_load", ample.pages, "pages", load),
    ]
    if interpreter().word_bits == 64:
        share = f"; {BOARD_PERCENT} % of it, as a 32-bit interpreter showed; `KIEZBOX_MICROPYTHON` measures it"
        estimate = Figure("heap_smallest_32bit_estimate", least_kib * 1024 * BOARD_PERCENT // 100, "B", load + share)
        figures.insert(4, estimate)
    return figures


def _least_kib(rom: Path, folder: Path) -> int:
    low, high = SMALLEST_KIB[interpreter().word_bits], LARGEST_KIB[interpreter().word_bits]
    while high - low > STEP_KIB:
        middle = (low + high) // 2 // STEP_KIB * STEP_KIB
        try:
            loaded_box.play(rom, folder / f"heap{middle}", middle)
            high = middle
        except loaded_box.LoadError:
            low = middle
    return high


def _call_and_page(rom: Path, folder: Path) -> list[Figure]:
    (folder / "cost").mkdir()
    config = loaded_box.configuration(folder / "cost")
    command = board.command(rom, "call_and_page", str(config), heap_kib=AMPLE_KIB)
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    found = {name: float(value) for name, value in (line.split() for line in output.splitlines())}
    how = "long Arabic calls to LittleFS with blocks of 4096 bytes, synced one by one"
    figures = [
        Figure("flash_programmed_per_call", round(found["flash_programmed_per_call"]), "B", how),
        Figure("flash_erases_per_call", round(found["flash_erases_per_call"], 2), "erases", how),
    ]
    for name, value in found.items():
        if name.startswith("page_"):
            length = found[name.replace("page_", "length_")]
            figures.append(Figure(name, round(value, 2), "ms", f"{HOW_PAGE}; {length:.0f} bytes"))
    return figures
