# SPDX-License-Identifier: Apache-2.0
"""Programs under supervision: readiness, failure in one sentence, kill, restart, nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kiezbox_simulator.program import ProgramError, Programs, installed_command, python_module

SLEEPER = "import time; print('READY port=17 name=x'); time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('READY'); time.sleep(60)"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def test_ready_values_kill_and_start_again(tmp_path: Path) -> None:
    program = Programs(tmp_path).add("a sleeper", python(SLEEPER))
    program.start()
    assert await program.ready() == {"port": "17", "name": "x"}
    first = program.pid
    assert first is not None
    with pytest.raises(ProgramError, match="runs already"):
        program.start()
    program.kill()
    assert not is_running(first)
    assert program.pid is None
    program.start()
    # The READY line of the first start does not count for the second.
    assert program.output() == "" or "READY" in program.output()
    await program.ready()
    assert program.starts == 2
    program.stop()
    assert (tmp_path / "a-sleeper.log").read_text().count("READY") == 2


async def test_a_program_that_ends_says_why_in_one_sentence(tmp_path: Path) -> None:
    program = Programs(tmp_path).add("loser", python("import sys; print('no port left'); sys.exit(3)"))
    program.start()
    with pytest.raises(ProgramError, match=r"^loser ended with status 3: no port left \(log: .*loser\.log\)$"):
        await program.ready()


async def test_a_program_that_never_is_ready_is_given_up(tmp_path: Path) -> None:
    program = Programs(tmp_path).add("mute", python("import time; time.sleep(60)"))
    program.start()
    with pytest.raises(ProgramError, match="not ready after 0 s"):
        await program.ready(0.2)
    program.kill()


def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    program = Programs(tmp_path).add("ghost", ["/nowhere/ghost"])
    with pytest.raises(ProgramError, match="ghost cannot be started: No such file or directory"):
        program.start()


async def test_stop_ends_them_all_even_the_stubborn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiezbox_simulator.program.STOP_TIMEOUT_S", 0.3)
    programs = Programs(tmp_path)
    started = [programs.add(f"p{number}", python(code)) for number, code in enumerate((SLEEPER, STUBBORN))]
    pids = []
    for program in started:
        program.start()
        await program.ready()
        assert program.pid is not None
        pids.append(program.pid)
    programs.check()
    started[1].stop(0.3)
    programs.stop()
    assert [is_running(pid) for pid in pids] == [False, False]
    programs.check()


async def test_who_dies_by_itself_is_noticed(tmp_path: Path) -> None:
    programs = Programs(tmp_path)
    program = programs.add("box 3", python(SLEEPER))
    program.start()
    await program.ready()
    assert program.pid is not None
    os.kill(program.pid, signal.SIGKILL)
    deadline_s = time.monotonic() + 5
    with pytest.raises(ProgramError, match="box 3 was killed by signal 9"):
        while time.monotonic() < deadline_s:
            programs.check()


def test_nothing_outlives_its_starter(tmp_path: Path) -> None:
    starter = (
        "import sys, time; from pathlib import Path; from kiezbox_simulator.program import Program\n"
        f"p = Program('x', [sys.executable, '-c', {SLEEPER!r}], Path({str(tmp_path / 'log')!r})); p.start()\n"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(python(starter), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert is_running(pid)
        process.kill()
    deadline_s = time.monotonic() + 5
    while is_running(pid) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    assert not is_running(pid)


def test_commands_are_those_of_the_interpreter_in_use() -> None:
    assert python_module("a.b", "c") == [sys.executable, "-m", "a.b", "c"]
    assert Path(installed_command("meshtastic")).parent == Path(sys.executable).parent
