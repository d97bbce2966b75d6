# SPDX-License-Identifier: Apache-2.0
"""One program under supervision: started with its own log file, waited for, killed, started again, never left behind.

A program says that it can be used by a line `READY ...` on its standard output, with `name=value` words in it. It runs
in a session of its own, so that Ctrl-C in a terminal reaches only who started it, and the kernel kills it when its
starter dies. Used by the demo and by tests; what the programs are is in `box_process.py`, `ether`, `stock_radio`,
`broker`.
"""

import asyncio
import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

READY = re.compile(r"^READY\b(.*)$", re.MULTILINE)
POLL_S = 0.02
STOP_TIMEOUT_S = 5.0
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class ProgramError(Exception):
    """A program did not start or ended by itself; one sentence with the last line it said."""


def _die_with_starter() -> None:
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Program:
    """A program that may be started several times. All output goes to one log file, a line marks each start."""

    def __init__(
        self, name: str, command: Sequence[str], log_path: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log_path = log_path
        self.starts = 0
        self._command = list(command)
        self._environment = {**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Start it now; use `ready` to wait for it. Raises ProgramError if it runs already or cannot be executed."""
        if self.pid is not None:
            raise ProgramError(f"{self.name} runs already")
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self.starts += 1
            log.write(f"--- start {self.starts} ---\n".encode())
            log.flush()
            self._log_start = log.tell()
            try:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=self._environment,
                    start_new_session=True,
                    preexec_fn=_die_with_starter,
                )
            except OSError as error:
                raise ProgramError(f"{self.name} cannot be started: {error.strerror}: {self._command[0]}") from None

    def output(self) -> str:
        """What it has said since its last start."""
        with self.log_path.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    async def ready(self, timeout_s: float = 20.0) -> dict[str, str]:
        """Wait for its READY line and return the values in it, words without a value under "".

        Raises ProgramError if it ends or says nothing in time.
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            found = READY.search(self.output())
            if found:
                words = [word.partition("=") for word in found.group(1).split()]
                return {name if sign else "": value if sign else name for name, sign, value in words}
            self.check()
            if time.monotonic() > deadline_s:
                raise ProgramError(f"{self.name} was not ready after {timeout_s:.0f} s; see {self.log_path}")
            await asyncio.sleep(POLL_S)

    def check(self) -> None:
        """Raises ProgramError if it has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            lines = [line for line in self.output().splitlines() if line.strip()]
            said = lines[-1].strip() if lines else "it said nothing"
            status = self._process.returncode
            ended = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
            raise ProgramError(f"{self.name} {ended}: {said} (log: {self.log_path})")

    def kill(self) -> None:
        """SIGKILL: it has no chance to tidy up, like a power cut."""
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """SIGTERM, and SIGKILL if it does not end in time."""
        process = self._process
        if process is not None and process.poll() is None:
            os.kill(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()
        self._process = None


class Programs:
    """All programs of one run. `stop` ends them in the reverse order of their being added."""

    def __init__(self, log_dir: Path) -> None:
        self.log_dir = log_dir
        self._programs: list[Program] = []

    def add(self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> Program:
        """A program of this run, not started yet; its log is NAME.log, blanks as hyphens."""
        program = Program(name, command, self.log_dir / f"{name.replace(' ', '-')}.log", environment)
        self._programs.append(program)
        return program

    def check(self) -> None:
        """Raises ProgramError for the first program that has ended by itself."""
        for program in self._programs:
            program.check()

    def stop(self) -> None:
        """End them all; all are asked first, so that they end side by side."""
        running = [program for program in reversed(self._programs) if program.pid is not None]
        for program in running:
            pid = program.pid
            if pid is not None:
                os.kill(pid, signal.SIGTERM)
        for program in running:
            program.stop()


def free_port() -> int:
    """A port on loopback that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def python_module(module: str, *arguments: str) -> list[str]:
    """Command that runs a module of ours with the interpreter in use."""
    return [sys.executable, "-m", module, *arguments]


def installed_command(name: str) -> str:
    """Path of a command that was installed beside the interpreter in use."""
    return str(Path(sys.executable).parent / name)
