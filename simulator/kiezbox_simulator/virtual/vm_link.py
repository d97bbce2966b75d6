# SPDX-License-Identifier: Apache-2.0
"""One MicroPython process in lock-step: start it, hand it a moment and what happened, take back what it wants and
until when it sleeps.

The other end and the record format are in `vm/virtual_link.py`. `wake` and `collect` are two calls, so that several
processes can think at once on several cores; the order of `collect` is the caller's, so the result does not depend
on who is faster.

The process sees nothing of this machine: a fixed environment, its own folder with links to the firmware as working
directory, so that all names have the same length everywhere (they lie on its heap), and no address randomisation
(its garbage collector is conservative: a random word on the stack could keep an object alive, and the free heap goes
out in health messages).
"""

import ctypes
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kiezbox_simulator import board
from kiezbox_simulator.interpreter import interpreter

SLEEP, TRANSMIT, LOG, SEND, CLOSE, RESET, CONSUMERS, NOTE, REPLY = range(9)
RECEIVED, SENT, BUSY, OPEN, DATA, HANGUP, SENSORS, CUT, CLOCK, FAULT, BUTTON, GRID, DATAGRAM, AT = range(32, 46)
FOREVER = 0xFFFF_FFFF_FFFF_FFFF
NO_VALUE = -0x8000_0000
BLOCK_LENGTH = 320

TURN_TIMEOUT_S = 120
"""Wall time after which a box that does not end its turn counts as hung."""

_TURN_LENGTH = 65_536
_ADDR_NO_RANDOMIZE = 0x0040000
_PERSONALITY_ASK = 0xFFFF_FFFF
_HEAD = struct.Struct("<IQQQ")
_IDLE = struct.Struct("<IBHQQ")
_libc = ctypes.CDLL(None, use_errno=True)


class VmError(Exception):
    """The process ended or hung without saying so; the message holds the end of what it printed."""


def record(kind: int, payload: bytes = b"") -> bytes:
    """One record as it travels."""
    return struct.pack("<BH", kind, len(payload)) + payload


@contextmanager
def _without_randomisation() -> Iterator[None]:
    """What is started meanwhile has its addresses in the same places each time. Set here and inherited, because a
    function to call in the child makes Python copy this whole process for each box."""
    if sys.platform != "linux":
        yield
        return
    before = _libc.personality(_PERSONALITY_ASK)
    _libc.personality(before | _ADDR_NO_RANDOMIZE)
    try:
        yield
    finally:
        _libc.personality(before)


class VmProcess:
    """A MicroPython process that runs the module `program` with `arguments`, in `folder`: out of `image`, which all
    processes share, or found on `micropython_path`."""

    def __init__(
        self,
        folder: Path,
        program: str,
        arguments: list[str],
        micropython_path: str,
        heap_kib: int = 128,
        image: Path | None = None,
    ) -> None:
        self.console = folder / "console.txt"
        ours, theirs = socket.socketpair()
        # The kernel keeps this limit; Python's own timeout would cost a system call each turn.
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", TURN_TIMEOUT_S, 0))
        # -m: for a file, its absolute folder would lie on the heap.
        command = [
            interpreter().path,
            "-X",
            f"heapsize={heap_kib}k",
            "-m",
            program,
            *arguments,
        ]
        if image is not None:
            command = board.command(image, program, *arguments, heap_kib=heap_kib, threshold_bytes=-1)
        with self.console.open("ab") as console, theirs, _without_randomisation():
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=theirs.fileno(),
                stdout=console,
                stderr=console,
                env={"MICROPYPATH": micropython_path, "HOME": "/", "PATH": "/usr/bin:/bin"},
            )
        self._socket = ours
        self.reset_reason: str | None = None
        self.now_ms = 0

    def yield_to_writer(self) -> None:
        """For one of many: woken, it does not take the core from the simulator that is still waking others. Without
        this the kernel runs most boxes one after the other on the writer's core while another core idles."""
        if sys.platform == "linux":
            with suppress(OSError):  # Only slower where it is not allowed.
                os.sched_setscheduler(self.process.pid, os.SCHED_BATCH, os.sched_param(0))

    def wake(self, now_ms: int, records: bytes, alone_until_ms: int = 0, busy_until_us: int = 0) -> None:
        """Begin its turn at this moment with these records, one behind the other. Until `alone_until_ms` nothing else
        will reach it, whatever happens; until `busy_until_us` its channel is taken for certain."""
        try:
            head = _HEAD.pack(24 + len(records), now_ms, alone_until_ms, busy_until_us)
            self._socket.sendall((head + records).ljust(BLOCK_LENGTH, b"\0"))
        except OSError as error:
            raise self._failure("has ended") from error

    def collect(self) -> tuple[int | None, list[tuple[int, bytes]]]:
        """Wait for the end of its turn: until when it sleeps (ms, None for ever) and its records (kind, payload).
        `now_ms` is how far it has come: later than it was woken, if it went on by itself.

        After a reset the time is None and `reset_reason` set. Raises VmError if it hangs or ends without a word.
        """
        try:
            data = self._socket.recv(_TURN_LENGTH)
            if len(data) < 4:
                data += self._read(4 - len(data))
            missing = 4 + int.from_bytes(data[:4], "little") - len(data)
            if missing:
                data += self._read(missing)
        except BlockingIOError as error:
            raise self._failure(f"did not end its turn in {TURN_TIMEOUT_S} s") from error
        except OSError as error:
            raise self._failure("has ended") from error
        if len(data) == _IDLE.size and data[4] == SLEEP:
            # Most turns of most boxes: nothing to say.
            _, _, _, value, self.now_ms = _IDLE.unpack(data)
            return (None if value == FOREVER else value), []
        body = data[4:]
        records = []
        at, wake_ms = 0, None
        while at < len(body):
            kind, length = struct.unpack_from("<BH", body, at)
            at += 3 + length
            payload = body[at - length : at]
            if kind == SLEEP:
                value, self.now_ms = struct.unpack("<QQ", payload)
                wake_ms = None if value == FOREVER else value
            else:
                if kind == RESET:
                    self.reset_reason = payload.decode()
                records.append((kind, payload))
        return wake_ms, records

    def kill(self) -> None:
        """Take its power away between two instants."""
        self._socket.close()
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def printed(self) -> str:
        """The end of what it printed, tracebacks included."""
        return self.console.read_bytes()[-2000:].decode(errors="replace").strip() if self.console.exists() else ""

    def _read(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            more = self._socket.recv(length - len(data))
            if not more:
                raise self._failure("has ended")
            data += more
        return data

    def _failure(self, what: str) -> VmError:
        return VmError(f"The box in {self.console.parent.name} {what}. {self.printed()}")
