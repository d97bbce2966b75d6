# SPDX-License-Identifier: Apache-2.0
"""The languages of the page: which one a phone wants, its texts, its way to write numbers and times.

1. One file per language, texts/NAME.txt, a text a line: `key = text`. It stays on flash: a text is looked up by reading
   on from the last one, because the file has the order of the pages.
2. `{}` in a text is where a value goes. Texts are trusted and may hold no markup; values are escaped by page.py.

Not here: what stands on which page (page.py). Called by page.py and routes.py.
"""

NAMES = (
    ("de", "Deutsch"),
    ("ls", "Leicht"),
    ("en", "English"),
    ("tr", "Türkçe"),
    ("ar", "العربية"),
    ("ru", "Русский"),
    ("uk", "Українська"),
    ("pl", "Polski"),
    ("vi", "Tiếng Việt"),
)
"""Name in the path, name on the page, in the order of the page; `ls` is Leichte Sprache, de-simple in BCP 47."""

LINE_LENGTH_MAX = 1000
"""Bytes of a text with its key."""

_BLOCK = 1024
_block = bytearray(_BLOCK)
"""Where all look for their texts: nobody else runs meanwhile. A line read by itself would be garbage each time."""

FOLDER = __file__[: __file__.rfind("/") + 1]


def tag(name: str) -> str:
    """The BCP 47 tag of a language of the page."""
    return "de-simple" if name == "ls" else name


def known(name: str) -> bool:
    """Whether there is a page in this language."""
    return any(name == one for one, _ in NAMES)


def choose(accept_language: str) -> str:
    """The language of the page for a header Accept-Language (RFC 9110 12.5.4); English if none of them fits."""
    best = "en"
    best_quality = 0
    for part in accept_language.split(","):
        wanted, _, quality = part.strip().partition(";")
        quality = quality.replace(" ", "")
        permille = 1000
        if quality.startswith("q=") and len(quality) <= 7:
            digits = quality[2:].replace(".", "")
            permille = int((digits + "000")[:4]) if digits.isdigit() else 0
        wanted = wanted.strip().lower()
        name = "ls" if wanted in ("de-simple", "de-ls", "de-x-ls") else wanted[:2] if wanted[2:3] in ("", "-") else ""
        if permille > best_quality and known(name) and wanted != "ls":
            best, best_quality = name, permille
    return best


class Texts:
    """The texts of one language while a page is written. Close it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._file = open(FOLDER + "texts/" + name + ".txt", "rb")
        self._at = -1  # The line feed before the last text; there is none before the first.

    def close(self) -> None:
        """No text can be had any more."""
        self._file.close()

    def __call__(self, key: str, value: object = None) -> str:
        """The text of a key, with `value` in its place. Raises KeyError."""
        wanted = ("\n" + key + " = ").encode()
        for at in (self._at, -1):
            while True:
                length = self._read(at)
                found = _block.find(wanted, 0, length)
                end = _block.find(b"\n", found + 1, length)
                if 0 <= found < end:
                    self._at = at + found
                    text = str(memoryview(_block)[found + len(wanted) : end], "utf-8")
                    return text if value is None else text.replace("{}", str(value))
                if length < _BLOCK:
                    break
                # Its line goes on behind this block, or it may begin at the end of it.
                at += found if found > 0 else length - len(wanted) + 1
        raise KeyError(key)

    def _read(self, at: int) -> int:
        """Fill the block from here on; how many bytes there are."""
        self._file.seek(max(at, 0))
        if at >= 0:
            return self._file.readinto(_block)
        _block[0] = 0x0A
        return 1 + self._file.readinto(memoryview(_block)[1:])

    def number(self, value: int, decimals: int) -> str:
        """value / 10**decimals, written as in this language."""
        sign = "\u2212" if value < 0 else ""
        digits = str(abs(value))
        if not decimals:
            return sign + digits
        while len(digits) <= decimals:
            digits = "0" + digits
        return sign + digits[:-decimals] + self("decimal") + digits[-decimals:]

    def age(self, seconds: int) -> str:
        """How long ago, in the largest unit of which there is at least one."""
        if seconds < 60:
            return self("age_now")
        if seconds < 5400:
            return self("age_minutes", seconds // 60)
        if seconds < 172_800:
            return self("age_hours", (seconds + 1800) // 3600)
        return self("age_days", seconds // 86_400)


def local_time(unix_s: int) -> str:
    """Day and time in Berlin, as 24.11. 14:05. Summer time by the rule of directive 2000/84/EC."""
    offset_s = 3600
    month, day, day_of_week = _date(unix_s // 86_400)
    # The last Sunday of March and of October, 01:00 UTC; both months have 31 days.
    past_last_sunday = day - day_of_week >= 25 and (day_of_week or unix_s % 86_400 >= 3600)
    if 3 < month < 10 or (month == 3 and past_last_sunday) or (month == 10 and not past_last_sunday):
        offset_s = 7200
    unix_s += offset_s
    month, day, _ = _date(unix_s // 86_400)
    return "%02d.%02d. %02d:%02d" % (day, month, unix_s // 3600 % 24, unix_s // 60 % 60)


def _date(days: int) -> "tuple[int, int, int]":
    """Month, day, day of the week (0 = Sunday) of a day since 1970 (H. Hinnant, "chrono-compatible dates")."""
    day_of_week = (days + 4) % 7
    days += 719_468
    day_of_era = days % 146_097
    year = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year + year // 4 - year // 100)
    part = (5 * day_of_year + 2) // 153
    return (part + 2) % 12 + 1, day_of_year - (153 * part + 2) // 5 + 1, day_of_week
