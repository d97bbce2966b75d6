# SPDX-License-Identifier: Apache-2.0
"""What a message is in the store, the order of classes towards the city, and the errors of the store."""

from dataclasses import dataclass
from enum import IntEnum

from kiezbox_gateway.language import SpokenError

# Which resident's words stand in the body: these are erased, never exported by default, and never thinned.
PERSONAL_KINDS = ("call", "exercise", "button", "stage")


class OutboxClass(IntEnum):
    """Order towards the city, that of these lines: a class waits until all above it are on their way.

    The numbers only stand in the database. TEXT and SURPLUS: texts of stock devices, see `texts`.
    """

    CALL = 0
    TEXT = 6
    STAGE = 1
    MODE = 2
    EXERCISE = 3
    HEALTH = 4
    SURPLUS = 7
    READING = 5


# Of what is proven, or made here.
CLASS_OF_KIND = {
    "call": OutboxClass.CALL,
    "button": OutboxClass.CALL,
    "stage": OutboxClass.STAGE,
    "erasure": OutboxClass.STAGE,
    "mode": OutboxClass.MODE,
    "exercise": OutboxClass.EXERCISE,
    "health": OutboxClass.HEALTH,
    "gateway": OutboxClass.HEALTH,
    "reading": OutboxClass.READING,
}


class StoreError(SpokenError):
    """The store could not do it. Nothing was changed and nothing may be acknowledged."""

    reason = "failed"


class StoreFullError(StoreError):
    """No space left for the file."""

    reason = "full"


class StoreReadOnlyError(StoreError):
    """File or file system cannot be written."""

    reason = "read_only"


class StoreCorruptError(StoreError):
    """A page of the file is damaged."""

    reason = "corrupt"


@dataclass(frozen=True, slots=True)
class Call:
    """What the `call` table keeps beside the message. `action`: 0 new 1 amend 2 cancel 3 safe."""

    code: str | None
    action: int = 0
    refers_to: int | None = None
    packet_id: int | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """How a message came in over the air."""

    rssi_dbm: int
    snr_cdb: int | None
    hops: int | None


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A verified (or, for a stock device, plainly unverified) message before it is stored. `body` is JSON text."""

    id: str
    kind: str
    node_num: int
    counter: int
    verified: bool
    received_ms: int
    measured_s: int | None
    body: str
    call: Call | None = None
    heard: Heard | None = None
    mode: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """Outcome of taking a message in. `new` is False for a repeat, which is acknowledged all the same."""

    sequence: int
    id: str
    new: bool
    outbox_class: OutboxClass


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message on its way to the city. `body` is JSON text."""

    sequence: int
    id: str
    kind: str
    node_num: int
    counter: int
    verified: bool
    received_ms: int
    measured_s: int | None
    body: str
    outbox_class: OutboxClass
