# SPDX-License-Identifier: Apache-2.0
"""Everything that goes down to the boxes: receipts, answers, mode commands, bulletins, the time.

A job is committed before its first transmission and taken up again after a restart until its boxes have confirmed it or
it has expired (`job_watch`; `text_answers` for stock devices). When something goes on the air is decided by `outflow`
and the endpoint of the protocol.
"""

import json
import sqlite3
from collections.abc import Callable
from typing import Any

import structlog

from kiezbox.protocol import envelope, priority
from kiezbox.protocol import messages as protocol_messages
from kiezbox.protocol.gateway_endpoint import GatewayEndpoint
from kiezbox_gateway.clock import monotonic_ms, unix_ms
from kiezbox_gateway.job_watch import JobWatch
from kiezbox_gateway.language import SpokenError
from kiezbox_gateway.outflow import PAYLOAD_LIFETIME_MS, Outflow
from kiezbox_gateway.radio import events as radio_events
from kiezbox_gateway.radio.link import RadioLink
from kiezbox_gateway.radio.send_queue import BROADCAST, PORT_TEXT, Outgoing
from kiezbox_gateway.store import calls, jobs, messages
from kiezbox_gateway.store.calls import FoundCall
from kiezbox_gateway.store.rows import NewMessage, OutboxClass
from kiezbox_gateway.store.store import Store
from kiezbox_gateway.text_answers import TextAnswers

MODES = {"everyday": 1, "emergency": 2, "exercise": 3, "maintenance": 4}
SCOPES = {"all": 0, "district": 1, "box": 2}
# Questions by code whose answer can still be replaced by a newer one.
QUERIES_MAX = 256
# An operator who gives more that are not done has made a mistake.
BROADCASTS_MAX = 256
# How far ahead the end of a mode may lie. Shorter than the first, boxes that are hard to reach would never see it.
UNTIL_MIN_S = 300
UNTIL_MAX_S = 30 * 86_400
EMOJI_STORED = "✅"

log = structlog.get_logger(part="downlink")


class ModeError(SpokenError, ValueError):
    """This mode command would not do what is wanted."""


class Downlink:
    """Create inside a running loop; run `run()` as a task after `resume()`."""

    def __init__(
        self,
        endpoint: GatewayEndpoint,
        store: Store,
        link: RadioLink,
        district: str,
        on_stored: Callable[[OutboxClass], None],
        on_payload: Callable[[bytes], bool] = lambda payload: False,
    ) -> None:
        self.watch = JobWatch(endpoint, store)
        self.texts = TextAnswers(link, store)
        self.outflow = Outflow(endpoint, store, link, self.watch, self.texts, on_payload)
        self.run, self.wake, self.send_time = self.outflow.run, self.outflow.wake, self.outflow.send_time
        self._endpoint = endpoint
        self._store = store
        self._link = link
        self._district = district
        self._on_stored = on_stored
        # The endpoint's job for the last question of a box about a code: a box that asks again needs one answer.
        self._queries: dict[tuple[int, str], int] = {}

    async def resume(self) -> None:
        """Take up the jobs that were open when the process ended."""
        now_ms = unix_ms()
        for job in await self._store.submit(lambda connection: jobs.open_jobs(connection, now_ms)):
            try:
                self._start(job.number, job.kind, job.message, job.node_num, job.expires_ms, job.boxes)
            except (KeyError, ValueError) as error:
                log.warning("job_not_resumed", job=job.number, reason=type(error).__name__)

    def _start(
        self,
        stored_number: int,
        kind: str,
        message: dict[str, Any],
        node_num: int | None,
        expires_ms: int,
        boxes: dict[int, str],
    ) -> None:
        if kind == "text" and node_num is not None:
            self.texts.start(stored_number, message, node_num, expires_ms)
        else:
            self.watch.watch(stored_number, kind, message, node_num, expires_ms, boxes)
        self.wake()

    def _check_room(self) -> None:
        if self.watch.broadcasts >= BROADCASTS_MAX:
            raise ValueError("too many messages to boxes are still open; wait until some are confirmed or expire")

    async def send_mode(
        self,
        mode: str,
        *,
        origin: str,
        boxes: list[int],
        scope: str = "all",
        box: int | None = None,
        lifetime_s: int = 86_400,
        until_s: int | None = None,
        command_id: str | None = None,
    ) -> tuple[int, int]:
        """Broadcast a signed mode command. Returns (job number, epoch). Raises ModeError, ValueError, StoreError.

        until_s: Unix time at which each box ends the mode by itself; no box is told after that.
        """
        self._check_room()
        now_ms = unix_ms()
        if until_s is not None:
            left_s = until_s - now_ms // 1000
            if not UNTIL_MIN_S <= left_s <= UNTIL_MAX_S:
                raise ModeError("a mode ends by itself after 5 minutes at the earliest and 30 days at the latest")
            lifetime_s = min(lifetime_s, left_s)
        message: dict[str, Any] = {
            "mode": MODES[mode],
            "scope": SCOPES[scope],
            "issued_s": now_ms // 1000,
            "expires_s": now_ms // 1000 + lifetime_s,
        }
        if until_s is not None:
            message["until_s"] = until_s
        if scope == "district":
            message["district"] = self._district
        if scope == "box":
            if box is None or box not in boxes:
                raise ValueError("scope box needs a box of this district")
            message["box"] = box
        targets = [box] if scope == "box" and box is not None else boxes
        expires_ms = now_ms + lifetime_s * 1000

        def store(connection: sqlite3.Connection) -> tuple[int, int, bool]:
            if command_id is not None:
                row = connection.execute(
                    "SELECT number, message FROM job WHERE command_id = ?", (command_id,)
                ).fetchone()
                if row is not None:
                    return row[0], json.loads(row[1])["epoch"], False
            epoch = message["epoch"] = jobs.next_mode_epoch(connection)
            number = jobs.create(
                connection,
                kind="mode",
                message=message,
                node_num=None,
                boxes=targets,
                origin=origin,
                now_ms=now_ms,
                expires_ms=expires_ms,
                command_id=command_id,
            )
            body = {"mode": mode, "epoch": epoch, "scope": scope, "origin": origin}
            if until_s is not None:
                body["until_s"] = until_s
            messages.take(
                connection,
                NewMessage(
                    id=f"{box or 0:08x}-m{epoch:08x}",
                    kind="mode",
                    node_num=box or 0,
                    counter=epoch,
                    verified=False,
                    received_ms=now_ms,
                    measured_s=now_ms // 1000,
                    body=json.dumps(body),
                ),
            )
            end = "" if until_s is None else f" until {until_s}"
            jobs.audit(connection, now_ms, origin, "mode", f"{mode} epoch {epoch} scope {scope}{end}")
            return number, epoch, True

        number, epoch, new = await self._store.submit(store)
        if new:
            self._start(number, "mode", message, None, expires_ms, dict.fromkeys(targets, "queued"))
            self._on_stored(OutboxClass.MODE)
        return number, epoch

    async def answer(
        self,
        code_or_id: str,
        stage: int,
        station: str,
        text: str | None,
        origin: str,
        *,
        command_id: str | None = None,
    ) -> tuple[FoundCall, int | None]:
        """Move a call to a stage and tell its box. Raises NoSuchCallError, StageError, StoreError, ValueError."""
        now_ms = unix_ms()
        # What cannot be sent must not be stored as said.
        protocol_messages.encode(envelope.REPLY, {"station": station, "text": text})

        def store(connection: sqlite3.Connection) -> tuple[FoundCall, int | None, dict[str, Any] | None]:
            if command_id is not None and jobs.is_known(connection, command_id):
                return calls.find(connection, code_or_id), None, None
            call, number = calls.advance(connection, code_or_id, stage, station, text, now_ms, origin, command_id)
            if number is None:
                return call, None, None
            row = connection.execute("SELECT message FROM job WHERE number = ?", (number,)).fetchone()
            return call, number, json.loads(row[0])

        call, number, message = await self._store.submit(store)
        self._on_stored(OutboxClass.STAGE)
        if number is not None and message is not None:
            try:
                kind = "reply" if call.packet_id is None else "text"
                expires_ms = now_ms + calls.JOB_LIFETIME_MS
                self._start(number, kind, message, call.node_num, expires_ms, {call.node_num: "queued"})
            except KeyError:
                log.warning("answer_for_unknown_box", box=f"{call.node_num:08x}")
        return call, number

    async def send_bulletin(
        self, message: dict[str, Any], *, origin: str, expires_ms: int, command_id: str | None = None
    ) -> int:
        """Broadcast a signed notice to residents. Returns the job number. Raises ValueError, StoreError.

        A variant in another language has the same identifier; a newer text in one language takes the older one's place.
        """
        self._check_room()
        now_ms = unix_ms()
        protocol_messages.encode(envelope.BULLETIN, message)

        def store(connection: sqlite3.Connection) -> tuple[int, bool]:
            if command_id is not None:
                row = connection.execute("SELECT number FROM job WHERE command_id = ?", (command_id,)).fetchone()
                if row is not None:
                    return int(row[0]), False
            number = jobs.create(
                connection,
                kind="bulletin",
                message=message,
                node_num=None,
                boxes=[],
                origin=origin,
                now_ms=now_ms,
                expires_ms=expires_ms,
                command_id=command_id,
            )
            jobs.audit(connection, now_ms, origin, "bulletin", str(message.get("identifier") or number))
            return number, True

        number, new = await self._store.submit(store)
        if new:
            self._start(number, "bulletin", message, None, expires_ms, {})
        return number

    async def send_settings(self, node_num: int, settings: dict[str, Any], *, origin: str, lifetime_s: int) -> int:
        """Send settings to one box. Returns the job number. Raises ValueError, StoreError, KeyError."""
        now_ms = unix_ms()
        expires_ms = now_ms + lifetime_s * 1000
        protocol_messages.encode(envelope.CONFIGURATION, settings)

        job = {"kind": "configuration", "message": settings, "node_num": node_num, "boxes": [node_num]}
        times = {"now_ms": now_ms, "expires_ms": expires_ms}
        number = await self._store.submit(
            lambda connection: jobs.create(connection, origin=origin, **job, **times)  # type: ignore[arg-type]
        )
        self._start(number, "configuration", dict(settings), node_num, expires_ms, {node_num: "queued"})
        return number

    async def answer_query(self, node_num: int, code: str) -> None:
        """A box asks for the state of a call that was made at another one."""
        if not code:
            return

        def look(connection: sqlite3.Connection) -> tuple[FoundCall, list[dict[str, Any]]]:
            call = calls.find(connection, code)
            return call, calls.stages(connection, call.sequence)

        message: dict[str, Any] = {"code": code, "stage": 0}
        try:
            _, stages = await self._store.submit(look)
            last = stages[-1]
            message = {"code": code, "stage": last["stage"], "time_s": last["time_ms"] // 1000}
            if last["station"]:
                message["station"] = last["station"]
            if last["text"]:
                message["text"] = last["text"]
        except calls.NoSuchCallError:
            log.info("query_for_unknown_code")
        earlier = self._queries.pop((node_num, code), None)
        if earlier in self._endpoint.jobs:
            self._endpoint.cancel_job(earlier)
        self._queries[(node_num, code)] = self._endpoint.reply(node_num, message, monotonic_ms())
        while len(self._queries) > QUERIES_MAX:
            oldest = self._queries.pop(next(iter(self._queries)))
            if oldest in self._endpoint.jobs:
                self._endpoint.cancel_job(oldest)
        self.wake()

    def note_heard(self, node_num: int) -> None:
        """A box has sent something that is proven to come from it."""
        if self.watch.note_heard(node_num):
            self.wake()

    def note_mode(self, node_num: int, epoch: int) -> None:
        """A box has said which mode command it follows."""
        if self.watch.note_mode(node_num, epoch):
            self.wake()

    def note_radio(self, event: radio_events.Event) -> None:
        """The radio has taken, confirmed or refused a packet, or has become ready: something may go on."""
        if isinstance(event, radio_events.Acknowledged):
            self.texts.note_acknowledged(event.packet_id, event.from_node)
        elif isinstance(event, radio_events.Refused):
            self.texts.note_refused(event.packet_id, event.error)
        self.wake()

    def forget(self, stored_numbers: set[int]) -> None:
        """These jobs were erased: send them no more and keep nothing of them."""
        self.watch.forget(stored_numbers)
        self.texts.forget(stored_numbers)

    def confirm_text(self, packet_id: int) -> None:
        """Show on the resident's own device that its text is stored: a reaction, which stock apps draw at the text.

        Behind receipts, and left out (counted) where the hour's airtime has room for receipts only.
        """
        if not self._link.budget.may_send(priority.COMMAND, len(EMOJI_STORED.encode()), monotonic_ms()):
            self._link.status.count("reaction_not_sent")
            return
        self._link.send(
            Outgoing(
                packet_id=self._link.new_packet_id(),
                portnum=PORT_TEXT,
                payload=EMOJI_STORED.encode(),
                priority=priority.COMMAND,
                to_node=BROADCAST,
                reply_id=packet_id,
                emoji=1,
                expires_ms=monotonic_ms() + PAYLOAD_LIFETIME_MS,
            )
        )
