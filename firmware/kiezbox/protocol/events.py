# SPDX-License-Identifier: Apache-2.0
"""What the endpoints tell their owner, and what they want done. Plain tuples with names; made by both endpoints."""

from collections import namedtuple

StageChanged = namedtuple("StageChanged", ("counter", "stage", "time_s", "station", "text"))  # noqa: PYI024
"""Own message `counter` has reached `stage` (2 gateway, 3 station, 4 read, 5 answered); time 0 and empty texts if not
told."""

ModeCommanded = namedtuple("ModeCommanded", ("message",))  # noqa: PYI024
"""A proven mode command, newer than the last and meant for this box."""

BulletinReceived = namedtuple("BulletinReceived", ("message",))  # noqa: PYI024
TimeReceived = namedtuple("TimeReceived", ("message",))  # noqa: PYI024
"""A proven time that is better than the one the box has."""

ConfigurationReceived = namedtuple("ConfigurationReceived", ("message", "counter"))  # noqa: PYI024
"""Apply it, then say so with `conclude(counter, ...)`."""

ManifestReceived = namedtuple("ManifestReceived", ("message",))  # noqa: PYI024
ReplyReceived = namedtuple("ReplyReceived", ("message",))  # noqa: PYI024
"""Answer to a query by code that was asked at this box."""

ReadingsAcknowledged = namedtuple("ReadingsAcknowledged", ("upto", "gaps", "held"))  # noqa: PYI024
"""Readings with a sequence number <= upto are stored by the gateway, except those `in gaps`.

`sequence in gaps` is right for every number; iterating over gaps gives only those that the gateway named as missing.
held: the same fact the other way round, `sequence in held`.
"""

Persist = namedtuple("Persist", ("name", "value"))  # noqa: PYI024
"""Write `value` to flash under `name` and then call persisted(name, value); give it back in `saved` at the next
start."""

Send = namedtuple("Send", ("payload", "priority", "job"))  # noqa: PYI024
"""Put `payload` on the air as a broadcast on the private port. job: the gateway's job number, or the box's counter; 0
if none."""


class Gaps:
    """The sequence numbers up to `upto` that a gateway does not hold or says nothing about."""

    def __init__(self, readings: "object") -> None:
        self._readings = readings

    def __contains__(self, sequence: int) -> bool:
        return sequence not in self._readings  # type: ignore[operator]

    def __iter__(self):  # type: ignore[no-untyped-def]  # noqa: ANN204
        return iter(self._readings.missing())  # type: ignore[attr-defined]
