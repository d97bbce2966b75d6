# SPDX-License-Identifier: Apache-2.0
"""Long messages in several frames: cutting, and putting together again under loss, repetition and any order.

1. Each fragment was proven before it comes here, so a stranger can neither fill the memory nor poison a message.
2. A message's fragments agree in their count; one that does not agree is refused.
3. Memory is bounded by messages and by bytes; the message that waited longest gives way.
4. An unfinished message expires some time after its last fragment; the sender repeats, so nothing is lost by it.

Not here: asking for what is missing (receipt.py, the endpoints). Called by both endpoints.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

COUNT_MAX = 8
"""Fragments of one message. The field could hold 16."""


def split(body: bytes, length_max: int) -> "list[bytes]":
    """`body` in as few parts of at most `length_max` bytes as possible, all about equally long."""
    count = max(1, (len(body) + length_max - 1) // length_max)
    size, longer = divmod(len(body), count)
    parts = []
    start = 0
    for index in range(count):
        stop = start + size + (1 if index < longer else 0)
        parts.append(body[start:stop])
        start = stop
    return parts


class _Unfinished:
    def __init__(self, key: "Hashable", count: int) -> None:
        self.key = key
        self.count = count
        self.held = 0
        self.length = 0
        self.parts: list[bytes] = [b""] * count
        self.since_ms = 0


class Assembler:
    """Collects the fragments of several messages at a time."""

    def __init__(self, messages_max: int, bytes_max: int, expiry_ms: int) -> None:
        self._messages_max = messages_max
        self._bytes_max = bytes_max
        self._expiry_ms = expiry_ms
        self._unfinished: list[_Unfinished] = []
        self.dropped = 0
        """Unfinished messages given up, by expiry or for want of room."""

    def add(self, key: "Hashable", index: int, count: int, part: bytes, now_ms: int) -> "bytes | None":
        """The whole body once its last missing fragment has come, else None. Repeated fragments change nothing.

        Raises ValueError if `count` is not what the message's other fragments said, or beyond COUNT_MAX.
        """
        if count > COUNT_MAX:
            raise ValueError("too many fragments")
        if count == 1:
            return part
        self.expire(now_ms)
        message = self._find(key)
        if message is None:
            message = _Unfinished(key, count)
            self._unfinished.append(message)
        elif message.count != count:
            raise ValueError("fragment count differs")
        message.since_ms = now_ms
        if not message.held >> index & 1:
            message.held |= 1 << index
            message.parts[index] = bytes(part)
            message.length += len(part)
        if message.held == (1 << count) - 1:
            self._unfinished.remove(message)
            return b"".join(message.parts)
        self._make_room(message)
        return None

    def held(self, key: "Hashable") -> int:
        """Bit field of the fragments that are here, bit 0 the first; 0 if the message is unknown or finished."""
        message = self._find(key)
        return message.held if message else 0

    def waiting(self) -> "list[Hashable]":
        """Keys of the unfinished messages."""
        return [message.key for message in self._unfinished]

    def forget(self, key: "Hashable") -> None:
        """Give a message up; it was finished by another way."""
        message = self._find(key)
        if message:
            self._unfinished.remove(message)

    def expire(self, now_ms: int) -> None:
        """Give up messages whose last fragment is too long ago."""
        kept = [message for message in self._unfinished if now_ms - message.since_ms < self._expiry_ms]
        self.dropped += len(self._unfinished) - len(kept)
        self._unfinished = kept

    def _find(self, key: "Hashable") -> "_Unfinished | None":
        for message in self._unfinished:
            if message.key == key:
                return message
        return None

    def _make_room(self, newest: _Unfinished) -> None:
        while len(self._unfinished) > self._messages_max or sum(m.length for m in self._unfinished) > self._bytes_max:
            oldest = None
            for message in self._unfinished:
                if message is not newest and (oldest is None or message.since_ms < oldest.since_ms):
                    oldest = message
            if oldest is None:
                oldest = newest
            self._unfinished.remove(oldest)
            self.dropped += 1
            if oldest is newest:
                return
