# SPDX-License-Identifier: Apache-2.0
"""Room on flash: who may fill it how far, who gives way, and how a deleted text leaves the chip.

1. Readings stop while less than an eighth of the flash (at least 16 blocks) is free; that part is for calls and state.
2. If a call finds no room all the same, what matters less is given up, in the order of `sheds`, until it fits. A call
   itself is never given up.
3. Deleting a file leaves its bytes in blocks that LittleFS uses again some day. `overwrite` fills all free blocks with
   one file, which erases and programs each of them, and removes it.

Not here: what is kept. Called by calls.py, readings.py and box.py.
"""

import asyncio
import os

BLOCKS_MIN = 16
_SHARE = 8


class FlashRoom:
    """`sheds`: functions that free something and say whether they did. `shed`: how often one had to."""

    def __init__(self, root: str) -> None:
        self._path = root + "/filler"
        self._root = root or "/"
        self.sheds: list = []
        self.shed = 0
        self.full = False
        self._yield = False
        self._filler = None
        self.give_up_filler()

    def free_bytes(self) -> int:
        """What is left on this file system."""
        block_bytes, _, free = self._blocks()
        return block_bytes * free

    def for_readings(self) -> bool:
        """Whether there is more room than calls and state may need."""
        _, total, free = self._blocks()
        return free > max(BLOCKS_MIN, total // _SHARE)

    def _blocks(self) -> "tuple[int, int, int]":
        """Bytes of a block, how many there are, how many are free. LittleFS counts a block that two files share twice:
        on a full flash more than there are may be in use, and the difference is no number of blocks.
        """
        status = os.statvfs(self._root)
        return status[0], status[2], status[3] if 0 <= status[3] <= status[2] else 0

    def write(self, action) -> None:  # noqa: ANN001
        """Run action(), which writes. If the flash is full, give something up and try again. Raises OSError when there
        is nothing left to give up.
        """
        sheds = [self.give_up_filler] + self.sheds
        while True:
            try:
                action()
                self.full = False
                return
            except OSError as error:
                refused = error
            gave = False
            while sheds and not gave:
                gave = sheds.pop(0)()
            if not gave:
                self.full = True
                raise refused
            self.shed += 1

    def give_up_filler(self) -> bool:
        """Stop filling. True if there was something."""
        self._yield = True
        try:
            if self._filler is not None:
                self._filler.close()
        except OSError:
            pass
        self._filler = None
        try:
            os.remove(self._path)
        except OSError:
            return False
        return True

    async def overwrite(self, alive) -> bool:  # noqa: ANN001
        """Erase what deleted files left behind; alive() is called at each step. False if it had to stop before the end
        because somebody needed the room.
        """
        self._yield = False
        zeros = bytes(512)  # Here, so that nothing is held but while it is used.
        try:
            self._filler = open(self._path, "wb")  # type: ignore[assignment]
            while not self._yield:
                alive()
                for _ in range(8):
                    self._filler.write(zeros)  # type: ignore[attr-defined]
                await asyncio.sleep_ms(20)
        except OSError:
            pass  # Full, as it should be.
        done = not self._yield
        self.give_up_filler()
        return done
