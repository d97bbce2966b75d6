# SPDX-License-Identifier: Apache-2.0
"""The phones' connections to the page of one vm box, in virtual time.

Called by vm_box.py; a phone (phone.py) holds its `Connection`. Not here: what is said, HTTP.
"""

import struct
from collections.abc import Callable

from kiezbox_simulator.virtual import vm_link

PORT = 80
PIECE_LENGTH = 1400
"""What one Wi-Fi frame carries."""

Put = Callable[[int, bytes], None]


class Connection:
    """A phone's end of one connection; `on_data(bytes)` and `on_close()` are called in virtual time."""

    def __init__(self, put: Put, number: int, on_data: Callable[[bytes], None], on_close: Callable[[], None]) -> None:
        self._put = put
        self.number = number
        self.on_data = on_data
        self.on_close = on_close
        self.open = True

    def send(self, data: bytes) -> None:
        """To the box, in pieces."""
        for start in range(0, len(data), PIECE_LENGTH):
            self._put(vm_link.DATA, struct.pack("<H", self.number) + data[start : start + PIECE_LENGTH])

    def close(self) -> None:
        """The phone goes away."""
        if self.open:
            self.open = False
            self._put(vm_link.HANGUP, struct.pack("<H", self.number))


class Connections:
    """All that one box has open. `put(kind, payload)` makes something happen to the box."""

    def __init__(self, put: Put) -> None:
        self._put = put
        self._open: dict[int, Connection] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._open)

    def begin(self, client: str, on_data: Callable[[bytes], None], on_close: Callable[[], None]) -> Connection:
        """A phone opens the page."""
        self._last = self._last % 65_535 + 1
        connection = self._open[self._last] = Connection(self._put, self._last, on_data, on_close)
        self._put(vm_link.OPEN, struct.pack("<HH", connection.number, PORT) + client.encode())
        return connection

    def deliver(self, payload: bytes) -> None:
        """The box sends to a phone: number u16, bytes."""
        connection = self._open.get(struct.unpack_from("<H", payload)[0])
        if connection is not None and connection.open:
            connection.on_data(payload[2:])

    def end(self, payload: bytes) -> None:
        """The box closes one: number u16."""
        connection = self._open.pop(struct.unpack_from("<H", payload)[0], None)
        if connection is not None and connection.open:
            connection.open = False
            connection.on_close()

    def break_off(self) -> None:
        """The box is gone."""
        for connection in list(self._open.values()):
            connection.open = False
            connection.on_close()
        self._open.clear()
