# SPDX-License-Identifier: Apache-2.0
"""The configuration of a box: every key, its type and range, what it is without one, and when a change takes effect.

1. SCHEMA below is the only place that knows the keys. docs/box-configuration.md is made from it, and from what
   tools/box_configuration.py says about each.
2. A configuration is judged as a whole; all that is wrong is reported together; a key that nobody knows is wrong.
3. A message changes some keys: the result is judged as a whole, then stored, then used. Or nothing is changed.
4. What could cut the box off the air (`trial`) is used after a restart, for a time. If no gateway was heard by then,
   the box goes back to what it had.
5. A file is read no further than a right one can be long, and all that is wrong with it is told in one sentence.

Called by settings.py and by the tool that writes the page.
"""

import json

SCHEMA = """\
node_num|u|1..4294967294||!|never
name|t|1..39|bytes|!|at once
short_name|t|1..4|bytes|!|restart
place|t|0..200|bytes||at once
district|t|0..64|bytes||restart
root_key_hex|h|64..64|hex digits|!|never
district_public_keys|k|0..8|keys||never
channel|c|||!|trial
preset|o|@||!|trial
hop_limit|u|1..7|hops|5|trial
role|o|CLIENT CLIENT_MUTE ROUTER ROUTER_LATE||CLIENT|trial
mode|o|everyday emergency exercise maintenance||everyday|restart
reading_interval_s|u|10..86400|s|300|at once
samples_per_frame|u|1..15|samples|6|at once
health_interval_s|u|60..604800|s|21600|at once
nodeinfo_interval_s|u|600..604800|s|10800|restart
telemetry_interval_s|z|600..604800|s|10800|restart
reserve_pct|u|10..80|%|40|restart
grid_lost_after_s|u|10..86400|s|120|at once
silent_after_s|u|600..604800|s|21600|at once
router_off_below_mv|u|0..60000|mV|3500|at once
router_on_above_mv|u|0..60000|mV|3750|at once
call_retention_days|u|1..90|days|30|at once
help_points|p|0..12|places||at once
"""
"""key | type | range | unit | default (! = must be given) | when a change takes effect. Types: u number, z
number or 0, t text, h hexadecimal, o one of, k keys, c channel, p places."""

MESSAGE_KEYS = "channel_name channel_psk long_name"
"""Names in a message that are not keys here: two are parts of `channel`, one is another word for `name`."""

_PRESETS = "LONG_FAST LONG_MODERATE LONG_SLOW MEDIUM_FAST MEDIUM_SLOW SHORT_FAST SHORT_SLOW"

_DETAIL_LENGTH_MAX = 60
_SENTENCES_MAX = 30
"""More keys than there are; a file full of unknown ones must not fill the heap."""

FILE_LENGTH_MAX = 8192
"""Bytes of a configuration file: the longest right one with every letter beyond ASCII escaped."""


def rows():  # noqa: ANN201
    """Each line of SCHEMA as a list of its six parts."""
    for line in SCHEMA.split("\n"):
        if line:
            row = line.replace("@", _PRESETS).split("|")
            yield row


def complete(values: dict) -> dict:
    """`values` with the defaults of what is not given."""
    found = dict(values)
    for key, kind, _, _, default, _ in rows():
        if key not in found and default != "!":
            found[key] = int(default) if kind in "uz" else {"k": {}, "p": []}.get(kind, default)
    return found


def read(file) -> dict:  # noqa: ANN001
    """What a configuration file, open for reading bytes, says. Raises ValueError, which tells all that is wrong."""
    raw = file.read(FILE_LENGTH_MAX + 1)
    if len(raw) > FILE_LENGTH_MAX:
        raise ValueError("the file is longer than %d bytes" % FILE_LENGTH_MAX)
    try:
        # Some editors begin a file with a byte order mark.
        values = json.loads(_paired(raw.decode().lstrip("\ufeff")))
    except (ValueError, TypeError):
        raise ValueError("the file is not JSON in UTF-8")
    found = problems(values)
    if found:
        raise ValueError("; ".join(found))
    return values


def problems(values: object) -> "list[str]":
    """One sentence for each thing that is wrong, beginning with the key; empty if nothing is."""
    if not isinstance(values, dict):
        return ["configuration: must be an object with keys"]
    found = []
    known = []
    for key, kind, allowed, unit, default, _ in rows():
        known.append(key)
        if key in values:
            wrong = _wrong(kind, allowed, unit, values[key])
            if wrong:
                found.append(key + ": " + wrong)
        elif default == "!":
            found.append(key + ": must be given")
    for key in values:
        if len(found) >= _SENTENCES_MAX:
            found.append("...: and more")
            break
        if key not in known:
            found.append((key[:40] if _is_text(key) else "?") + ": no such key")
    if not found and _crossed(values):
        found.append("router_on_above_mv: must be above router_off_below_mv")
    return found


def right_part(values: dict) -> dict:
    """The keys that are known and right."""
    found = {}
    for key, kind, allowed, unit, _, _ in rows():
        if key in values and not _wrong(kind, allowed, unit, values[key]):
            found[key] = values[key]
    if _crossed(found):
        for key in ("router_off_below_mv", "router_on_above_mv"):
            found.pop(key, None)
    return found


def change(values: dict, message: dict) -> "tuple[dict, list[str], str]":
    """What a configuration message makes of `values`: new values, problems, and when they take effect: "at once",
    "restart" or "trial", the latest of all.
    """
    changed = dict(values)
    found = []
    effects = {row[0]: row[5] for row in rows()}
    effect = "at once"
    for name in message:
        value = message[name]
        key = "name" if name == "long_name" else name
        if name in ("channel_name", "channel_psk"):
            key = "channel"
            part, value = ("name", value) if name == "channel_name" else ("psk_hex", bytes(value).hex())
            value = dict(changed["channel"], **{part: value})
        if effects.get(key, "never") == "never":
            found.append(name + ": no such key in a message")
            continue
        if changed.get(key) != value:
            changed[key] = value
            for later in ("restart", "trial"):
                if effects[key] == later and effect != "trial":
                    effect = later
    return changed, found + problems(changed), effect


def detail(found: "list[str]") -> str:
    """The keys at fault for a command result, as many as there is room for."""
    keys = ""
    for sentence in found:
        key = sentence.split(":")[0]
        if len(keys) + len(key) + 1 > _DETAIL_LENGTH_MAX:
            return keys + " +"
        keys += " " + key if keys else key
    return keys


def _crossed(values: dict) -> bool:
    return values.get("router_on_above_mv", 3750) <= values.get("router_off_below_mv", 3500)


def _wrong(kind: str, allowed: str, unit: str, value: object) -> str:
    if kind == "o":
        return "" if value in allowed.split(" ") and isinstance(value, str) else "must be one of " + allowed
    if kind == "c":
        return _wrong_channel(value)
    low, _, high = allowed.partition("..")
    if kind in "uz":
        number = isinstance(value, int) and not isinstance(value, bool)
        if number and (int(low) <= value <= int(high) or (kind == "z" and value == 0)):  # type: ignore[operator]
            return ""
        return "must be a whole number, " + (low + " to " + high + " " + unit).strip()
    if kind in "th":
        length = len(value.encode()) if _is_text(value) else -1  # type: ignore[attr-defined]
        if not int(low) <= length <= int(high):
            return "must be a text of " + low + " to " + high + " " + unit + ", without control characters"
        return "" if kind == "t" or _hex(value) else "must be hexadecimal"
    if kind == "k":
        fits = isinstance(value, dict) and len(value) <= int(high)
        fits = fits and all(
            str(one).isdigit() and 0 < int(one) < 256 and _hex(value[one]) and len(value[one]) == 64  # type: ignore[index]
            for one in value  # type: ignore[attr-defined]
        )
        return "" if fits else "must be at most " + high + " keys of 64 hex digits, by number"
    fits = isinstance(value, list) and len(value) <= int(high)
    fits = fits and all(_is_place(one) for one in value)  # type: ignore[attr-defined]
    return "" if fits else "must be at most " + high + " places with name, address and kind"


def _wrong_channel(value: object) -> str:
    if isinstance(value, dict) and len(value) == 2 and "name" in value and "psk_hex" in value:
        name, psk = value["name"], value["psk_hex"]
        if _is_text(name) and 1 <= len(name.encode()) <= 11 and _hex(psk) and len(psk) in (0, 2, 32, 64):
            return ""
    return "must have name (1 to 11 bytes) and psk_hex (0, 2, 32 or 64 hex digits)"


def _is_place(value: object) -> bool:
    if not isinstance(value, dict) or not value.get("name"):
        return False
    for part in value:
        text = value[part]
        if part not in ("name", "address", "kind") or not _is_text(text) or len(text.encode()) > 64:
            return False
    return True


def _is_text(value: object) -> bool:
    """A text that every page and every other radio can show: no control characters, no halves of characters."""
    try:
        raw = value.encode() if isinstance(value, str) else b"\0"
    except ValueError:  # Half a character; MicroPython encodes it all the same, as ED A0 or more.
        return False
    before = 0
    # As bytes, because MicroPython keeps every one-letter string for ever.
    for byte in raw:
        if byte < 32 or byte == 127 or (before == 0xED and byte >= 0xA0):
            return False
        before = byte
    return True


def _paired(text: str) -> str:
    """A character beyond U+FFFF that is written as two escapes becomes itself: MicroPython's JSON leaves two halves."""
    at = text.find("\\")
    while at >= 0:
        step = 2
        if text[at + 1 : at + 2] == "u" and text[at + 6 : at + 8] == "\\u":
            high = int(text[at + 2 : at + 6], 16)
            low = int(text[at + 8 : at + 12], 16)
            if 0xD800 <= high < 0xDC00 <= low < 0xE000:
                text = text[:at] + chr(0x10000 + ((high - 0xD800) << 10) + low - 0xDC00) + text[at + 12 :]
                step = 1
        at = text.find("\\", at + step)
    return text


def _hex(value: object) -> bool:
    return isinstance(value, str) and not value.strip("0123456789abcdefABCDEF") and len(value) % 2 == 0
