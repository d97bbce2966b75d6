# SPDX-License-Identifier: Apache-2.0
"""Messages for the tests of the store."""

import json

from kiezbox_gateway.store.rows import Call, NewMessage

BOX = 0x7C3E5100
NOW_MS = 1_780_000_000_000


def reading(counter: int, node_num: int = BOX, time_s: int = 1_780_000_000, received_ms: int = NOW_MS) -> NewMessage:
    body = json.dumps({"sequence": counter, "samples": [{"temperature_cc": 2100}]})
    return NewMessage(f"{node_num:08x}-{counter:08x}", "reading", node_num, counter, True, received_ms, time_s, body)


def call(
    counter: int,
    text: str = "Hilfe",
    code: str = "K7QX2M9A",
    *,
    action: int = 0,
    refers_to: int | None = None,
    kind: str = "call",
    received_ms: int = NOW_MS,
) -> NewMessage:
    body = json.dumps({"text": text, "code": code}, ensure_ascii=False)
    identifier = f"{BOX:08x}-{counter:08x}"
    return NewMessage(
        identifier, kind, BOX, counter, True, received_ms, 1_780_000_000, body, Call(code, action, refers_to)
    )
