# SPDX-License-Identifier: Apache-2.0
"""Who sent what and what became of it: one row for each sender, from independent counts.

sent: first transmissions on the air, counted by the ether's watcher; received: those that reached the gateway's radio;
stored: what the gateway's database has; confirmed: what the city's own subscriber wrote down; kept: readings nobody
stored and nobody acknowledged, because they met another frame in the air or a gateway just killed, and which their box
keeps on flash and offers again; lost: all else that did not arrive. Plain functions, no I/O.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from kiezbox_simulator.demo.air_watch import Sent

COLUMNS = ("sent", "received", "stored", "confirmed", "kept", "lost")


@dataclass(frozen=True)
class Row:
    """One sender. Each number counts messages by id."""

    name: str
    node: str
    sent: int
    received: int
    stored: int
    confirmed: int
    kept: int
    lost: int
    lost_ids: tuple[str, ...] = ()


def rows(
    senders: Mapping[int, str],
    sent: Iterable[Sent],
    stored: Iterable[dict[str, Any]],
    arrived_ids: Iterable[str],
    on_flash: Mapping[int, Set[int]],
) -> list[Row]:
    """Rows in the order of `senders` (node number to name).

    `stored` are messages of the gateway's API, `on_flash` the sequence numbers of readings on each box's flash.
    """
    messages, all_sent, arrived = list(stored), list(sent), set(arrived_ids)
    result = []
    for node_num, name in senders.items():
        node = f"{node_num:08x}"
        own = [each for each in all_sent if each.node_num == node_num]
        stored_ids = {str(message["id"]) for message in messages if message["box"] == node}
        missing = [each for each in own if each.id not in arrived]
        kept = [
            each
            for each in missing
            if each.id not in stored_ids and each.kind == "reading" and each.sequence in on_flash.get(node_num, ())
        ]
        lost = sorted(each.id for each in missing if each not in kept)
        result.append(
            Row(
                name=name,
                node=node,
                sent=len(own),
                received=sum(each.received for each in own),
                stored=len(stored_ids),
                confirmed=len(stored_ids & arrived),
                kept=len(kept),
                lost=len(lost),
                lost_ids=tuple(lost),
            )
        )
    return result


def total(found: list[Row]) -> Row:
    """The sums."""
    return Row("all", "", *(sum(getattr(row, name) for row in found) for name in COLUMNS))


def table(found: list[Row]) -> Table:
    """As a person reads it."""
    result = Table(title="Messages from each sender to the city", title_justify="left")
    result.add_column("from")
    for column in COLUMNS:
        result.add_column(column, justify="right")
    for row in [*found, total(found)]:
        cells = [str(getattr(row, name)) for name in COLUMNS]
        if row.lost:
            cells[-1] = f"[red]{row.lost}[/red]"
        result.add_row(row.name, *cells)
    result.rows[-2].end_section = True
    return result


def as_json(found: list[Row]) -> list[dict[str, Any]]:
    """For summary.json."""
    return [asdict(row) for row in [*found, total(found)]]
