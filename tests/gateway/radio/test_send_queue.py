# SPDX-License-Identifier: Apache-2.0
"""The queue towards the radio: order, bound, expiry, pause between texts."""

from kiezbox_gateway.radio.send_queue import PORT_TEXT, TEXT_PAUSE_MS, Outgoing, SendQueue


def packet(packet_id: int, priority: int = 3, portnum: int = 256, expires_ms: int | None = None) -> Outgoing:
    return Outgoing(packet_id, portnum, b"x", priority, expires_ms=expires_ms)


def test_order_is_priority_then_age() -> None:
    queue = SendQueue()
    for packet_id, priority in ((1, 3), (2, 0), (3, 3), (4, 2)):
        assert queue.put(packet(packet_id, priority)) is None
    assert [queue.take(0).packet_id for _ in range(4)] == [2, 4, 1, 3]  # type: ignore[union-attr]
    assert queue.take(0) is None


def test_full_queue_drops_the_least_important_and_counts_it() -> None:
    queue = SendQueue(limit=3)
    for packet_id in (1, 2, 3):
        queue.put(packet(packet_id, 4))
    dropped = queue.put(packet(4, 0))
    assert dropped is not None
    assert dropped.packet_id == 3
    own = queue.put(packet(5, 5))
    assert own is not None
    assert own.packet_id == 5
    assert queue.dropped == {"queue_full": 2}
    assert len(queue) == 3
    assert queue.take(0).packet_id == 4  # type: ignore[union-attr]


def test_expired_packets_are_not_sent() -> None:
    queue = SendQueue()
    queue.put(packet(1, 0, expires_ms=100))
    queue.put(packet(2, 1))
    assert queue.take(100).packet_id == 2  # type: ignore[union-attr]
    assert queue.dropped == {"expired": 1}


def test_put_back_goes_first_in_its_priority() -> None:
    queue = SendQueue()
    queue.put(packet(1))
    queue.put(packet(2))
    first = queue.take(0)
    assert first is not None
    queue.put_back(first)
    assert queue.take(0) is first


def test_texts_keep_the_pause_of_the_radio_and_others_pass() -> None:
    queue = SendQueue()
    queue.put(packet(1, 0, PORT_TEXT))
    queue.put(packet(2, 0, PORT_TEXT))
    queue.put(packet(3, 5))
    assert queue.take(0).packet_id == 1  # type: ignore[union-attr]
    assert queue.take(1).packet_id == 3  # type: ignore[union-attr]
    assert queue.take(2) is None
    assert queue.next_ms(2) == TEXT_PAUSE_MS
    assert queue.take(TEXT_PAUSE_MS).packet_id == 2  # type: ignore[union-attr]
    assert queue.next_ms(TEXT_PAUSE_MS) is None
