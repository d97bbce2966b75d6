# SPDX-License-Identifier: Apache-2.0
import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from kiezbox.box import supervisor as supervisor_module
from kiezbox.box.supervisor import BEAT_MS, CRASHES_KEPT, PAUSE_LONGEST_S, STALE_MS, WRITE_PAUSE_MS, Supervisor
from kiezbox.box.testing import FakePorts


class Watchdog:
    def __init__(self) -> None:
        self.fed = 0

    def feed(self) -> None:
        self.fed += 1


@pytest.fixture
def ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePorts:
    """Time passes when somebody sleeps."""
    found = FakePorts(str(tmp_path))
    really = asyncio.sleep

    async def sleep_ms(wait_ms: int) -> None:
        found.clock.time_ms += wait_ms
        await really(0)

    async def sleep(wait_s: int) -> None:
        await sleep_ms(1000 * wait_s)

    monkeypatch.setattr(asyncio, "sleep_ms", sleep_ms, raising=False)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    return found


def failing(reasons: list[Exception], ran_ms: list[int], ports: FakePorts) -> Callable[[], object]:
    async def task() -> None:
        ran_ms.append(ports.clock.time_ms)
        if reasons:
            raise reasons.pop(0)
        raise KeyboardInterrupt  # Ends the test: no Exception, so the supervisor lets it through.

    return task


def keep(supervisor: Supervisor, ports: FakePorts, reasons: list[Exception]) -> list[int]:
    ran_ms: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(supervisor.keep("task", failing(reasons, ran_ms, ports)))
    return ran_ms


def test_a_task_starts_again_with_growing_pauses(ports: FakePorts) -> None:
    supervisor = Supervisor(ports, ports.root)
    ran_ms = keep(supervisor, ports, [ValueError("x") for _ in range(9)])
    pauses = [(later - earlier) // 1000 for earlier, later in itertools.pairwise(ran_ms)]
    assert pauses == [1, 2, 4, 8, 16, 32, 40, 40, 40]
    assert max(pauses) == PAUSE_LONGEST_S < STALE_MS // 1000
    assert supervisor.restarts == 9


def test_the_reason_is_on_flash_without_its_text(ports: FakePorts) -> None:
    supervisor = Supervisor(ports, ports.root)
    keep(supervisor, ports, [ValueError("Oma ist gestürzt"), OSError(28, "voll")])
    reasons = [crash[3] for crash in Supervisor(ports, ports.root).crashes()]
    assert [reason.split(" ")[0] for reason in reasons] == ["ValueError", "OSError"]
    assert reasons[1].startswith("OSError 28")
    stored = b"".join(path.read_bytes() for path in Path(ports.root).iterdir())
    assert b"Oma" not in stored
    assert not any("Oma" in line for line in ports.logged)
    assert supervisor.last_crash(3600).startswith("task OSError 28")
    ports.clock.time_ms += 3_700_000
    assert supervisor.last_crash(3600) == ""


def test_the_ring_keeps_the_newest(ports: FakePorts) -> None:
    supervisor = Supervisor(ports, ports.root)
    kinds = [type(f"E{number}", (Exception,), {})() for number in range(CRASHES_KEPT + 3)]
    keep(supervisor, ports, list(kinds))
    found = [crash[3].split(" ")[0] for crash in Supervisor(ports, ports.root).crashes()]
    assert found == [f"E{number}" for number in range(3, CRASHES_KEPT + 3)]


def test_the_same_reason_again_and_again_does_not_wear_the_flash(ports: FakePorts) -> None:
    supervisor = Supervisor(ports, ports.root)
    for _ in range(200):
        supervisor.failed("listen", ValueError("x"))
    assert len(supervisor.crashes()) == 1
    assert supervisor.restarts == 200
    ports.clock.time_ms += WRITE_PAUSE_MS
    supervisor.failed("listen", ValueError("x"))
    assert len(supervisor.crashes()) == 2


def test_a_flash_that_refuses_does_not_keep_a_task_from_starting(
    ports: FakePorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = Supervisor(ports, ports.root)

    def full(_: object) -> None:
        raise OSError(28)

    monkeypatch.setattr(supervisor._file, "save", full)
    assert len(keep(supervisor, ports, [ValueError("x")])) == 2


def test_without_the_memory_to_say_why_a_task_starts_again_all_the_same(
    ports: FakePorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = Supervisor(ports, ports.root)

    def exhausted(_: object) -> str:
        raise MemoryError

    monkeypatch.setattr(supervisor_module, "described", exhausted)
    monkeypatch.setattr(ports, "log", exhausted)
    assert len(keep(supervisor, ports, [MemoryError(), ValueError("x")])) == 3
    assert supervisor.restarts == 2


def test_the_watchdog_is_fed_only_while_every_task_makes_progress(ports: FakePorts) -> None:
    watchdog = ports.watchdog = Watchdog()
    supervisor = Supervisor(ports, ports.root)

    async def run() -> None:
        watch = asyncio.create_task(supervisor.watch())
        for step in range(40):
            supervisor.alive("good")
            if step < 10:
                supervisor.alive("hangs")
            if step == 30:
                supervisor.waits("hangs")
            at_ms = ports.clock.time_ms
            while ports.clock.time_ms < at_ms + BEAT_MS:
                await asyncio.sleep_ms(0)  # type: ignore[attr-defined]
            fed.append(watchdog.fed)
        watch.cancel()

    fed: list[int] = []
    asyncio.run(run())
    assert fed[9] >= 9
    assert fed[15] == fed[29]
    assert supervisor.stale() == []
    assert fed[39] > fed[31] > fed[29]
