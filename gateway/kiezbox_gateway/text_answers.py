# SPDX-License-Identifier: Apache-2.0
"""Answers to stock Meshtastic devices: direct texts, in parts where they are long, until all are acknowledged.

A resident who typed a call on a device of their own gets the answer there. Jobs are committed before (`store.calls`)
and taken up again after a restart. Called by `downlink`. Not here: boxes, whose answers are signed (`job_watch`).
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kiezbox_gateway.clock import monotonic_ms, unix_ms
from kiezbox_gateway.radio.link import RadioLink
from kiezbox_gateway.radio.send_queue import PORT_TEXT, Outgoing
from kiezbox_gateway.store import jobs
from kiezbox_gateway.store.rows import StoreError
from kiezbox_gateway.store.store import Store

# Bytes of one text; stock apps show no more than this at once, and PKC and reply id have to fit.
PART_LENGTH_MAX = 200
PARTS_MAX = 5
FIRST_PAUSE_MS = 60_000
LONGEST_PAUSE_MS = 3_600_000
LIFETIME_MS = 120_000
PACKETS_REMEMBERED = 16
PRIORITY = 3


@dataclass
class _Answer:
    node_num: int
    reply_id: int
    parts: list[bytes]
    expires_ms: int
    due_ms: int
    attempts: int = 0
    state: str = "queued"
    detail: str | None = None
    changed: bool = False
    # Packet ids of the newest attempts -> part.
    packets: dict[int, int] = field(default_factory=dict)
    confirmed: set[int] = field(default_factory=set)


def split(text: str) -> list[bytes]:
    """UTF-8 parts of at most PART_LENGTH_MAX bytes, never cut inside a character, numbered when there are several."""
    if len(text.encode()) <= PART_LENGTH_MAX:
        return [text.encode()]
    parts, begun = [], b""
    room = PART_LENGTH_MAX - len(b"(1/5) ")
    for character in text:
        raw = character.encode()
        if len(begun) + len(raw) > room:
            parts.append(begun)
            begun = b""
        begun += raw
    parts = [*parts, begun][:PARTS_MAX]
    return [f"({index}/{len(parts)}) ".encode() + part for index, part in enumerate(parts, 1)]


class TextAnswers:
    """`start` after the job was committed; `poll` when something may be due."""

    def __init__(self, link: RadioLink, store: Store) -> None:
        self._link = link
        self._store = store
        self._answers: dict[int, _Answer] = {}

    def start(self, stored_number: int, message: dict[str, Any], node_num: int, expires_ms: int) -> None:
        """Send {"text", "reply_id"} to a node until it has acknowledged. Raises KeyError."""
        parts = split(message["text"])
        self._answers[stored_number] = _Answer(node_num, message["reply_id"], parts, expires_ms, monotonic_ms())

    def forget(self, stored_numbers: set[int]) -> None:
        """These were erased."""
        for number in stored_numbers:
            self._answers.pop(number, None)

    def next_wakeup_ms(self) -> int | None:
        """When `poll` has something to do."""
        return min((answer.due_ms for answer in self._answers.values()), default=None)

    async def poll(self, now_ms: int, texts_max: int) -> None:
        """Send what is due, of at most so many answers, and write states to the store. Raises StoreError."""
        for number, answer in sorted(self._answers.items(), key=lambda item: item[1].due_ms):
            if unix_ms() >= answer.expires_ms:
                answer.state, answer.changed = "expired", True
            elif answer.due_ms <= now_ms and texts_max > 0:
                texts_max -= 1
                self._send(answer, now_ms)
            if answer.changed:
                # An acknowledgement may come in while the store writes; it is written next time.
                answer.changed = False
                try:
                    await self._store.submit(_updating(number, answer))
                except StoreError:
                    answer.changed = True
                    raise
            if answer.state not in jobs.OPEN_STATES and not answer.changed:
                self._answers.pop(number, None)

    def note_acknowledged(self, packet_id: int, from_node: int) -> bool:
        """A node has confirmed a packet. True when an answer is through."""
        for answer in self._answers.values():
            # The radio's own acknowledgement only means that somebody relayed the text.
            if packet_id in answer.packets and from_node == answer.node_num:
                answer.confirmed.add(answer.packets[packet_id])
                if len(answer.confirmed) == len(answer.parts):
                    answer.state, answer.changed = "confirmed", True
                    return True
        return False

    def note_refused(self, packet_id: int, error: int) -> None:
        """The radio gave a packet up; it is tried again, and the operator can see why."""
        for answer in self._answers.values():
            if packet_id in answer.packets:
                answer.detail, answer.changed = f"radio error {error}", True

    def _send(self, answer: _Answer, now_ms: int) -> None:
        for index, part in enumerate(answer.parts):
            if index in answer.confirmed:
                continue
            packet_id = self._link.new_packet_id()
            answer.packets[packet_id] = index
            self._link.send(
                Outgoing(
                    packet_id=packet_id,
                    portnum=PORT_TEXT,
                    payload=part,
                    priority=PRIORITY,
                    to_node=answer.node_num,
                    want_ack=True,
                    reply_id=answer.reply_id,
                    expires_ms=now_ms + LIFETIME_MS,
                )
            )
        while len(answer.packets) > PACKETS_REMEMBERED:
            del answer.packets[next(iter(answer.packets))]
        answer.attempts += 1
        answer.state, answer.changed = "on air", True
        answer.due_ms = now_ms + min(FIRST_PAUSE_MS << min(answer.attempts - 1, 8), LONGEST_PAUSE_MS)


def _updating(number: int, answer: _Answer) -> Callable[[sqlite3.Connection], None]:
    states, attempts, at_ms = {answer.node_num: answer.state}, answer.attempts, unix_ms()
    details = {answer.node_num: answer.detail} if answer.detail else {}
    return lambda connection: jobs.update_states(connection, number, states, attempts, at_ms, details)
