# SPDX-License-Identifier: Apache-2.0
"""Taking messages into custody: proven, stored with sync, and only then acknowledged and handed on. In this order.

Two doors lead here, the radio and (for boxes on Wi-Fi) MQTT; behind both stands the same code. A message that could
not be stored is not acknowledged, so its box keeps it and sends it again.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import structlog

from kiezbox.protocol.gateway_endpoint import GatewayEndpoint, Progress, Received, Rejected
from kiezbox_gateway.clock import unix_ms
from kiezbox_gateway.store.rows import (
    Call,
    Heard,
    NewMessage,
    OutboxClass,
    Stored,
    StoreError,
)
from kiezbox_gateway.store.store import Store

KIND_OF = {"emergency": "call", "exercise": "exercise", "reading": "reading", "health": "health", "button": "button"}
# Messages on their way to the disk; beyond it the radio is not read, and waits by TCP's own means.
PENDING_MAX = 512
TEXT_LENGTH_MAX = 240

log = structlog.get_logger(part="custody")


@dataclass
class CustodyStatus:
    """Counters by reason, and the alarm of the store where there is one."""

    stored: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    shed: dict[str, int] = field(default_factory=dict)
    alarm: str | None = None


def to_new_message(received: Received, received_ms: int, heard: Heard | None) -> NewMessage:
    """The store's form of a proven message."""
    message: dict[str, Any] = received.message
    kind = KIND_OF[received.kind]
    measured_s = message.get("time_s") or None
    call = None
    if kind in ("call", "exercise", "button"):
        call = Call(message.get("code"), message.get("action") or 0, message.get("refers_to"))
    mode = None
    if kind == "health" and message.get("mode") is not None:
        mode = (message["mode"], message.get("mode_epoch") or 0)
    return NewMessage(
        id=f"{received.node_num:08x}-{received.counter:08x}",
        kind=kind,
        node_num=received.node_num,
        counter=received.counter,
        verified=True,
        received_ms=received_ms,
        measured_s=measured_s,
        body=json.dumps(message, ensure_ascii=False, separators=(",", ":"), default=_plain),
        call=call,
        heard=heard,
        mode=mode,
    )


def text_to_new_message(from_node: int, packet_id: int, payload: bytes, received_ms: int) -> NewMessage:
    """A text typed on a stock Meshtastic device: a call, but nobody has proven who sent it."""
    text = payload.decode("utf-8", "replace")[:TEXT_LENGTH_MAX]
    return NewMessage(
        id=f"{from_node:08x}-p{packet_id:08x}",
        kind="call",
        node_num=from_node,
        counter=0,
        verified=False,
        received_ms=received_ms,
        measured_s=None,
        body=json.dumps({"text": text, "source": "meshtastic"}, ensure_ascii=False, separators=(",", ":")),
        call=Call(None, packet_id=packet_id),
    )


def _plain(value: object) -> str:
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    raise TypeError(type(value).__name__)


class Custody:
    """Create inside a running loop.

    `on_stored(class)` is called after each commit, `on_query` for questions by code.
    """

    def __init__(
        self,
        endpoint: GatewayEndpoint,
        store: Store,
        *,
        on_stored: Callable[[OutboxClass], None],
        on_receipt_due: Callable[[], None],
        on_query: Callable[[int, str], None],
        on_mode: Callable[[int, int], None],
        on_heard: Callable[[int], None],
        may_take: Callable[[str], bool],
        make_room: Callable[[StoreError], Awaitable[bool]],
    ) -> None:
        self.status = CustodyStatus()
        self._endpoint = endpoint
        self._store = store
        self._on_stored = on_stored
        self._on_receipt_due = on_receipt_due
        self._on_query = on_query
        self._on_mode = on_mode
        self._on_heard = on_heard
        self._may_take = may_take
        self._make_room = make_room
        self._slots = asyncio.Semaphore(PENDING_MAX)
        self._tasks: set[asyncio.Task[Stored | None]] = set()

    async def take_payload(
        self, from_node: int, payload: bytes, heard: Heard | None, now_ms: int
    ) -> asyncio.Task[Stored | None] | None:
        """Judge a payload of the private port.

        The task, if any, ends when the message is stored, or with None when it could not be.
        """
        result = self._endpoint.receive(from_node, payload, now_ms)
        if isinstance(result, Rejected):
            self._count(self.status.rejected, result.reason)
            return None
        # A command result, a fragment or a repeat may have made receipts or jobs due.
        self._on_receipt_due()
        self._on_heard(result.node_num)
        if isinstance(result, Progress):
            return None
        if result.kind == "query":
            self._on_query(result.node_num, str(result.message.get("code") or ""))
            return None
        epoch = result.message.get("mode_epoch")
        if epoch and result.kind in ("health", "command_result"):
            self._on_mode(result.node_num, epoch)
        if result.kind not in KIND_OF:
            return None
        message = to_new_message(result, unix_ms(), heard)
        if not self._may_take(message.kind):
            self._count(self.status.shed, message.kind)
            return None
        return await self._begin(message, acknowledge=True, now_ms=now_ms)

    async def take_text(
        self, from_node: int, packet_id: int, payload: bytes, now_ms: int
    ) -> asyncio.Task[Stored | None] | None:
        """Store a text from a stock device as an unverified call."""
        if not payload.strip():
            self._count(self.status.rejected, "empty_text")
            return None
        return await self._begin(
            text_to_new_message(from_node, packet_id, payload, unix_ms()), acknowledge=False, now_ms=now_ms
        )

    async def finish(self) -> None:
        """Wait for what is on its way to the disk."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _begin(self, message: NewMessage, *, acknowledge: bool, now_ms: int) -> asyncio.Task[Stored | None]:
        await self._slots.acquire()
        future = self._store.take(message)
        task = asyncio.create_task(self._finish_one(message, future, acknowledge=acknowledge, now_ms=now_ms))
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Stored | None]) -> None:
        self._tasks.discard(task)
        self._slots.release()
        if not task.cancelled():
            # Counted and logged; whoever awaits the task gets it too.
            task.exception()

    async def _finish_one(
        self, message: NewMessage, future: "asyncio.Future[Stored]", *, acknowledge: bool, now_ms: int
    ) -> Stored | None:
        try:
            try:
                stored = await future
            except StoreError as error:
                if message.kind == "reading" or not await self._make_room(error):
                    raise
                stored = await self._store.take(message)
        except StoreError as error:
            self._count(self.status.shed, message.kind)
            if self.status.alarm != error.reason:
                log.critical("store_failed", reason=error.reason, detail=str(error))
            self.status.alarm = error.reason
            return None
        except Exception as error:
            # A message that the store cannot hold is a mistake of ours and must not go by unseen.
            self._count(self.status.rejected, "not_storable")
            log.error("message_not_storable", kind=message.kind, reason=type(error).__name__)
            raise
        if self.status.alarm is not None:
            log.info("store_works_again")
            self.status.alarm = None
        if stored.new:
            self._count(self.status.stored, message.kind)
            self._on_stored(stored.outbox_class)
        else:
            self.status.duplicates += 1
        if acknowledge and self._endpoint.acknowledge(message.node_num, message.counter, 2, now_ms):
            self._on_receipt_due()
        return stored

    @staticmethod
    def _count(counters: dict[str, int], name: str) -> None:
        counters[name] = counters.get(name, 0) + 1
