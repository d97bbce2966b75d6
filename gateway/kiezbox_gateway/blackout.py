# SPDX-License-Identifier: Apache-2.0
"""What boxes say of the mains, and which mode they are in. A box proposes a blackout; a person decides.

Nothing here switches a mode, and nothing that a box says does: `kiezbox gateway mode` is an order of a person. Called
by `alarms` and by the API.
"""

from dataclasses import dataclass

from kiezbox_gateway.gateway import Gateway

EMERGENCY = 2
# `signs` of a health message, docs/wire-format.md: bit -> its name in the API.
SIGNS = {
    0: "grid_lost",
    1: "gateway_silent",
    2: "uplink_silent",
    3: "blackout_proposed",
    4: "router_powered",
    5: "settings_on_trial",
}
# A box says within minutes that its proposal has ended. One that was not heard for so long is `box_silent` instead.
WORD_MS = 86_400_000


@dataclass(frozen=True)
class Proposal:
    """A box that proposes a blackout and is not in emergency mode. `grid_lost`: its input sees no mains."""

    node_num: int
    name: str
    grid_lost: bool


def signs_of(value: object) -> list[str]:
    """Names of the bits that are set; of what is no number, none."""
    return [name for bit, name in SIGNS.items() if isinstance(value, int) and value >> bit & 1]


async def proposals(gateway: Gateway, now_ms: int) -> list[Proposal]:
    """By node number. Raises StoreError."""
    rows = await gateway.store.rows(
        "SELECT node_num, json_extract(health, '$.signs'), mode, mode_epoch FROM box"
        " WHERE health IS NOT NULL AND heard_ms > ? ORDER BY node_num",
        (now_ms - WORD_MS,),
    )
    confirmed = await modes_confirmed(gateway)
    found = []
    for node_num, value, mode, epoch in rows:
        box, signs = gateway.boxes.get(node_num), signs_of(value)
        if box is None or "blackout_proposed" not in signs:
            continue
        if current_mode((mode, epoch), confirmed.get(node_num))[0] != EMERGENCY:
            found.append(Proposal(node_num, box.name, "grid_lost" in signs))
    return found


async def modes_confirmed(gateway: Gateway) -> dict[int, tuple[int, int]]:
    """(mode, epoch) of the newest mode command that each box has confirmed; its own word comes with its next health."""
    rows = await gateway.store.rows(
        "SELECT b.node_num, json_extract(j.message, '$.mode'), json_extract(j.message, '$.epoch')"
        " FROM job j JOIN job_box b ON b.job = j.number WHERE j.kind = 'mode' AND b.state = 'confirmed'"
        " ORDER BY j.number"
    )
    return {row[0]: (row[1], row[2]) for row in rows}


def current_mode(
    said: tuple[int | None, int | None], confirmed: tuple[int, int] | None
) -> tuple[int | None, int | None]:
    """(mode, epoch): what the box has said, unless it has confirmed a later command since."""
    return said if confirmed is None or (said[1] or 0) >= confirmed[1] else confirmed
