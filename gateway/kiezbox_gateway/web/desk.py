# SPDX-License-Identifier: Apache-2.0
"""What the page shows of calls for help: each with what was added to it later, the most urgent first, in plain words.

Only facts and words; `page` makes HTML of them and takes the forms.
"""

import time
from dataclasses import dataclass, field
from datetime import datetime

from kiezbox_gateway.gateway import Gateway
from kiezbox_gateway.language import text
from kiezbox_gateway.store import calls, jobs
from kiezbox_gateway.store.calls import CALL_COLUMNS, FoundCall, row_to_call
from kiezbox_gateway.store.rows import OutboxClass

AMEND, CANCEL, SAFE = 1, 2, 3
READ, ANSWERED = 4, 5
ANSWERED_SHOWN_MS = 24 * 3_600_000
CALLS_MAX = 500
AMENDMENTS_MAX = 2_000
# Of the wire format, docs/wire-format.md.
CATEGORIES = {
    1: "Injured or ill",
    2: "Fire",
    3: "Violence or threat",
    4: "Trapped",
    5: "Medicine needed, or power for a medical device",
    6: "Something else",
}
STAGES = {
    2: "Nobody has read it yet",
    3: "At the station, not read yet",
    4: "Read",
    5: "Answered",
}
JOB_STATES = {
    "queued": "waits to be sent to the box",
    "on air": "on its way to the box",
    "confirmed": "the box has it",
    "refused": "the box has refused it",
    "expired": "did not reach the box",
}
JOB_KINDS = {
    "reply": "Answer",
    "text": "Answer",
    "mode": "Mode",
    "bulletin": "Notice",
    "configuration": "Settings",
    "time": "Time",
}
# What a box reports beside its readings, by the name in the API.
SIGNS = {
    "blackout_proposed": "proposes a blackout",
    "grid_lost": "sees no mains",
    "gateway_silent": "hears no gateway",
    "uplink_silent": "hears nothing by Wi-Fi",
    "settings_on_trial": "tries new settings",
}
MODES = {"everyday": "everyday", "emergency": "emergency", "exercise": "exercise", "maintenance": "maintenance"}


@dataclass
class Card:
    """One call. `later` holds amendments, the oldest first."""

    call: FoundCall
    box_name: str | None
    later: list[FoundCall] = field(default_factory=list)

    @property
    def exercise(self) -> bool:
        """Nobody needs help: it was made in an exercise."""
        return self.call.kind == "exercise"

    @property
    def cancelled(self) -> bool:
        """Whether the resident has taken it back or is safe."""
        return any(each.action in (CANCEL, SAFE) for each in self.later)

    @property
    def heading(self) -> str:
        """What has happened, in a few words."""
        if self.call.kind == "button":
            return text("Emergency button pressed")
        if self.call.packet_id is not None:
            return text("Text from a radio")
        return text(CATEGORIES.get(self.call.body.get("category") or 0, "Something else"))

    @property
    def stage(self) -> str:
        """How far it is."""
        return text(STAGES[self.call.stage])

    def order(self) -> tuple[bool, bool, bool, bool, int]:
        """Real before exercise, then surplus texts last, then those taken back, then those read; the oldest first."""
        return self.exercise, self.call.surplus, self.cancelled, self.call.stage >= READ, self.call.received_ms


async def cards(gateway: Gateway, now_ms: int) -> tuple[list[Card], list[Card]]:
    """(open calls, those answered within a day)."""
    rows = await gateway.store.rows(
        f"SELECT {CALL_COLUMNS} FROM call c JOIN message m ON m.sequence = c.message_sequence"  # noqa: S608  Constants.
        " WHERE c.action = 0 AND (c.stage < ? OR m.received_ms > ?)"
        " ORDER BY c.stage >= ?, m.class = ?, m.sequence LIMIT ?",
        (ANSWERED, now_ms - ANSWERED_SHOWN_MS, ANSWERED, int(OutboxClass.SURPLUS), CALLS_MAX),
    )
    found = [Card(call, gateway.names.get(call.node_num)) for call in (row_to_call(tuple(row)) for row in rows)]
    by_origin = {(card.call.node_num, card.call.counter): card for card in found if card.call.packet_id is None}
    rows = await gateway.store.rows(
        f"SELECT {CALL_COLUMNS} FROM call c JOIN message m ON m.sequence = c.message_sequence"  # noqa: S608  Constants.
        " WHERE c.action > 0 ORDER BY m.sequence DESC LIMIT ?",
        (AMENDMENTS_MAX,),
    )
    for call in reversed([row_to_call(tuple(row)) for row in rows]):
        card = by_origin.get((call.node_num, call.refers_to or 0))
        if card is not None:
            card.later.append(call)
    found.sort(key=Card.order)
    return [card for card in found if card.call.stage < ANSWERED], [
        card for card in found if card.call.stage >= ANSWERED
    ]


async def card(gateway: Gateway, code_or_id: str) -> tuple[Card, list[dict[str, object]], str | None]:
    """(the call, its stages, state of the newest message to its box). Raises NoSuchCallError."""
    call = await gateway.store.submit(lambda connection: calls.find(connection, code_or_id))
    stages = await gateway.store.submit(lambda connection: calls.stages(connection, call.sequence))
    rows = await gateway.store.rows(
        f"SELECT {CALL_COLUMNS} FROM call c JOIN message m ON m.sequence = c.message_sequence"  # noqa: S608  Constants.
        " WHERE c.node_num = ? AND c.refers_to = ? AND c.action > 0 ORDER BY m.sequence",
        (call.node_num, call.counter),
    )
    later = [row_to_call(tuple(row)) for row in rows] if call.packet_id is None else []
    states = await gateway.store.rows(
        "SELECT b.state FROM job j JOIN job_box b ON b.job = j.number WHERE j.message_sequence = ?"
        " ORDER BY j.number DESC LIMIT 1",
        (call.sequence,),
    )
    state = text(JOB_STATES[states[0][0]]) if states else None
    return Card(call, gateway.names.get(call.node_num), later), stages, state


@dataclass(frozen=True)
class Order:
    """A message to boxes. `states`: how many boxes are how far; empty where no box answers."""

    created_ms: int
    kind: str
    to: str | None
    states: dict[str, int]


async def orders(gateway: Gateway, most: int) -> list[Order]:
    """The newest messages to boxes, without their words."""
    found = await gateway.store.submit(lambda connection: jobs.newest(connection, most))
    listed = []
    for job in found:
        states = [text(JOB_STATES[box["state"]]) for box in job["boxes"]]
        to = None if job["box"] is None else gateway.names.get(int(job["box"], 16), job["box"])
        kind = text(JOB_KINDS.get(job["kind"], job["kind"]))
        listed.append(
            Order(job["created_ms"], kind, to, {state: states.count(state) for state in dict.fromkeys(states)})
        )
    return listed


def age(unix_ms: int, now_ms: int) -> str:
    """How long ago, in words."""
    minutes = max(0, now_ms - unix_ms) // 60_000
    if minutes < 1:
        return text("just now")
    if minutes < 60:
        return text("{minutes} min ago", minutes=minutes)
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return text("{hours} h {minutes} min ago", hours=hours, minutes=minutes)
    return text("{days} days ago", days=hours // 24)


def clock_time(unix_ms: int) -> str:
    """Local time; with the date unless it is of today."""
    moment = datetime.fromtimestamp(unix_ms / 1000).astimezone()
    today = datetime.fromtimestamp(time.time()).astimezone().date()
    return moment.strftime("%H:%M" if moment.date() == today else "%d.%m.%Y %H:%M")
