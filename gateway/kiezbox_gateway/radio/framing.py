# SPDX-License-Identifier: Apache-2.0
"""Framing of the Meshtastic stream API: 94 C3, length (16 bit, big endian), protobuf of at most 512 bytes.

Bytes outside frames are the radio's debug text and are counted, not kept. A header that occurs inside debug text, or a
frame that lost a byte, would swallow the frames after it. So a payload that the parser refuses is not skipped: scanning
goes on directly behind the two start bytes. Used by `radio.session`; one reader lives as long as one connection.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

START = b"\x94\xc3"
HEADER_LENGTH = 4
PAYLOAD_LENGTH_MAX = 512
# Wakes a sleeping serial radio and ends whatever half frame it still holds.
WAKE = b"\xc3" * 32

T = TypeVar("T")


def encode(payload: bytes) -> bytes:
    """One frame. Raises ValueError above 512 bytes, which the radio would not accept."""
    if len(payload) > PAYLOAD_LENGTH_MAX:
        raise ValueError(f"a stream frame holds at most {PAYLOAD_LENGTH_MAX} bytes, not {len(payload)}")
    return START + len(payload).to_bytes(2, "big") + payload


class FrameReader(Generic[T]):
    """Finds frames in a byte stream. `parse` turns a payload into a message or raises ValueError."""

    def __init__(self, parse: Callable[[bytes], T]) -> None:
        self._parse = parse
        self._buffer = bytearray()
        self.skipped_bytes = 0
        self.refused_frames = 0

    @property
    def incomplete(self) -> bool:
        """True while the start of a frame waits for its end."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[T]:
        """Messages completed by these bytes, in order."""
        self._buffer += data
        return self._scan()

    def give_up(self) -> list[T]:
        """The frame begun will not be finished:

        scan what came after its start bytes. Call when the stream fell silent.
        """
        if not self._buffer:
            return []
        self.refused_frames += 1
        self._skip(min(len(START), len(self._buffer)))
        return self._scan()

    def _skip(self, count: int) -> None:
        self.skipped_bytes += count
        del self._buffer[:count]

    def _scan(self) -> list[T]:
        buffer = self._buffer
        messages: list[T] = []
        while buffer:
            start = buffer.find(START)
            if start < 0:
                # The last byte may be the first half of the start.
                self._skip(len(buffer) - (buffer[-1] == START[0]))
                break
            if start:
                self._skip(start)
            if len(buffer) < HEADER_LENGTH:
                break
            length = buffer[2] << 8 | buffer[3]
            if length > PAYLOAD_LENGTH_MAX:
                self.refused_frames += 1
                self._skip(len(START))
                continue
            end = HEADER_LENGTH + length
            if len(buffer) < end:
                break
            try:
                message = self._parse(bytes(buffer[HEADER_LENGTH:end]))
            except ValueError:
                self.refused_frames += 1
                self._skip(len(START))
                continue
            del buffer[:end]
            messages.append(message)
        return messages
