# SPDX-License-Identifier: Apache-2.0
"""`python -m tools.box_configuration`: write docs/box-configuration.md from the schema in the firmware.

The schema is the only place that knows a key, MEANINGS the only one that explains it; a test fails when the page is not
what this makes of them.
"""

from pathlib import Path

from kiezbox.box import configuration
from kiezbox.protocol import envelope, messages

PAGE = Path("docs/box-configuration.md")

_HEAD = """\
<!-- SPDX-License-Identifier: CC-BY-4.0 -->

# Configuration of a box

Made by `python -m tools.box_configuration` from `firmware/kiezbox/box/configuration.py`; do not edit it here.

A box is given one JSON file with these keys when it is provisioned, and keeps them on its flash in two copies, of
which one is always whole. A key that nobody knows is an error, all errors are reported together, and a box does not
start with a wrong file. Keys without a default must be given. The file is UTF-8, at most 8192 bytes long; texts hold no
control characters; of a key that is given twice the last one counts.

A gateway changes keys with a signed `configuration` message (docs/wire-format.md, kind 20). The box judges the result
as a whole, stores it in one step, and answers: applied, applied with `restart`, or refused with the keys at fault, or
with `flash` or `memory` if it could not be stored; then nothing has changed. `by message` says under which name a key
travels.

When a change takes effect:

- *at once*: as soon as it is on flash.
- *restart*: the box restarts by itself two minutes after its answer.
- *trial*: as restart; but if no gateway is heard with the new settings within six hours, the box takes back what it
  had before, restarts, and goes on as if nothing had been said. While a trial lasts, `signs` in its health says so.
- *never*: with a new provisioning only.

| key | type and range | default | takes effect | by message | meaning |
| --- | --- | --- | --- | --- | --- |
"""

MEANINGS = {
    "node_num": "number of the box in the mesh, unique in the city",
    "name": "what residents and stations call the box",
    "short_name": "its name in stock Meshtastic apps",
    "place": "where it hangs, for residents and for whoever comes to help",
    "district": "obeys mode commands for this district",
    "root_key_hex": "secret that box and gateway share; a message with `root_key` replaces it",
    "district_public_keys": "public keys that sign modes and bulletins, by number; messages add and revoke",
    "channel": "`name` of the channel (1 to 11 bytes) and `psk_hex`, its key of 0, 2, 32 or 64 hex digits",
    "preset": "radio settings that all boxes of a mesh share",
    "hop_limit": "how far own frames travel",
    "role": "how eagerly the box relays",
    "mode": "before the first mode command and after one that ended",
    "reading_interval_s": "between two samples of the sensors",
    "samples_per_frame": "that share a frame on the air",
    "health_interval_s": "between two reports of the box's own state",
    "nodeinfo_interval_s": "between two introductions to stock apps",
    "telemetry_interval_s": "between two telemetry packets for stock apps; 0: none",
    "reserve_pct": "of the hour's airtime that is kept for emergencies",
    "grid_lost_after_s": "without grid until the box proposes a blackout, with it until that ends",
    "silent_after_s": "of silence until gateway or uplink counts as silent",
    "router_off_below_mv": "battery voltage below which the router is switched off",
    "router_on_above_mv": "battery voltage above which it may be on again",
    "call_retention_days": "after the last news of a finished call until it is deleted",
    "help_points": "nearest places of help: `name`, `address`, `kind` each",
}
"""What each key is for; a box has no use for these words."""

_TYPES = {
    "u": "whole number",
    "z": "0 or whole number",
    "t": "text",
    "h": "hexadecimal",
    "o": "one of",
    "k": "object, at most",
    "c": "object",
    "p": "list of at most",
}
_OTHER_NAMES = {"channel": "`channel_name`, `channel_psk`", "name": "`name`, `long_name`"}


def page() -> str:
    """The text of the page."""
    by_message = {field[:-2] for field in messages.FIELDS[envelope.CONFIGURATION].split(" ")}
    text = _HEAD
    for key, kind, allowed, unit, default, effect in configuration.rows():
        high = allowed.partition("..")[2]
        given = f"{high} {unit}" if kind in "kp" else f"{allowed.replace('..', ' to ')} {unit}"
        name = _OTHER_NAMES.get(key, f"`{key}`" if key in by_message else "")
        shown = {"!": "must be given", "": "empty"}.get(default, default)
        text += (
            f"| `{key}` | {_TYPES[kind]} {given.strip()} | {shown} | {effect} | {name} | {MEANINGS[key]} |\n".replace(
                "  ", " "
            )
        )
    return text


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
