# SPDX-License-Identifier: Apache-2.0
"""A life of a box's flash, with every kind of write it ever does, and the power cut in the middle of each of them. Runs
on MicroPython with the real LittleFS.

`power_cut TORN_BYTES FIRST STEP TWICE`: cut at change FIRST, FIRST + STEP, ...; of the change that is cut, TORN_BYTES
arrive. With TWICE = 1 the power goes once more while the box starts again. Prints the number of changes of each kind of
write, then `cuts N lost N corrupt N unbootable N`.
"""

import asyncio
import builtins
import sys

import box_testing
import vfs
from file_flash import BLOCK_BYTES, PowerCut

from kiezbox.box.call_entry import AMEND, CANCEL, SAFE
from kiezbox.box.calls import Calls
from kiezbox.box.flash_room import FlashRoom
from kiezbox.box.modes import Modes
from kiezbox.box.notices import Notices
from kiezbox.box.readings import Readings
from kiezbox.box.settings import Settings
from kiezbox.box.state import State
from kiezbox.box.supervisor import Supervisor

BLOCKS = 40
NOW_S = 1_767_450_000
CONFIGURATION = {
    "node_num": 7,
    "name": "Box",
    "short_name": "K7",
    "root_key_hex": "00" * 32,
    "channel": {"name": "K", "psk_hex": ""},
    "preset": "MEDIUM_FAST",
}
ERASED = b"\xff" * BLOCK_BYTES

# Overwriting rests between two blocks. Others would run then; here there are none, and thousands of lives.
_sleep_ms = asyncio.sleep_ms
asyncio.sleep_ms = lambda _duration_ms: _sleep_ms(0)


class MemoryFlash:
    """The simulator's flash (file_flash.py) in memory, so that thousands of cuts take seconds."""

    def __init__(self, content):
        self.content = content
        self.changes = 0
        self.cut_after = None
        self.torn_bytes = 0

    def readblocks(self, block, buffer, offset=0):
        start = block * BLOCK_BYTES + offset
        buffer[:] = memoryview(self.content)[start : start + len(buffer)]

    def writeblocks(self, block, buffer, offset=0):
        self._change(block * BLOCK_BYTES + offset, buffer)

    def ioctl(self, operation, argument):
        if operation == 4:
            return BLOCKS
        if operation == 5:
            return BLOCK_BYTES
        if operation == 6:
            self._change(argument * BLOCK_BYTES, ERASED)
        return 0

    def _change(self, start, data):
        self.changes += 1
        if self.cut_after is not None and self.changes >= self.cut_after:
            if self.changes == self.cut_after:
                torn = min(self.torn_bytes, len(data))
                self.content[start : start + torn] = memoryview(data)[:torn]
            raise PowerCut
        self.content[start : start + len(data)] = data


class Box:
    """All that keeps something on flash, as box.py puts it together."""

    def __init__(self, first_counter):
        self.ports = box_testing.FakePorts("/flash")
        self.ports.draws = first_counter
        self.ports.clock.wall_s = NOW_S
        self.ports.offered = CONFIGURATION
        self.supervisor = Supervisor(self.ports, "/flash")
        self.room = FlashRoom("/flash")
        self.settings = Settings(self.ports, self.room)
        self.state = State("/flash", self.room)
        self.readings = Readings("/flash", self.room, self.state)
        self.notices = Notices("/flash")
        self.calls = Calls(self.ports, "/flash", self.room)
        self.readings.bytes_max = 1_500
        self.calls.bytes_max = 6_000
        self.modes = Modes(self.state, "everyday")
        self.node = self.calls.node = box_testing.FakeNode(first_counter)
        self.calls.load()

    def keep(self, name, value):
        self.state.put(name, value)
        if not self.state.save():
            raise OSError(5)


def life(box, done, kinds, flash):
    """Every kind of write, some of them often enough for a rewrite. `done` is what the box has said is done."""

    before = 0

    def kind(name):
        nonlocal before
        kinds[name] = kinds.get(name, 0) + flash.changes - before
        before = flash.changes

    kind("first start")
    for round_number in range(3):
        box.keep("counter_reserved", 64 * (round_number + 1))
        done["reserved"] = 64 * (round_number + 1)
        kind("state")
        for number in range(3):
            form = {"text": "call %d of round %d " % (number, round_number) + "x" * 60, "client": str(number)}
            box.ports.clock.time_ms += 60_000
            code = box.calls.submit(form, exercise=number == 2)
            done["calls"][code] = []
            kind("call")
            counter = box.node.sent[-1][2]
            if number == 0:
                box.calls.stage_changed(counter, 2, NOW_S, "", "")
                done["calls"][code].append("gateway")
                kind("stage")
                box.calls.stage_changed(counter, 5, NOW_S, "Feuerwache", "Wir kommen")
                done["calls"][code].append("answer")
                kind("stage")
            elif number == 1:
                box.calls.change(code, AMEND, "und noch etwas")
                kind("amendment")
                box.calls.change(code, CANCEL if round_number else SAFE)
                done["calls"][code].append("cancelled")
                kind("cancellation")
        code = box.calls.press(exercise=False)
        done["calls"][code] = []
        kind("button")
        box.calls.change(code, CANCEL)
        done["calls"][code].append("cancelled")
        kind("cancellation")
        done["mode_next"] = (2 + round_number, 10 + round_number)
        box.modes.command({"mode": 2 + round_number, "epoch": 10 + round_number})
        box.keep("broadcast_epoch_1", 10 + round_number)
        done["mode"] = done["mode_next"]
        kind("mode")
        result, _, _ = box.settings.change({"place": "Platz %d" % round_number})
        assert result == 1
        done["place"] = "Platz %d" % round_number
        kind("configuration")
        for _ in range(4):
            box.readings.add([{"temperature_cc": 812}], NOW_S, 2, 300, 0)
            done["sequence"] = box.readings.sequence
            kind("reading")
        notice = {"identifier": "n", "language": "de", "headline": "v%d" % round_number, "sent_s": NOW_S + round_number}
        box.notices.add(notice, NOW_S)
        done["notice"] = round_number
        kind("notice")
        box.supervisor.failed("listen", ValueError(round_number))
        kind("crash")
    box.notices.add({"identifier": "old", "language": "de", "expires_s": NOW_S + 10}, NOW_S)
    box.notices.sweep(NOW_S + 10)
    kind("notice swept")
    done["deleting"] = True
    box.ports.clock.wall_s = NOW_S + 40 * 86_400
    box.calls.sweep()
    done["deleted"] = True
    kind("calls deleted")
    # How much of the texts of finished calls the chip still holds, for whoever takes it out and reads it.
    done["deleted_text"] = bytes(flash.content).count(b"call 0 of round")
    asyncio.run(box.room.overwrite(lambda: None))
    kind("overwriting")
    done["overwritten_text"] = bytes(flash.content).count(b"call 0 of round")


def check(box, done):
    """(lost, corrupt) of what a box finds on flash after the cut."""
    lost = corrupt = 0
    for code in done["calls"]:
        status = box.calls.status(code)
        wanted = done["calls"][code]
        finished = "answer" in wanted
        if status is None:
            # A call that is being deleted may be there or not.
            lost += not (done["deleting"] and (finished or "cancelled" in wanted))
            continue
        corrupt += done["deleted"] and finished
        stages = [one["stage"] for one in status["stages"]]
        lost += 1 not in stages or ("gateway" in wanted and 2 not in stages)
        lost += "answer" in wanted and status["answer"] != "Wir kommen"
        lost += "cancelled" in wanted and not status["cancelled"]
    open_counters = [counter for _, _, counter in box.node.resumed]
    corrupt += len(set(open_counters)) != len(open_counters)
    lost += (box.state.values.get("counter_reserved") or 0) < done["reserved"]
    pair = (box.modes.number, box.modes.epoch)
    corrupt += pair not in (done["mode"], done["mode_next"])
    lost += box.settings.values["place"] < done["place"]
    lost += box.readings.sequence < done["sequence"]
    notices = [one["headline"] for one in box.notices.valid(NOW_S) if one["identifier"] == "n"]
    lost += done["notice"] >= 0 and (not notices or notices[0] < "v%d" % done["notice"])
    corrupt += len(notices) > 1
    damaged = box.state.damaged or box.calls.journal.damaged or box.readings.journal.damaged
    return lost, corrupt + bool(damaged or box.settings.faulty or box.notices.journal.damaged)


def goes_on(box):
    """After the cut everything can be written again."""
    box.keep("counter_reserved", 10_000)
    code = box.calls.submit({"text": "one more", "client": "z"}, exercise=False)
    box.readings.add([{"temperature_cc": 1}], NOW_S, 2, 300, 0)
    box.notices.add({"identifier": "m", "language": "de"}, NOW_S)
    return box.calls.status(code) is not None and box.settings.change({"place": "weiter"})[0] == 1


opened = []
really_open = builtins.open


def tracked_open(*arguments):
    opened.append(really_open(*arguments))
    return opened[-1]


builtins.open = tracked_open


def ended(flash):
    """Give memory back. Files are closed on a copy of the flash: what the collector closed later would land in the
    middle of another life.
    """
    flash.content = bytearray(flash.content)
    flash.cut_after = None
    for file in opened:
        try:
            file.close()
        except (PowerCut, OSError):
            pass
    opened.clear()
    try:
        vfs.umount("/flash")
    except (PowerCut, OSError):
        pass


def mounted(content, cut_after, torn_bytes):
    flash = MemoryFlash(content)
    vfs.mount(vfs.VfsLfs2(flash), "/flash")
    flash.changes = 0
    flash.cut_after = cut_after
    flash.torn_bytes = torn_bytes
    return flash


def one_cut(fresh, at, torn_bytes, twice, kinds):
    """None if the life ended before the cut, else (lost, corrupt, unbootable)."""
    content = bytearray(fresh)
    done = {"calls": {}, "reserved": 0, "mode": (1, 0), "mode_next": (1, 0), "place": "", "sequence": 0, "notice": -1}
    done["deleting"] = done["deleted"] = False
    flash = mounted(content, at, torn_bytes)
    finished = False
    try:
        life(Box(1), done, kinds, flash)
        finished = True
    except PowerCut:
        pass
    ended(flash)
    if finished:
        kinds["texts left after deletion"] = done["deleted_text"]
        kinds["texts left after overwriting"] = done["overwritten_text"]
        return None
    try:
        for again in (1 + at % 23,) if twice else ():
            flash = mounted(content, again, torn_bytes)
            try:
                goes_on(Box(5_000))
            except PowerCut:
                pass
            ended(flash)
            done["place"] = min(done["place"], "weiter")
        flash = mounted(content, None, 0)
        box = Box(9_000)
        lost, corrupt = check(box, done)
        corrupt += not goes_on(box)
        ended(flash)
        return lost, corrupt, 0
    except Exception as error:  # noqa: BLE001  Whatever it is, this box does not start.
        sys.print_exception(error)
        ended(flash)
        return 0, 0, 1


def main():
    torn_bytes, first, step, twice = [int(word) for word in sys.argv[1:5]]
    fresh = bytearray(BLOCKS * BLOCK_BYTES)
    vfs.VfsLfs2.mkfs(MemoryFlash(fresh))
    kinds = {}
    assert one_cut(fresh, 1 << 30, 0, 0, kinds) is None
    print("changes " + ", ".join("%s %d" % (name, kinds[name]) for name in kinds))
    cuts = lost = corrupt = unbootable = 0
    at = first
    while True:
        found = one_cut(fresh, at, torn_bytes, twice, {})
        if found is None:
            break
        if any(found):
            print("at change", at, "lost %d corrupt %d unbootable %d" % found)
        cuts += 1
        lost += found[0]
        corrupt += found[1]
        unbootable += found[2]
        at += step
    print("cuts", cuts, "lost", lost, "corrupt", corrupt, "unbootable", unbootable)


main()
