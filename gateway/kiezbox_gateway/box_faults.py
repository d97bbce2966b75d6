# SPDX-License-Identifier: Apache-2.0
"""What boxes say of themselves that somebody has to see to: parts that fail, messages that they could not send, calls
for help that they still have.

A box tells numbers only; the words for them are here, as English keys of `language`. Not here: the mains and the mode
(blackout.py), boxes that say nothing (alarms.py). Called by `alarms` and by the metrics.
"""

from dataclasses import dataclass

from kiezbox_gateway.gateway import Gateway

# `faults` of a health message, docs/wire-format.md. Bits 0 to 15 are one sensor each.
SENSORS = 0xFFFF
SENSOR = "a sensor"
PARTS = {
    16: "flash full or refusing",
    17: "its state was damaged",
    18: "its configuration was damaged",
    19: "stored records were damaged",
    20: "button stuck",
    21: "radio silent",
}
UNSENT_MANY = 20
"""A full band in an emergency costs some readings; so many messages since the start are more than that."""

WORD_MS = 86_400_000
"""A box that was not heard for so long is `box_silent` instead."""

CALL_KEPT_MS = 3_600_000
"""By then a call has got through if it can."""


@dataclass(frozen=True)
class FaultyBox:
    """`parts`: English keys of `language`. `unsent`: messages since its start."""

    name: str
    parts: tuple[str, ...]
    unsent: int


def parts_of(value: object) -> list[str]:
    """Words for the bits that are set; of what is no number, none."""
    if not isinstance(value, int):
        return []
    return [SENSOR] * bool(value & SENSORS) + [word for bit, word in PARTS.items() if value >> bit & 1]


async def unsent(gateway: Gateway) -> dict[str, int]:
    """By the name of the box: messages that it could not send since its start, as its newest health says. Raises
    StoreError."""
    rows = await gateway.store.rows(
        "SELECT node_num, json_extract(health, '$.unsent') FROM box WHERE health IS NOT NULL"
    )
    return {gateway.boxes[row[0]].name: row[1] for row in rows if row[0] in gateway.boxes and isinstance(row[1], int)}


async def faulty(gateway: Gateway, now_ms: int) -> list[FaultyBox]:
    """By node number. Raises StoreError."""
    rows = await gateway.store.rows(
        "SELECT node_num, json_extract(health, '$.faults'), json_extract(health, '$.unsent') FROM box"
        " WHERE health IS NOT NULL AND heard_ms > ? ORDER BY node_num",
        (now_ms - WORD_MS,),
    )
    found = []
    for node_num, value, lost in rows:
        box = gateway.boxes.get(node_num)
        if box is not None:
            each = FaultyBox(box.name, tuple(parts_of(value)), lost if isinstance(lost, int) else 0)
            if each.parts or each.unsent >= UNSENT_MANY:
                found.append(each)
    return found


async def calls_kept(gateway: Gateway, now_ms: int) -> dict[str, int]:
    """By the name of the box: calls that no gateway had an hour ago, as it said then, less those that came since.
    Raises StoreError."""
    rows = await gateway.store.rows(
        "SELECT node_num, json_extract(health, '$.calls_open') - (SELECT count(*) FROM message m WHERE m.received_ms >"
        " box.health_ms AND m.kind IN ('call', 'button') AND m.node_num = box.node_num) FROM box"
        " WHERE json_extract(health, '$.calls_open') > 0 AND health_ms < ? ORDER BY node_num",
        (now_ms - CALL_KEPT_MS,),
    )
    return {gateway.boxes[row[0]].name: row[1] for row in rows if row[0] in gateway.boxes and row[1] > 0}
