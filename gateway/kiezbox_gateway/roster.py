# SPDX-License-Identifier: Apache-2.0
"""The boxes of a running gateway: taking up a changed list, and changing the key of a box over the air.

A new key is on disk before it is sent. The gateway accepts both until the box has used the new one, and keeps on
offering it; then the new file takes the old one's place. A crash at any point leaves both files or the new one.
"""

import asyncio
import time
from dataclasses import dataclass, replace

import structlog

from kiezbox_gateway import box_files
from kiezbox_gateway.clock import monotonic_ms
from kiezbox_gateway.gateway import Gateway, memory_of

# A box that is out of reach is offered its key again after that long.
OFFER_PAUSE_S = 3_600.0

log = structlog.get_logger(part="roster")


@dataclass(frozen=True)
class Changes:
    """Node numbers of boxes that were added, removed, or are to get a new key."""

    added: list[int]
    removed: list[int]
    keys_begun: list[int]


async def reload(gateway: Gateway) -> Changes:
    """Read the list again and take up what is different. Raises SecretFileError; then nothing has changed."""
    read_s = time.time()
    wanted = {
        box.node_num: box for box in await asyncio.to_thread(box_files.read_boxes, gateway.configuration.boxes.file)
    }
    removed = [node_num for node_num in gateway.boxes if node_num not in wanted]
    added = [
        node_num
        for node_num, box in wanted.items()
        if node_num not in gateway.boxes or gateway.boxes[node_num].root_key != box.root_key
    ]
    for node_num in removed:
        gateway.endpoint.revoke_box(node_num)
        del gateway.boxes[node_num]
    for node_num in added:
        highest, readings = await gateway.store.submit(memory_of(node_num))
        gateway.endpoint.add_box(node_num, wanted[node_num].root_key, highest, readings)
    gateway.boxes.update(wanted)
    gateway.names.update({node_num: box.name for node_num, box in wanted.items()})
    gateway.files_read_s = read_s
    begun = _offer_keys(gateway)
    log.info("boxes_read", added=len(added), removed=len(removed), keys_begun=len(begun))
    return Changes(added, removed, begun)


async def change_keys(gateway: Gateway) -> None:
    """Finish what boxes have taken up; offer again what they have not. A duty of `upkeep`. Raises SecretFileError."""
    for node_num, box in list(gateway.boxes.items()):
        if box.next_root_key is None or node_num not in gateway.key_offers:
            continue
        if not gateway.endpoint.is_changing_key(node_num):
            await asyncio.to_thread(box_files.finish_key_change, box)
            gateway.boxes[node_num] = replace(box, root_key=box.next_root_key, next_root_key=None)
            del gateway.key_offers[node_num]
            log.info("key_changed", box=f"{node_num:08x}")
    _offer_keys(gateway)


def _offer_keys(gateway: Gateway) -> list[int]:
    begun = []
    now_s = time.monotonic()
    for node_num, box in gateway.boxes.items():
        if box.next_root_key is None or gateway.key_offers.get(node_num, now_s) > now_s:
            continue
        gateway.endpoint.rotate_box(node_num, box.next_root_key, monotonic_ms())
        gateway.key_offers[node_num] = now_s + OFFER_PAUSE_S
        begun.append(node_num)
    if begun:
        gateway.downlink.wake()
    return begun
