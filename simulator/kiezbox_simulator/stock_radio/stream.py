# SPDX-License-Identifier: Apache-2.0
"""Framing of the stream API as the firmware reads it: 94 C3, length (16 bit, big endian), protobuf of at most 512
bytes.

Like the firmware it throws a frame away only at its header, so a header inside garbage swallows the bytes its length
promises; a client ends that with the 32 bytes of C3 it begins with. Used by `server.py`.
"""

START = b"\x94\xc3"
PAYLOAD_LENGTH_MAX = 512


def encode(payload: bytes) -> bytes:
    """One frame for the client."""
    return START + len(payload).to_bytes(2, "big") + payload


class FrameReader:
    """Cuts the client's bytes into payloads. Holds at most one frame."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.skipped_bytes = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Payloads completed by these bytes, in order."""
        buffer = self._buffer
        buffer += data
        payloads: list[bytes] = []
        while True:
            start = buffer.find(START)
            if start < 0:
                # The last byte may be the first half of the start.
                keep = 1 if buffer[-1:] == START[:1] else 0
                self.skipped_bytes += len(buffer) - keep
                del buffer[: len(buffer) - keep]
                return payloads
            self.skipped_bytes += start
            del buffer[:start]
            if len(buffer) < 4:
                return payloads
            length = buffer[2] << 8 | buffer[3]
            if length > PAYLOAD_LENGTH_MAX:
                self.skipped_bytes += 4
                del buffer[:4]
                continue
            if len(buffer) < 4 + length:
                return payloads
            payloads.append(bytes(buffer[4 : 4 + length]))
            del buffer[: 4 + length]
