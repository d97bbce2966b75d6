# SPDX-License-Identifier: Apache-2.0
"""Bit fields in bytes, most significant bit first. Called by reading.py and text_coding.py."""


class BitWriter:
    """Appends numbers of up to 16 bits at a time, so that every intermediate value stays a small integer on the
    board."""

    def __init__(self) -> None:
        self._output = bytearray()
        self._pending = 0
        self._count = 0

    def write(self, value: int, width: int) -> None:
        """Append the `width` (0..16) low bits of `value`."""
        pending = self._pending << width | value & ((1 << width) - 1)
        count = self._count + width
        while count >= 8:
            count -= 8
            self._output.append(pending >> count & 0xFF)
        self._pending = pending & ((1 << count) - 1)
        self._count = count

    def length(self) -> int:
        """Bits written."""
        return 8 * len(self._output) + self._count

    def finish(self, fill: int) -> bytes:
        """All bytes; the last one is filled up with `fill`, 0 or 1."""
        if self._count:
            self.write(0xFF if fill else 0, 8 - self._count)
        return bytes(self._output)


class BitReader:
    """Reads numbers of up to 16 bits."""

    def __init__(self, buffer: bytes) -> None:
        self._buffer = buffer
        self.position = 0
        self.end = 8 * len(buffer)

    def read(self, width: int) -> int:
        """The next `width` (0..16) bits as a number. Raises ValueError past the end."""
        start = self.position
        stop = start + width
        if stop > self.end:
            raise ValueError("bit field truncated")
        self.position = stop
        value = 0
        for index in range(start >> 3, (stop + 7) >> 3):
            value = value << 8 | self._buffer[index]
        return value >> (-stop & 7) & ((1 << width) - 1)
