# SPDX-License-Identifier: Apache-2.0
"""The city message: native JSON as described in docs/city-message.schema.json and docs/asyncapi.yaml.

One encoder behind a small port (`Profile`): profiles for other platforms are further classes with the same methods.
Calls for help have topics of their own and never go out on one that carries readings.
"""

import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

from kiezbox_gateway.store.rows import Waiting

SCHEMA = "kiezbox/1"
TOPIC_ROOT = "kiezbox/v1"


class Profile(Protocol):
    """How a message is written for one kind of city platform."""

    def encode(self, message: Waiting) -> tuple[str, bytes]:
        """(topic, payload). The same message always gives the same bytes."""

    def confirmed_topic(self) -> str:
        """Where the city names the ids it has stored, for confirmation = "readback"."""


@lru_cache(maxsize=1024)
def _second(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def instant(unix_ms: int) -> str:
    """Unix milliseconds as ISO 8601 in UTC, to the millisecond."""
    return f"{_second(unix_ms // 1000)}.{unix_ms % 1000:03d}Z"


@lru_cache(maxsize=4096)
def _quoted(name: str | None) -> str:
    return json.dumps(name, ensure_ascii=False)


class NativeProfile:
    """Kiezbox's own JSON. `names`: box node number -> name, read at each message so that it may change."""

    def __init__(self, district: str, names: dict[int, str]) -> None:
        self._district = district
        self._names = names

    def encode(self, message: Waiting) -> tuple[str, bytes]:
        """(topic, payload); ids are plain ASCII of our making, the body is JSON text already: both are spliced in."""
        box = f"{message.node_num:08x}"
        name = _quoted(self._names.get(message.node_num))
        measured_at = f'"{instant(message.measured_s * 1000)}"' if message.measured_s is not None else "null"
        payload = (
            f'{{"schema":"{SCHEMA}","id":"{message.id}","kind":"{message.kind}","box":"{box}",'
            f'"box_name":{name},"counter":{message.counter},'
            f'"received_at":"{instant(message.received_ms)}","measured_at":{measured_at},'
            f'"verified":{"true" if message.verified else "false"},"body":{message.body}}}'
        )
        return f"{TOPIC_ROOT}/{self._district}/{box}/{message.kind}", payload.encode()

    def confirmed_topic(self) -> str:
        """kiezbox/v1/DISTRICT/confirmed"""
        return f"{TOPIC_ROOT}/{self._district}/confirmed"
