# SPDX-License-Identifier: Apache-2.0
"""What can still be read of a damaged call."""

from kiezbox.protocol import envelope, messages, readable

CALL = {"category": 2, "people": 3, "name": "Ayse", "code": "K7M2QX4P", "action": 0}
BODY = messages.encode(envelope.EMERGENCY, CALL)


def test_a_field_at_fault_costs_only_itself() -> None:
    body = BODY + bytes((2 << 3 | 2, 1, 0x9F))  # A text of a table that does not exist.
    try:
        messages.decode(envelope.EMERGENCY, body)
    except messages.MessageError:
        pass
    else:
        raise AssertionError
    assert readable.part_of(envelope.EMERGENCY, body) == dict(CALL, raw_body=body)


def test_what_is_cut_off_leaves_what_came_before() -> None:
    found = readable.part_of(envelope.EMERGENCY, BODY[:-4])
    assert found["category"] == 2
    assert found["people"] == 3
    assert found["raw_body"] == BODY[:-4]


def test_no_bytes_raise_anything() -> None:
    for length in range(40):
        for step in range(7):
            body = bytes((position * 37 * (step + 1) + step) & 0xFF for position in range(length))
            assert readable.part_of(envelope.BUTTON, body)["raw_body"] == body
