# SPDX-License-Identifier: Apache-2.0
"""One HTTP request (RFC 9112) and the form in it, with a limit on everything.

1. `feed` is given bytes as they come, in pieces of any size; nothing is kept but what a page can use: of a line its
   first 300 bytes, of a form its fields, decoded as they arrive.
2. Every byte is hostile. What no browser sends is refused with the status that says so; what a person typed is kept.
3. After `complete` or BadRequest no more is taken; bytes behind the request (pipelined ones) are dropped.

Not here: sockets and time (server.py), what a request means (routes.py). Called by server.py.
"""

from kiezbox.protocol.constant import const

HEAD_MAX = 8192
BODY_MAX = 6144
"""A form whose every field is as long as a browser lets it be, in the longest encoding, has 4 kB."""

_LINE_KEPT = const(300)
_FIELDS_MAX = const(12)
_FIELD_NAME_MAX = const(12)
_TEXT_MAX = const(1600)
_LANGUAGE_MAX = const(128)

_START = const(0)
_HEADER = const(1)
_BODY = const(2)

_FORM = b"application/x-www-form-urlencoded"


class BadRequest(Exception):  # noqa: N818 - the name says what happened
    """`status` is the HTTP status that says so."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Request:
    """method; path without query; host, origin, fetch_site, language (of Accept-Language) as they came or ""; form:
    dict of str.

    `unreadable`: the form held bytes that are no text, they are left out. `overlong`: it held more than any page's
    form, the rest is left out. What most requests leave as it is stands in the class, to save memory.
    """

    complete = False
    method = "GET"
    path = "/"
    host = origin = language = fetch_site = ""
    unreadable = overlong = False
    _state = _START
    _line = b""
    _head_left = HEAD_MAX
    _length = -1
    _old = False  # HTTP/1.0, where no Host is needed
    _named = False  # a Host came
    _wrong = 0  # a status that can be said only after the head is read
    _kept = 0
    _name = _value = _escape = None

    def __init__(self) -> None:
        self.form = {}

    def feed(self, data) -> None:  # noqa: ANN001 - bytes, bytearray or memoryview
        """Take the next bytes. Raises BadRequest."""
        position = 0
        while position < len(data) and not self.complete:
            if self._state == _BODY:
                part = data[position : position + self._length]
                position += len(part)
                self._length -= len(part)
                self._take(part)
                self._end_of_body()
                continue
            end = position
            while end < len(data) and data[end] != 0x0A:
                end += 1
            room = _LINE_KEPT - len(self._line)
            if room > 0:
                self._line += bytes(data[position : min(end, position + room)])
            self._head_left -= end - position
            if self._head_left <= 0:
                raise BadRequest(431)
            position = end + 1
            if end < len(data):
                self._head_left -= 1
                line = self._line
                self._line = b""
                self._take_line(line[:-1] if line.endswith(b"\r") else line)

    def _take_line(self, line: bytes) -> None:
        if self._state == _START:
            if line:  # An empty line before the request is skipped (RFC 9112 2.2).
                self._start(line)
                self._state = _HEADER
        elif line:
            self._header(line)
        else:
            self._end_of_head()

    def _start(self, line: bytes) -> None:
        parts = line.split(b" ")
        cut = len(line) >= _LINE_KEPT - 1  # A long query; what follows it is not kept.
        if len(parts) < 2 or not (cut or (len(parts) == 3 and parts[2].startswith(b"HTTP/1.") and len(parts[2]) == 8)):
            raise BadRequest(400)
        self._old = parts[-1] == b"HTTP/1.0"
        target = parts[1].split(b"?")[0]
        if target.startswith(b"http://"):
            host, _, target = target[7:].partition(b"/")
            self.host = _ascii(host)
            target = b"/" + target
        self.method = _ascii(parts[0])
        self.path = _ascii(target)
        if self.method not in ("GET", "HEAD", "POST"):
            self._wrong = 405
        elif not self.path.startswith("/"):
            raise BadRequest(400)

    def _header(self, line: bytes) -> None:
        colon = line.find(b":")
        if colon < 1 or line[0] in b" \t" or line[colon - 1] in b" \t":
            raise BadRequest(400)
        name = line[:colon].lower()
        value = line[colon + 1 :].strip()
        if name == b"content-length":
            if not value.isdigit() or len(value) > 9 or self._length not in (-1, int(value)):
                raise BadRequest(400)
            self._length = int(value)
        elif name == b"transfer-encoding":
            self._wrong = self._wrong or 411
        elif name == b"content-type":
            if not value.lower().startswith(_FORM):
                self._wrong = self._wrong or 415
        elif name == b"host":
            if self._named:
                raise BadRequest(400)
            self._named = True
            # What stands in the request line counts more (RFC 9112 3.2.2).
            self.host = self.host or _ascii(value)
        elif name == b"origin":
            self.origin = _ascii(value)
        elif name == b"accept-language":
            self.language = _ascii(value[:_LANGUAGE_MAX])
        elif name == b"sec-fetch-site":
            self.fetch_site = _ascii(value)

    def _end_of_head(self) -> None:
        if self._wrong and (self._wrong != 415 or self.method == "POST"):
            raise BadRequest(self._wrong)
        if not (self._named or self._old):
            raise BadRequest(400)
        if self.method != "POST":
            self.complete = True
            return
        if self._length < 0:
            raise BadRequest(411)
        if self._length > BODY_MAX:
            raise BadRequest(413)
        self._state = _BODY
        self._value = bytearray()
        self._end_of_body()

    def _end_of_body(self) -> None:
        if self._length <= 0:
            if self._escape is not None:
                self.unreadable = True
            self._end_of_field()
            self._value = None
            self.complete = True

    def _take(self, part) -> None:  # noqa: ANN001
        """Decode (WHATWG URL 5.1) and split what came of the form."""
        value = self._value
        escape = self._escape
        for byte in part:
            if escape is not None:
                digit = _digit(byte)
                if digit < 0:
                    self.unreadable = True
                    escape = None
                elif escape < 0:
                    escape = digit
                    continue
                else:
                    self._keep(escape << 4 | digit)
                    escape = None
                    continue
            if byte == 0x25:
                escape = -1
            elif byte == 0x26:
                self._end_of_field()
                value = self._value
            elif byte == 0x3D and self._name is None:
                # Names are short and come from our own page; any other is no field of it.
                self._name = str(value, "utf-8") if len(value) <= _FIELD_NAME_MAX and _plain(value) else ""
                self._value = value = bytearray()
            else:
                self._keep(0x20 if byte == 0x2B else byte)
        self._escape = escape

    def _keep(self, byte: int) -> None:
        if byte == 0x0D:
            return
        if byte == 0x7F or (byte < 0x20 and byte not in (0x09, 0x0A)):
            self.unreadable = True
        elif self._kept >= _TEXT_MAX:
            self.overlong = True
        else:
            self._kept += 1
            self._value.append(byte)

    def _end_of_field(self) -> None:
        name = self._name
        self._name = None
        value = self._value
        self._value = bytearray()
        self._escape = None
        if name and len(self.form) < _FIELDS_MAX and name not in self.form:
            self.form[name] = self._text(value)

    def _text(self, raw: bytearray) -> str:
        """The characters of `raw`, without bytes that are none (RFC 3629, stricter than MicroPython's own decoder)."""
        length = len(raw)
        kept = read = 0
        while read < length:
            size = _character_size(raw, read)
            if not size:
                # A cut at the limit may have split the last character; anything else was never text.
                self.unreadable = self.unreadable or not self.overlong
                read += 1
            for _ in range(size):
                raw[kept] = raw[read]
                kept += 1
                read += 1
        return str(raw[:kept], "utf-8").strip()


def _character_size(raw: bytearray, position: int) -> int:
    """How many bytes the character at `position` has, 0 if there is none (RFC 3629 4)."""
    first = raw[position]
    if first < 0x80:
        return 1
    if not 0xC2 <= first <= 0xF4:
        return 0
    size = 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    if position + size > len(raw):
        return 0
    lowest = 0xA0 if first == 0xE0 else 0x90 if first == 0xF0 else 0x80
    highest = 0x9F if first == 0xED else 0x8F if first == 0xF4 else 0xBF
    if not lowest <= raw[position + 1] <= highest:
        return 0
    for following in range(position + 2, position + size):
        if raw[following] & 0xC0 != 0x80:
            return 0
    return size


def _digit(byte: int) -> int:
    """The value of a hexadecimal digit, -1 for anything else."""
    if 0x30 <= byte <= 0x39:
        return byte - 0x30
    byte |= 0x20
    return byte - 0x57 if 0x61 <= byte <= 0x66 else -1


def _plain(value) -> bool:  # noqa: ANN001
    return all(0x20 <= byte < 0x7F for byte in value)


def _ascii(value: bytes) -> str:
    """Raises BadRequest for anything that no honest client sends in a head."""
    if not _plain(value):
        raise BadRequest(400)
    return str(value, "utf-8")
