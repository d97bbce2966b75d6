# SPDX-License-Identifier: Apache-2.0
"""Texts of people in about half their bytes, and never more than one byte longer than UTF-8.

1. The first byte names the table (high half; 0: the rest is plain UTF-8) and the unused bits at the end (low half,
   0..7).
2. A table has a prefix code per symbol that depends on the symbol before: letters, marks, SHIFT for one capital, DIGIT
   with four bits, ESCAPE with everything else. Codes are canonical: shorter first, then in the order of the symbols.
3. ESCAPE is followed by three bits: 0..3 a code point of 7, 11, 16 or 21 bits; 4 another table, in four bits; 5
   capitals and small letters change places from here on. A text begins, and goes on after ESCAPE, as if a space stood
   before.
4. The encoder tries the table of the language and takes plain UTF-8 if that is shorter. It is free in its choices: the
   decoder follows whatever it reads.

Letters are handled as code points, because MicroPython keeps every one-letter string for ever. The tables are in
text_tables.py, the whole code in docs/wire-format.md. Called by messages.py.
"""

from kiezbox.protocol.bits import BitReader, BitWriter
from kiezbox.protocol.constant import const
from kiezbox.protocol.text_tables import LANGUAGES, TABLES, TONED, VOWELS

_SWITCH = const(4)
_CAPITALS = const(5)
_CODE_POINT_BITS = const(b"\x07\x0b\x10\x15")
_VIETNAMESE = const(8)
_TONES = const(5)
_LENGTH_MAX = const(6000)
_LOOK_MAX = const(48)
"""Letters at the beginning that tell which tables may suit a text of unknown language."""


class _Table:
    """One language's code."""

    def __init__(self, number: int) -> None:
        """Raises ValueError for a number that no table has."""
        if not 0 < number <= len(TABLES):
            raise ValueError("unknown text table")
        letters, capitals, marks, self.data = TABLES[number - 1]
        self.number = number
        self._rows: dict[int, tuple[bytearray, bytearray, bytearray]] = {}
        self.letters = _code_points(letters.encode())
        self.capitals = _code_points(capitals.encode())
        self.marks = _code_points(marks.encode())
        self.tones = 0
        if number == _VIETNAMESE:
            self.tones = _TONES
            self.vowels = _code_points(VOWELS.encode())
            self.toned = _code_points(TONED.encode())
        self.first_mark = len(self.letters) + self.tones
        self.shift = self.first_mark + len(self.marks)
        self.count = self.shift + 3

    def _row(self, before: int) -> "tuple[bytearray, bytearray, bytearray]":
        """The code that holds after symbol `before`: how many symbols have each length in bits, the symbols in the
        order of their codes, and the place of each in that order. Made when first needed; a text uses each row often.
        """
        number = self.data[before >> 1] >> (0 if before & 1 else 4) & 15
        row = self._rows.get(number)
        if row is None:
            start = (self.count + 1 >> 1) * (1 + number)
            lengths = bytearray(self.count)
            for symbol in range(self.count):
                lengths[symbol] = self.data[start + (symbol >> 1)] >> (0 if symbol & 1 else 4) & 15
            counts = bytearray(16)
            symbols = bytearray()
            places = bytearray(self.count)
            for length in range(1, 16):
                for symbol in range(self.count):
                    if lengths[symbol] == length:
                        places[symbol] = len(symbols)
                        symbols.append(symbol)
                        counts[length] += 1
            row = self._rows[number] = (counts, symbols, places)
        return row

    def write(self, writer: BitWriter, before: int, symbol: int) -> int:
        """Append a symbol's code; returns the symbol."""
        counts, _, places = self._row(before)
        place = places[symbol]
        code = 0
        for length in range(1, 16):
            count = counts[length]
            if place < count:
                writer.write(code + place, length)
                break
            place -= count
            code = (code + count) << 1
        return symbol

    def read(self, reader: BitReader, before: int) -> int:
        """The next symbol. Raises ValueError at the end of the bits."""
        counts, symbols, _ = self._row(before)
        code = start = 0
        for length in range(1, 16):
            code = code << 1 | reader.read(1)
            count = counts[length]
            if code < count:
                return symbols[start + code]
            code -= count
            start += count
        raise ValueError("no such code")

    def find(self, letter: int) -> "tuple[bool, int, int]":
        """Whether a capital, symbol, and tone symbol or -1; the symbol is -1 if the table has not got the letter."""
        tone = -1
        if self.tones and letter >= 0x80:
            letter, tone = self.split_tone(letter)
        if letter in self.letters:
            return False, self.letters.index(letter), tone
        if letter in self.capitals:
            return True, self.capitals.index(letter), tone
        return False, self.first_mark + self.marks.index(letter) if letter in self.marks else -1, -1

    def split_tone(self, letter: int) -> "tuple[int, int]":
        """A Vietnamese vowel without its tone, and the tone; any other letter, and -1."""
        for small in (letter, _smaller(letter)):
            if small in self.toned:
                place = self.toned.index(small)
                vowel = self.vowels[place // _TONES]
                return vowel if small == letter else _larger(vowel), place % _TONES
        return letter, -1

    def with_tone(self, vowel: int, tone: int) -> int:
        """The inverse. Raises ValueError if `vowel` is none."""
        for small in (vowel, _smaller(vowel)):
            if small in self.vowels:
                toned = self.toned[self.vowels.index(small) * _TONES + tone]
                return toned if small == vowel else _larger(toned)
        raise ValueError("tone without a vowel")


def encode(text: str, language: str = "") -> bytes:
    """The coded text; `language` ("de", "ar" ...) is a hint that only changes the length. Raises ValueError for a lone
    surrogate."""
    raw = text.encode()
    letters = _code_points(raw)
    best = b"\0" + raw
    for number in range(1, len(TABLES) + 1):
        known = LANGUAGES[2 * number - 2 : 2 * number]
        if known == language[:2] or (LANGUAGES.find(language[:2] or "?") % 2 and _fits(letters, number)):
            coded = _encode(letters, number)
            if len(coded) < len(best):
                best = coded
    return best


def _code_points(raw: bytes) -> "list[int]":
    """The letters of well-formed UTF-8 as numbers."""
    found: list[int] = []
    for byte in raw:
        if byte < 0x80:
            found.append(byte)
        elif byte < 0xC0:
            found[-1] = found[-1] << 6 | byte & 0x3F
        else:
            found.append(byte & (0x1F if byte < 0xE0 else 0x0F if byte < 0xF0 else 0x07))
    return found


def _append(output: bytearray, letter: int) -> None:
    """Append one letter as UTF-8."""
    if letter < 0x80:
        output.append(letter)
        return
    shift = 6 if letter < 0x800 else 12 if letter < 0x10000 else 18
    output.append((0xC0 if shift == 6 else 0xE0 if shift == 12 else 0xF0) | letter >> shift)
    while shift:
        shift -= 6
        output.append(0x80 | letter >> shift & 0x3F)


def _fits(letters: "list[int]", number: int) -> bool:
    """Whether most letters of a text of unknown language are in this table."""
    table = _Table(number)
    balance = 0
    for letter in letters[:_LOOK_MAX]:
        if letter > 0x40:
            balance += 1 if table.find(letter)[1] >= 0 else -1
    return balance > 0


def _encode(letters: "list[int]", number: int) -> bytes:
    writer = BitWriter()
    table = _Table(number)
    before = table.first_mark
    swapped = False
    for index in range(len(letters)):
        letter = letters[index]
        is_digit = 0x30 <= letter <= 0x39
        capital, symbol, tone = table.find(letter)
        if symbol < 0 and not is_digit:
            other = _better_table(letters, index, table)
            if other:
                _escape(writer, table, before, _SWITCH)
                writer.write(other.number, 4)
                table = other
                before = table.first_mark
                capital, symbol, tone = table.find(letter)
        is_letter = 0 <= symbol < len(table.letters)
        if is_letter and (not capital if swapped else capital and _shouts(letters, index, table)):
            _escape(writer, table, before, _CAPITALS)
            before = table.first_mark
            swapped = not swapped
        if is_digit:
            before = table.write(writer, before, table.shift + 1)
            writer.write(letter - 0x30, 4)
        elif symbol < 0:
            _escape_letter(writer, table, before, letter)
            before = table.first_mark
        else:
            if is_letter and capital != swapped:
                before = table.write(writer, before, table.shift)
            before = table.write(writer, before, symbol)
            if tone >= 0:
                before = table.write(writer, before, len(table.letters) + tone)
    return bytes((number << 4 | -writer.length() & 7,)) + writer.finish(0)


def _escape(writer: BitWriter, table: _Table, before: int, what: int) -> None:
    table.write(writer, before, table.shift + 2)
    writer.write(what, 3)


def _escape_letter(writer: BitWriter, table: _Table, before: int, letter: int) -> None:
    size = 0
    while letter >> _CODE_POINT_BITS[size]:
        size += 1
    _escape(writer, table, before, size)
    width = _CODE_POINT_BITS[size]
    if width > 16:
        writer.write(letter >> 16, width - 16)
        width = 16
    writer.write(letter, width)


def _better_table(letters: "list[int]", start: int, now: _Table) -> "_Table | None":
    """The table for a passage in another script that begins at `start`; None if an escape per letter is cheaper."""
    if start + 1 < len(letters) and letters[start] > 0x40:
        for number in range(1, len(TABLES) + 1):
            if number != now.number:
                table = _Table(number)
                if table.find(letters[start])[1] >= 0 and 0 <= table.find(letters[start + 1])[1] < len(table.letters):
                    return table
    return None


def _shouts(letters: "list[int]", start: int, table: _Table) -> bool:
    """Whether at least four capitals follow before the next small letter."""
    capitals = 0
    for index in range(start, len(letters)):
        capital, symbol, _ = table.find(letters[index])
        if capital:
            capitals += 1
            if capitals == 4:
                return True
        elif 0 <= symbol < len(table.letters):
            return False
    return False


def decode(coded: bytes) -> str:
    """The text. Raises ValueError if `coded` is no coded text."""
    if not coded:
        raise ValueError("empty coded text")
    if coded[0] == 0:
        return coded[1:].decode()
    reader = BitReader(coded)
    reader.position = 8
    reader.end -= coded[0] & 15
    if coded[0] & 8 or reader.end < 8:
        raise ValueError("unused bits")
    table = _Table(coded[0] >> 4)
    before = table.first_mark
    output = bytearray()
    vowel = -1
    capital = swapped = False
    while reader.position < reader.end:
        if len(output) > _LENGTH_MAX:
            raise ValueError("text too long")
        symbol = table.read(reader, before)
        before = symbol
        if symbol == table.shift:
            capital = True
            continue
        if symbol < len(table.letters):
            vowel = table.capitals[symbol] if capital != swapped and table.capitals else table.letters[symbol]
            _append(output, vowel)
        elif symbol < table.first_mark:
            toned = table.with_tone(vowel, symbol - len(table.letters))
            # A vowel has one or two bytes, and its second byte is no first one.
            output = output[: -1 if vowel < 0x80 else -2]
            _append(output, toned)
            vowel = -1
        elif symbol < table.shift:
            _append(output, table.marks[symbol - table.first_mark])
        elif symbol == table.shift + 1:
            digit = reader.read(4)
            if digit > 9:
                raise ValueError("no digit")
            output.append(0x30 + digit)
        else:
            what = reader.read(3)
            if what == _SWITCH:
                table = _Table(reader.read(4))
            elif what == _CAPITALS:
                swapped = not swapped
            elif what > _CAPITALS:
                raise ValueError("unknown escape")
            else:
                _append(output, _read_code_point(reader, _CODE_POINT_BITS[what]))
            before = table.first_mark
        if symbol >= len(table.letters):
            vowel = -1
        capital = False
    return bytes(output).decode()


def _read_code_point(reader: BitReader, width: int) -> int:
    letter = 0
    if width > 16:
        letter = reader.read(width - 16) << 16
        width = 16
    letter |= reader.read(width)
    if 0xD800 <= letter < 0xE000 or letter > 0x10FFFF:
        raise ValueError("no code point")
    return letter


def _larger(small: int) -> int:
    """The capital of a Vietnamese vowel."""
    return small - (0x20 if small < 0x100 else 1)


def _smaller(capital: int) -> int:
    """The small form of a Vietnamese capital vowel; some other letter for what is none."""
    return capital + (0x20 if capital < 0x100 else 1)
