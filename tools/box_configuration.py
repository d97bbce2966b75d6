# SPDX-License-Identifier: Apache-2.0
"""`python -m tools.box_configuration`: write docs/box-configuration.md from the schema in the firmware.

The schema is the only place that knows a key; a test fails when the page is not what this makes of it.
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
start with a wrong file. Keys without a default must be given.

A gateway changes keys with a signed `configuration` message (docs/wire-format.md, kind 20). The box judges the result
as a whole, stores it in one step, and answers: applied, applied with `restart`, or refused with the keys at fault;
then nothing has changed. `by message` says under which name a key travels.

When a change takes effect:

- *at once*: as soon as it is on flash.
- *restart*: the box restarts by itself two minutes after its answer.
- *trial*: as restart; but if no gateway is heard with the new settings within six hours, the box takes back what it
  had before, restarts, and goes on as if nothing had been said. While a trial lasts, `signs` in its health says so.
- *never*: with a new provisioning only.

| key | type and range | default | takes effect | by message | meaning |
| --- | --- | --- | --- | --- | --- |
"""

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
    for key, kind, allowed, unit, default, effect, meaning in configuration.rows():
        high = allowed.partition("..")[2]
        given = f"{high} {unit}" if kind in "kp" else f"{allowed.replace('..', ' to ')} {unit}"
        name = _OTHER_NAMES.get(key, f"`{key}`" if key in by_message else "")
        shown = {"!": "must be given", "": "empty"}.get(default, default)
        text += f"| `{key}` | {_TYPES[kind]} {given.strip()} | {shown} | {effect} | {name} | {meaning} |\n".replace(
            "  ", " "
        )
    return text


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
