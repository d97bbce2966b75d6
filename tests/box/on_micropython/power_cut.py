# SPDX-License-Identifier: Apache-2.0
"""Cuts the power at every single change of the flash, whole and torn, and looks at what is left. Runs on MicroPython.

`power_cut TORN_BYTES FIRST STEP`: prints one line `cuts N acknowledged_lost N corrupt N unbootable N`.
"""

import sys

import vfs
from file_flash import BLOCK_BYTES, PowerCut

from kiezbox.box.journal import Journal, load, replace

BLOCKS = 24
RECORDS = 30


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


ERASED = b"\xff" * BLOCK_BYTES


def work(acknowledged):
    """What a box does: calls into the journal, state replaced, now and then a rewrite."""
    journal = acknowledged["journal"] = Journal("/flash/calls.log")
    for number in range(RECORDS):
        journal.append(1, b"call %03d " % number + b"x" * (number * 7 % 90))
        acknowledged["record"] = number
        if number % 5 == 2:
            replace("/flash/state.json", {"counter_reserved": number})
            acknowledged["state"] = number
        if number % 11 == 10:
            lowest = number - 6
            acknowledged["lowest"] = max(acknowledged["lowest"], lowest)
            journal.rewrite(lambda kind, payload: int(payload[5:8]) >= lowest)  # noqa: B023


def check(content, acknowledged):
    """Boot again after the cut. Returns (lost, corrupt)."""
    vfs.mount(vfs.VfsLfs2(MemoryFlash(content)), "/flash")
    try:
        journal = Journal("/flash/calls.log")
        numbers = [int(payload[5:8]) for _, payload in journal.records()]
        lost = len([n for n in range(acknowledged["lowest"], acknowledged["record"] + 1) if n not in numbers])
        corrupt = 0 if numbers == sorted(set(numbers)) else 1
        state = load("/flash/state.json").get("counter_reserved", -1)
        if state < acknowledged["state"]:
            lost += 1
        # It goes on working.
        journal.append(1, b"call 999 ")
        if [payload for _, payload in journal.records()][-1] != b"call 999 ":
            corrupt += 1
        journal.close()
    finally:
        vfs.umount("/flash")
    return lost, corrupt


def main():
    torn_bytes, first, step = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    fresh = bytearray(BLOCKS * BLOCK_BYTES)
    vfs.VfsLfs2.mkfs(MemoryFlash(fresh))
    cuts = lost = corrupt = unbootable = 0
    at = first
    while True:
        content = bytearray(fresh)
        flash = MemoryFlash(content)
        acknowledged = {"record": -1, "state": -1, "lowest": 0}
        vfs.mount(vfs.VfsLfs2(flash), "/flash")
        flash.cut_after = at
        flash.changes = 0
        flash.torn_bytes = torn_bytes
        try:
            work(acknowledged)
            finished = True
        except (PowerCut, OSError):
            finished = False
        for end in (lambda: acknowledged["journal"].close(), lambda: vfs.umount("/flash")):  # noqa: B023
            try:
                end()
            except (PowerCut, OSError, KeyError):
                pass  # Only memory is given back here; the flash takes nothing any more.
        if finished:
            break
        cuts += 1
        try:
            one_lost, one_corrupt = check(content, acknowledged)
            lost += one_lost
            corrupt += one_corrupt
        except OSError:
            unbootable += 1
        at += step
    print("cuts", cuts, "acknowledged_lost", lost, "corrupt", corrupt, "unbootable", unbootable)


main()
