# SPDX-License-Identifier: Apache-2.0
"""One HTTP request, read from a stream with a limit on everything (RFC 9112), and the form in it.

A line at a time, so that a client holds a few hundred bytes and not its whole request. Not here: what a request means
(routes.py), how long it may take (server.py). Every byte is hostile. Called by server.py.
"""

from kiezbox.protocol.constant import const

_LINE_MAX = const(2048)
_HEAD_MAX = const(8192)
_BODY_MAX = const(4096)
_DISCARD_MAX = const(65536)
_CHUNK = const(256)


class BadRequest(Exception):  # noqa: N818 - the name says what happened
    """`status` is the HTTP status that says so."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Request:
    """One phone's request: method, path (without query), host, origin, language (Accept-Language), form: dict of str.

    `unreadable` is True if the form held bytes that are no text; they are left out. For server.py it also knows whose
    it is and its times in ms. Defaults stand in the class, so that an open connection costs little memory.
    """

    method = "GET"
    path = "/"
    host = origin = language = fetch_site = ""
    form = {}
    unreadable = False
    answering = False
    _length = -1

    def __init__(self, stream, client: str, task, now_ms) -> None:  # noqa: ANN001
        self.client = client
        self.task = task
        self.since_ms = self.moved_ms = now_ms()
        self._now_ms = now_ms
        self._stream = stream
        self._rest = b""

    async def read(self) -> None:
        """Read it all. Raises BadRequest, EOFError if the client went away before the end, OSError."""
        line = b""
        while not line:
            line = await self._line(1)  # RFC 9112 2.2: an empty line before the request is skipped.
        parts = line.split(b" ")
        if len(parts) != 3 or not parts[2].startswith(b"HTTP/1."):
            raise BadRequest(400)
        self.method = _ascii(parts[0])
        self.path = _ascii(parts[1].split(b"?")[0])
        old = parts[2] == b"HTTP/1.0"
        parts = None
        left = _HEAD_MAX
        while line:
            line = await self._line(left)
            left -= len(line) + 2
            if line:
                self._header(line)
        if self.path.startswith("http://"):
            self.host, _, path = self.path[7:].partition("/")
            self.path = "/" + path
        if self.method not in ("GET", "HEAD", "POST"):
            raise BadRequest(405)
        if not self.path.startswith("/") or not (self.host or old):
            raise BadRequest(400)
        if self._length > _BODY_MAX:
            await self._discard(self._length)
            raise BadRequest(413)
        if self.method == "POST":
            if self._length < 0:
                raise BadRequest(411)
            await self._body(self._length)

    def _header(self, line: bytes) -> None:
        name, colon, value = line.partition(b":")
        if not colon or not name or name[0] in b" \t" or name[-1] in b" \t":
            raise BadRequest(400)
        name = name.lower()
        value = value.strip()
        if name == b"content-length":
            if not value.isdigit() or len(value) > 9 or self._length not in (-1, int(value)):
                raise BadRequest(400)
            self._length = int(value)
        elif name == b"transfer-encoding":
            raise BadRequest(411)
        elif name == b"content-type":
            if not value.startswith(b"application/x-www-form-urlencoded"):
                raise BadRequest(415)
        elif name == b"host":
            if self.host:
                raise BadRequest(400)
            self.host = _ascii(value)
        elif name == b"origin":
            self.origin = _ascii(value)
        elif name == b"accept-language":
            self.language = _ascii(value[:128])
        elif name == b"sec-fetch-site":
            self.fetch_site = _ascii(value)

    async def _line(self, left: int) -> bytes:
        while True:
            end = self._rest.find(b"\n")
            if end > _LINE_MAX or left <= 0 or (end < 0 and len(self._rest) > _LINE_MAX):
                raise BadRequest(431)
            if end >= 0:
                line = self._rest[:end]
                self._rest = self._rest[end + 1 :]
                return line[:-1] if line.endswith(b"\r") else line
            data = await self._stream.read(_CHUNK)
            if not data:
                raise EOFError
            self._rest += data
            self.touch()

    def touch(self) -> None:
        """Bytes have moved."""
        self.moved_ms = self._now_ms()

    async def _more(self, length: int) -> bytes:
        data = await self._stream.read(length)
        if not data:
            raise EOFError
        self.touch()
        return data

    async def _discard(self, length: int) -> None:
        """Take in what an honest browser still sends, or it would never read the answer."""
        left = min(length, _DISCARD_MAX) - len(self._rest)
        self._rest = b""
        while left > 0:
            left -= len(await self._more(min(left, 1024)))

    async def _body(self, length: int) -> None:
        """application/x-www-form-urlencoded (WHATWG URL 5.1), a field at a time."""
        left = length
        field = b""
        self.form = {}
        while True:
            if not self._rest and left > 0:
                self._rest = await self._more(min(left, _CHUNK))
            part = self._rest[:left]
            self._rest = b""
            left -= len(part)
            field += part
            while True:
                end = field.find(b"&")
                if end < 0:
                    break
                self._field(field[:end])
                field = field[end + 1 :]
            if left <= 0:
                self._field(field)
                return

    def _field(self, field: bytes) -> None:
        name, _, value = field.partition(b"=")
        if name and len(self.form) < 12 and len(name) <= 12:
            self.form[_ascii(name)] = self._decoded(value)

    def _decoded(self, value: bytes) -> str:
        raw = bytearray()
        position = 0
        while position < len(value):
            byte = value[position]
            if byte == 0x2B:
                byte = 0x20
            elif byte == 0x25:
                try:
                    byte = int(value[position + 1 : position + 3], 16)
                    position += 2
                except ValueError:
                    self.unreadable = True
            position += 1
            if byte == 0x7F or (byte < 0x20 and byte not in b"\r\n\t"):
                self.unreadable = True
            elif byte != 0x0D:
                raw.append(byte)
        try:
            return str(raw, "utf-8").strip()
        except UnicodeError:
            self.unreadable = True
            return str(bytes(byte if byte < 0x80 else 0x20 for byte in raw), "utf-8").strip()


def _ascii(value: bytes) -> str:
    """Raises BadRequest for anything that no honest client sends in a head."""
    for byte in value:
        if not 0x20 <= byte < 0x7F:
            raise BadRequest(400)
    return str(value, "utf-8")
