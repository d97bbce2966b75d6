# SPDX-License-Identifier: Apache-2.0
"""Jobs to boxes between the store, which keeps them, and the endpoint, which sends them: states, repetition, end.

1. A job is repeated until its boxes have confirmed it or it has expired: quickly at first, then once an hour.
2. A box that is heard again is sent what it has not confirmed at once, not after the rest of that hour.
3. What a newer job makes pointless is sent no more: an older mode, an earlier stage of a call, an older text of a
   notice.
4. What has changed is written to the store; after a restart the store says what is still open.

Called by `downlink`. Not here: what a job says; when it goes on the air.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kiezbox.protocol import envelope
from kiezbox.protocol.downlink_job import CONFIRMED, EXPIRED, Job
from kiezbox.protocol.gateway_endpoint import GatewayEndpoint
from kiezbox_gateway.clock import monotonic_ms, unix_ms
from kiezbox_gateway.store import jobs
from kiezbox_gateway.store.store import Store

# The endpoint's own bound on attempts is for jobs that nobody keeps; ours end by their time.
ATTEMPTS_MAX = 1 << 30
# From this attempt on a job goes once in SLOW_PAUSE_MS.
SLOW_FROM = 8
SLOW_PAUSE_MS = 3_600_000
# A box that is heard is sent its open jobs again: not at once, its own frames come first, and after growing pauses, as
# one that never confirms must not use up the air.
HEARD_DELAY_MS = 2_000
HEARD_PAUSE_MS = 60_000
HEARD_PAUSE_MAX_MS = 900_000
# Beside the state of a job that a newer one of ours has made pointless.
SUPERSEDED = "superseded by a newer one"


@dataclass
class _Watched:
    """A job of the endpoint: its number in the store, its end (Unix ms), and what the store was last told."""

    stored_number: int
    expires_ms: int
    states: dict[int, str]
    attempts: int = 0
    sent_ms: int = 0


class JobWatch:
    """`watch` after a job was committed; `keep` after each poll of the endpoint."""

    def __init__(self, endpoint: GatewayEndpoint, store: Store) -> None:
        self._endpoint = endpoint
        self._store = store
        self._watched: dict[int, _Watched] = {}

    def __len__(self) -> int:
        return len(self._watched)

    @property
    def broadcasts(self) -> int:
        """How many jobs to several boxes are not done; answers to single calls may be thousands."""
        return sum(job.node_num is None for _, _, job in self._open())

    def watch(
        self,
        stored_number: int,
        kind: str,
        message: dict[str, Any],
        node_num: int | None,
        expires_ms: int,
        states: dict[int, str],
    ) -> None:
        """Hand a committed job to the endpoint. Raises KeyError for an unknown box, ValueError."""
        now_ms = monotonic_ms()
        if node_num is None:
            number = self._endpoint.broadcast(kind, message, now_ms)
            job = self._endpoint.jobs[number]
            for box, state in states.items():
                if box in job.boxes:
                    job.boxes[box] = state
        else:
            number = self._endpoint.command(node_num, kind, message, now_ms)
            job = self._endpoint.jobs[number]
        job.attempts_max = ATTEMPTS_MAX
        self._supersede(job)
        self._watched[number] = _Watched(stored_number, expires_ms, dict(states))

    async def keep(self) -> None:
        """Write what has changed to the store, slow old jobs down, end those whose time is over. Raises StoreError."""
        now_ms = unix_ms()
        for number, watched in list(self._watched.items()):
            job = self._endpoint.jobs.get(number)
            if job is None:
                # Forgotten by the endpoint, or erased while the store wrote another's states.
                self._watched.pop(number, None)
                continue
            if job.open() and now_ms >= watched.expires_ms:
                job.give_up()
            states = dict(job.boxes)
            if states != watched.states or watched.attempts != job.attempt < ATTEMPTS_MAX:
                if job.open() and job.attempt > watched.attempts:
                    watched.sent_ms = monotonic_ms()
                    if job.attempt >= SLOW_FROM:
                        job.due_ms = max(job.due_ms, watched.sent_ms + SLOW_PAUSE_MS)
                # A job that was given up has no attempts left, by the endpoint's count.
                attempts = watched.attempts if job.attempt >= ATTEMPTS_MAX else job.attempt
                await self._store.submit(_updating(watched.stored_number, states, attempts, now_ms, dict(job.details)))
                watched.states, watched.attempts = states, attempts
            # A box may have answered while the store wrote: then there is more to write next time.
            if not job.open() and job.boxes == watched.states:
                self._watched.pop(number, None)

    def note_heard(self, node_num: int) -> bool:
        """A box is there: what it has not confirmed goes to it soon. True when something is due earlier now."""
        now_ms = monotonic_ms()
        found = False
        for _, watched, job in self._open():
            waits = job.boxes.get(node_num) in jobs.OPEN_STATES and job.attempt > 0
            pause_ms = min(HEARD_PAUSE_MS << min(max(0, job.attempt - SLOW_FROM), 8), HEARD_PAUSE_MAX_MS)
            if waits and now_ms - watched.sent_ms >= pause_ms and job.due_ms > now_ms + HEARD_DELAY_MS:
                job.due_ms = now_ms + HEARD_DELAY_MS
                found = True
        return found

    def note_mode(self, node_num: int, epoch: int) -> bool:
        """A box has said which mode command it follows: every job up to that one is done for it. True if one was.

        After a restart a mode command goes out under a new number; a box that follows it already calls that superseded.
        """
        found = False
        for number in self._watched:
            # Also one that the box's own answer, a moment ago, has ended as superseded.
            job = self._endpoint.jobs.get(number)
            if job is None or job.kind != envelope.MODE or node_num not in job.boxes:
                continue
            if (job.message.get("epoch") or 0) <= epoch and job.details.get(node_num) != SUPERSEDED:
                job.boxes[node_num] = CONFIRMED
                job.details.pop(node_num, None)
                found = True
        return found

    def forget(self, stored_numbers: set[int]) -> None:
        """These jobs were erased: send them no more and keep nothing of them."""
        for number, watched in list(self._watched.items()):
            if watched.stored_number in stored_numbers:
                self._endpoint.cancel_job(number)
                self._endpoint.jobs.pop(number, None)
                del self._watched[number]

    def _open(self) -> list[tuple[int, _Watched, Job]]:
        found = ((number, watched, self._endpoint.jobs.get(number)) for number, watched in self._watched.items())
        return [(number, watched, job) for number, watched, job in found if job is not None and job.open()]

    def _supersede(self, newer: Job) -> None:
        for _, _, job in self._open():
            if job is not newer and job.kind == newer.kind and _is_superseded(job, newer):
                for box in list(job.boxes):
                    if job.boxes[box] in jobs.OPEN_STATES and (newer.node_num is not None or box in newer.boxes):
                        job.boxes[box] = EXPIRED
                        job.details[box] = SUPERSEDED
                if not job.boxes:
                    job.give_up()


def _is_superseded(job: Job, newer: Job) -> bool:
    old, new = job.message, newer.message
    if newer.kind == envelope.MODE:
        return (old.get("epoch") or 0) < (new.get("epoch") or 0)
    if newer.kind == envelope.BULLETIN:
        return (old.get("identifier"), old.get("language")) == (new.get("identifier"), new.get("language"))
    if newer.kind == envelope.REPLY:
        same_call = job.node_num == newer.node_num and old.get("refers_to") and old["refers_to"] == new.get("refers_to")
        return bool(same_call) and not old.get("text") and (old.get("stage") or 0) <= (new.get("stage") or 0)
    return False


def _updating(
    number: int, states: dict[int, str], attempts: int, now_ms: int, details: dict[int, str]
) -> Callable[[sqlite3.Connection], None]:
    return lambda connection: jobs.update_states(connection, number, states, attempts, now_ms, details)
