# SPDX-License-Identifier: Apache-2.0
"""The real MicroPython with asyncio in virtual time: what tasks do, that it is the same twice, and what a broken box
says."""

import struct
from pathlib import Path

import pytest

import kiezbox_simulator
from kiezbox_simulator.virtual import vm_link

VM_DIR = Path(kiezbox_simulator.__file__).parent / "vm"

START = """
import virtual_start
from virtual_link import link
import asyncio, time
def say(text):
    link.put(2, ("%d %s" % (time.ticks_ms(), text)).encode())
"""


class Box:
    """Drives one process through virtual time and remembers what it logged."""

    def __init__(self, folder: Path, program: str) -> None:
        folder.mkdir(parents=True)
        (folder / "vm").symlink_to(VM_DIR)
        (folder / "program.py").write_text(START + program + '\nlink.reset("end")\n')
        self.vm = vm_link.VmProcess(folder, "program", [], "vm:.frozen")
        self.log: list[str] = []
        self.other: list[tuple[int, int, bytes]] = []
        self.turns = 0

    def run(self, until_ms: int, inputs: list[tuple[int, bytes]] | None = None) -> None:
        inputs = list(inputs or [])
        now_ms = 0
        while True:
            wake_ms, records = self.vm.collect()
            self.turns += 1
            for kind, payload in records:
                if kind == vm_link.LOG:
                    self.log.append(payload.decode())
                else:
                    self.other.append((now_ms, kind, payload))
            due = [moment for moment in (wake_ms, inputs[0][0] if inputs else None) if moment is not None]
            if self.vm.reset_reason is not None or not due or min(due) > until_ms:
                return
            now_ms = min(due)
            given = b""
            while inputs and inputs[0][0] == now_ms:
                given += inputs.pop(0)[1]
            self.vm.wake(now_ms, given)


@pytest.fixture
def box(tmp_path):
    started = []

    def start(program: str, name: str = "box") -> Box:
        started.append(Box(tmp_path / name, program))
        return started[-1]

    yield start
    for each in started:
        each.vm.kill()


def run(box, program, until_ms=100_000, inputs=None, name="box"):
    one = box(program, name)
    one.run(until_ms, inputs)
    return one


def test_sleeping_tasks_wake_in_order_of_time_and_then_of_queueing(box):
    log = run(
        box,
        """
async def tick(name, ms):
    for _ in range(3):
        await asyncio.sleep_ms(ms)
        say(name)
async def main():
    asyncio.create_task(tick("a", 200))
    asyncio.create_task(tick("b", 100))
    asyncio.create_task(tick("c", 100))
    await asyncio.sleep(1)
asyncio.run(main())
""",
    ).log
    assert log == ["100 b", "100 c", "200 a", "200 b", "200 c", "300 b", "300 c", "400 a", "600 a"]


def test_timeouts_cancellation_gather_and_events_behave_as_documented(box):
    log = run(
        box,
        """
async def forever(name):
    try:
        while True:
            await asyncio.sleep(10)
    finally:
        say("cleaned " + name)
async def fail():
    await asyncio.sleep_ms(5)
    raise ValueError("as asked")
async def value(n):
    await asyncio.sleep_ms(n)
    return n
async def main():
    try:
        await asyncio.wait_for_ms(forever("timeout"), 50)
    except asyncio.TimeoutError:
        say("timeout")
    say(await asyncio.wait_for(value(7), 1))
    say(await asyncio.gather(value(3), value(1)))
    try:
        await asyncio.gather(value(3), fail())
    except ValueError as error:
        say(error)
    results = await asyncio.gather(fail(), value(1), return_exceptions=True)
    say([type(r).__name__ for r in results])
    task = asyncio.create_task(forever("cancelled"))
    await asyncio.sleep_ms(1)
    say(task.cancel())
    try:
        await task
    except asyncio.CancelledError:
        say("cancelled")
    say((task.done(), task.cancel()))
    event = asyncio.Event()
    async def wait(name):
        await event.wait()
        say("event " + name)
    waiters = [asyncio.create_task(wait(n)) for n in "xy"]
    await asyncio.sleep_ms(10)
    event.set()
    await asyncio.gather(*waiters)
    nested = asyncio.create_task(asyncio.wait_for(forever("nested"), 60))
    await asyncio.sleep_ms(1)
    nested.cancel()
    try:
        await nested
    except asyncio.CancelledError:
        say("nested cancelled")
    lock = asyncio.Lock()
    async def hold(name):
        async with lock:
            await asyncio.sleep_ms(5)
            say("lock " + name)
    await asyncio.gather(hold("1"), hold("2"))
    done = asyncio.create_task(value(1))
    await asyncio.sleep_ms(5)
    say(await done)
asyncio.run(main())
""",
    ).log
    assert log == [
        "50 cleaned timeout", "50 timeout", "57 7", "60 [3, 1]", "65 as asked", "70 ['ValueError', 'int']",
        "71 True", "71 cleaned cancelled", "71 cancelled", "71 (True, False)", "81 event x", "81 event y",
        "82 cleaned nested", "82 nested cancelled", "87 lock 1", "92 lock 2", "97 1",
    ]  # fmt: skip


def test_an_exception_nobody_awaits_reaches_the_handler_and_the_rest_goes_on(box):
    one = run(
        box,
        """
async def fail():
    raise ValueError("nobody listens")
async def main():
    asyncio.get_event_loop().set_exception_handler(lambda loop, context: say(repr(context["exception"])))
    asyncio.create_task(fail())
    await asyncio.sleep_ms(10)
    say("still here")
asyncio.run(main())
""",
    )
    assert one.log == ["0 ValueError('nobody listens',)", "10 still here"]


SERVER = """
async def serve(reader, writer):
    line = await reader.readline()
    await asyncio.sleep_ms(3)
    writer.write(b"x" * 7000 + line)
    await writer.drain()
    writer.close()
    await writer.wait_closed()
async def main():
    await asyncio.start_server(serve, "0.0.0.0", 80)
    while True:
        await asyncio.sleep(60)
        say(time.time())
asyncio.run(main())
"""


def phone(number: int, time_ms: int) -> list[tuple[int, bytes]]:
    return [
        (time_ms, vm_link.record(vm_link.OPEN, struct.pack("<HH", number, 80) + b"192.0.2.7")),
        (time_ms + 2, vm_link.record(vm_link.DATA, struct.pack("<H", number) + b"GET")),
        (time_ms + 4, vm_link.record(vm_link.DATA, struct.pack("<H", number) + b" /\n")),
    ]


def test_two_phones_are_served_at_once_in_virtual_time(box):
    one = run(box, SERVER, 60_000, sorted(phone(1, 1000) + phone(2, 1001)))
    answers = {1: b"", 2: b""}
    closed = {}
    for now_ms, kind, payload in one.other:
        (number,) = struct.unpack_from("<H", payload)
        if kind == vm_link.SEND:
            answers[number] += payload[2:]
        elif kind == vm_link.CLOSE:
            closed[number] = now_ms
    assert answers == dict.fromkeys((1, 2), b"x" * 7000 + b"GET /\n")
    # 3 ms of sleep, and one more until the send buffer of 5,744 bytes is free again.
    assert closed == {1: 1008, 2: 1009}
    assert one.log == ["60000 60"]


def test_a_connection_to_a_closed_port_is_refused(box):
    one = run(box, "async def main():\n    await asyncio.sleep(9)\nasyncio.run(main())\n", 100, phone(5, 10)[:1])
    assert (10, vm_link.CLOSE, struct.pack("<H", 5)) in one.other


def test_the_same_run_twice_is_the_same_to_the_byte_of_free_heap(box):
    program = """
import gc
async def work(n):
    kept = []
    while True:
        await asyncio.sleep_ms(37 * n)
        kept.append({"n": n, "text": "x" * (len(kept) % 50)})
        if len(kept) > 40:
            kept = []
        gc.collect()
        say(gc.mem_free())
async def main():
    for n in range(1, 5):
        asyncio.create_task(work(n))
    await asyncio.sleep(30)
asyncio.run(main())
"""
    logs = [run(box, program, name=name).log for name in ("first", "a-folder-with-a-longer-name")]
    assert len(logs[0]) > 1000
    assert logs[0] == logs[1]


NOTES = """
heard = asyncio.Event()
link.handlers[35] = lambda payload: (said.append(payload), heard.set())
said = []
async def listen():
    while True:
        await heard.wait()
        heard.clear()
        notes.append((time.ticks_ms(), said.pop(0)[-1:]))
async def tick():
    while True:
        await asyncio.sleep_ms(70)
        notes.append((time.ticks_ms(), "tick"))
notes = []
async def main():
    asyncio.create_task(listen())
    asyncio.create_task(tick())
    %s
    say(notes)
    await asyncio.sleep(9)
asyncio.run(main())
"""


def heard(letter: bytes) -> bytes:
    return vm_link.record(vm_link.OPEN, letter)


def at(time_us: int) -> bytes:
    return vm_link.record(vm_link.AT, struct.pack("<Q", time_us))


def test_what_is_told_late_happens_in_its_own_moment_between_the_timers(box):
    program = NOTES % "await asyncio.sleep_ms(75)"
    woken, told = box(program, "woken"), box(program, "told")
    woken.vm.collect()
    for now_ms, records in ((10, heard(b"A")), (70, b""), (70, heard(b"B")), (75, heard(b"C"))):
        woken.vm.wake(now_ms, records)
        expected = woken.vm.collect()
    told.vm.collect()
    told.vm.wake(75, at(10_000) + heard(b"A") + at(70_001) + heard(b"B") + at(75_000) + heard(b"C"))
    assert told.vm.collect() == expected
    assert expected == (140, [(vm_link.LOG, b"75 [(10, b'A'), (70, 'tick'), (70, b'B')]")])


def test_a_box_that_wants_something_in_the_past_says_so(box):
    one = box(NOTES % "await heard.wait()")
    one.vm.collect()
    one.vm.wake(60, at(10_000) + heard(b"A") + at(50_000) + heard(b"B") + at(60_000))
    _, records = one.vm.collect()
    assert [(kind, payload) for kind, payload in records if kind == vm_link.NOTE] == [(vm_link.NOTE, b"late=10")]
    assert one.vm.now_ms == 60


@pytest.mark.parametrize("length", [0, 287, 288, 289, 316, 317, 1000, 20_000])
def test_what_happened_arrives_whole_whatever_its_length(box, length):
    one = box("link.handlers[35] = lambda payload: say((len(payload), sum(payload)))\n" + 2 * "link.suspend(None)\n")
    one.vm.collect()
    one.vm.wake(5, vm_link.record(vm_link.OPEN, b"\x07" * length))
    assert one.vm.collect()[1] == [(vm_link.LOG, f"5 ({length}, {7 * length})".encode())]


def test_ticks_wrap_as_on_the_board(box):
    log = run(
        box,
        """
async def main():
    for _ in range(4):
        await asyncio.sleep_ms((1 << 28) - 2)
    start = time.ticks_ms()
    await asyncio.sleep_ms(25)
    say((time.ticks_diff(time.ticks_ms(), start), time.ticks_ms() < start))
asyncio.run(main())
""",
        1 << 31,
    ).log
    assert log == ["17 (25, True)"]


def test_a_box_that_crashes_says_why(box):
    one = box("raise ValueError('what went wrong')\n")
    with pytest.raises(vm_link.VmError, match="what went wrong"):
        one.run(10)


def test_a_reset_ends_the_process_with_its_reason(box):
    one = run(box, "say('before')\nlink.reset('watchdog')\n")
    assert (one.log, one.vm.reset_reason) == (["0 before"], "watchdog")
    assert one.vm.process.wait(10) == 0


def test_the_modules_of_both_ends_agree_on_record_numbers():
    source = (VM_DIR / "virtual_link.py").read_text()
    theirs: dict[str, int] = {}
    for line in source.splitlines():
        name, _, value = line.partition(" = ")
        if name.isupper() and name.replace("_", "").isalpha() and name[0] != "_":
            theirs[name] = int(value.split("#")[0].strip().replace("_", ""), 0)
    assert len(theirs) == 26
    assert theirs == {name: getattr(vm_link, name) for name in theirs}
