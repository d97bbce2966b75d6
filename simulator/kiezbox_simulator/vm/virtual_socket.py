# SPDX-License-Identifier: Apache-2.0
"""The module `socket` of a box in virtual time: phones in the simulator open TCP connections to the box's listening
sockets, and send datagrams.

Only what a server needs: listen, accept, read, write, close; recvfrom and sendto. Connections are numbered by the
simulator; bytes travel as records of `virtual_link`. As on the board, one connection takes 5,744 bytes at a time
(lwIP's send buffer in ESP-IDF) and addresses are tuples. Connecting from the box to elsewhere is refused
(ECONNREFUSED): a box alone has no uplink.
"""

import struct

import virtual_link
from virtual_link import link
from virtual_select import POLLERR, POLLHUP, POLLIN, POLLOUT

AF_INET = 2
SOCK_STREAM = 1
SOCK_DGRAM = 2
SOL_SOCKET = 1
SO_REUSEADDR = 2
IPPROTO_TCP = 6
TCP_NODELAY = 1

SEND_BUFFER = 5744
_ECONNREFUSED = 111
_EBADF = 9
_ECONNRESET = 104

DATAGRAMS_MAX = 6
"""That wait for the firmware, as in lwIP (CONFIG_LWIP_UDP_RECVMBOX_SIZE); more are lost."""

_listening = {}
_bound = {}
_connections = {}


class socket:  # noqa: N801  The built-in name.
    """A stream socket that never blocks: reads give None when there is nothing. `link.stream_news` counts what happens
    to any of them."""

    tells_news = True

    def __init__(self, family=AF_INET, kind=SOCK_STREAM, _protocol=0, connection=None):
        self._kind = kind
        self._connection = connection
        self._port = None
        self._backlog = []
        self._received = b""
        self._hung_up = False
        self._closed = False
        self._room_at_ms = -1
        self._room = SEND_BUFFER

    def setblocking(self, _flag):
        """Accepted; it never blocks."""

    def settimeout(self, _seconds):
        """Accepted; it never blocks."""

    def setsockopt(self, *_arguments):
        """Accepted."""

    def bind(self, address):
        """Name the port; datagrams can come from now on."""
        self._port = address[1]
        if self._kind == SOCK_DGRAM:
            _bound[self._port] = self

    def listen(self, _backlog=2):
        """Phones can connect from now on."""
        _listening[self._port] = self

    def accept(self):
        """A connection and its address; OSError EAGAIN when there is none."""
        if not self._backlog:
            raise OSError(11)
        return self._backlog.pop(0)

    def recvfrom(self, length):
        """A datagram, cut off after `length` bytes, and whose it is; OSError EAGAIN when there is none."""
        if not self._backlog:
            raise OSError(11)
        data, peer = self._backlog.pop(0)
        return data[:length], peer

    def sendto(self, data, peer):
        """A datagram to whom `recvfrom` named."""
        link.put(virtual_link.REPLY, struct.pack("<H", peer[1]) + bytes(data))
        return len(data)

    def connect(self, _address):
        """Refused."""
        raise OSError(_ECONNREFUSED)

    def read(self, length=-1):
        """Up to `length` bytes; None when there are none yet, b'' at the end."""
        if self._closed:
            raise OSError(_EBADF)
        if not self._received:
            return b"" if self._hung_up else None
        if length < 0:
            length = len(self._received)
        data = self._received[:length]
        self._received = self._received[length:]
        return data

    recv = read

    def readinto(self, buffer, length=-1):
        """As read, into a buffer; the count, or None."""
        data = self.read(len(buffer) if length < 0 else length)
        if data is None:
            return None
        buffer[: len(data)] = data
        return len(data)

    def readline(self):
        """Up to and with the next line end, or what is there."""
        end = self._received.find(b"\n")
        return self.read(end + 1 if end >= 0 else -1)

    def write(self, data, offset=0, length=None):
        """Bytes taken, or None when the buffer is full until time passes."""
        if self._closed:
            raise OSError(_EBADF)
        if self._hung_up:
            raise OSError(_ECONNRESET)
        if self._room_at_ms != link.now_ms:
            self._room_at_ms = link.now_ms
            self._room = SEND_BUFFER
        data = data.encode() if isinstance(data, str) else bytes(data)  # The built-in stream takes text, too.
        if length is not None:
            data = data[offset : offset + length]
        taken = min(len(data), self._room)
        if not taken and data:
            return None
        self._room -= taken
        for start in range(0, taken, 1400):
            link.put(virtual_link.SEND, struct.pack("<H", self._connection) + data[start : min(start + 1400, taken)])
        return taken

    send = write

    def sendall(self, data):
        """Everything, waiting a millisecond whenever the buffer is full."""
        at = 0
        while at < len(data):
            taken = self.write(data[at:])
            if taken is None:
                link.suspend(link.now_ms + 1)
            else:
                at += taken

    def close(self):
        """End it; a phone sees its connection close."""
        if self._closed:
            return
        link.stream_news += 1
        self._closed = True
        if self._connection is not None:
            _connections.pop(self._connection, None)
            link.put(virtual_link.CLOSE, struct.pack("<H", self._connection))
        for open_ports in (_listening, _bound):
            if open_ports.get(self._port) is self:
                del open_ports[self._port]

    def ioctl(self, request, flags):
        """MP_STREAM_POLL (3): which of `flags` are ready. MP_STREAM_CLOSE (4)."""
        if request == 4:
            self.close()
            return 0
        if request != 3:
            return -1
        if self._connection is None:
            return flags & POLLIN if self._backlog else 0
        events = 0
        if self._received or self._hung_up:
            events |= flags & POLLIN
        if self._hung_up:
            events |= POLLHUP
        if self._closed:
            return POLLERR
        if flags & POLLOUT and (self._room or self._room_at_ms != link.now_ms):
            events |= POLLOUT
        return events


def getaddrinfo(host, port, *_rest):
    """One answer, the address as given."""
    return [(AF_INET, SOCK_STREAM, 0, "", (host, port))]


def _open(payload):
    link.stream_news += 1
    number, port = struct.unpack_from("<HH", payload)
    listener = _listening.get(port)
    if listener is None or len(listener._backlog) >= 5:
        link.put(virtual_link.CLOSE, struct.pack("<H", number))
        return
    connection = socket(connection=number)
    _connections[number] = connection
    listener._backlog.append((connection, (payload[4:].decode(), 49152 + number % 16384)))


def _data(payload):
    link.stream_news += 1
    connection = _connections.get(struct.unpack_from("<H", payload)[0])
    if connection is not None:
        connection._received += payload[2:]


def _datagram(payload):
    peer, port = struct.unpack_from("<HH", payload)
    bound = _bound.get(port)
    if bound is not None and len(bound._backlog) < DATAGRAMS_MAX:
        bound._backlog.append((payload[4:], ("192.168.4.200", peer)))


def _hangup(payload):
    link.stream_news += 1
    connection = _connections.get(struct.unpack_from("<H", payload)[0])
    if connection is not None:
        connection._hung_up = True


link.handlers[virtual_link.OPEN] = _open
link.handlers[virtual_link.DATA] = _data
link.handlers[virtual_link.HANGUP] = _hangup
link.handlers[virtual_link.DATAGRAM] = _datagram
