# SPDX-License-Identifier: Apache-2.0
from kiezbox.protocol import priority
from kiezbox.protocol.transmit_queue import TransmitQueue, Waiting


def waiting(number, rank, relayed=False):
    return Waiting(bytes(8) + number.to_bytes(4, "little") + bytes(4), rank, 0, relayed, 1000)


def order(queue):
    return [item.packet_id for item in queue.items]


def test_the_most_important_first_then_relays_then_the_order_of_arrival():
    queue = TransmitQueue()
    for number, rank, relayed in (
        (1, priority.READING, False),
        (2, priority.STRANGER, False),
        (3, priority.STRANGER, True),
        (4, priority.RECEIPT, True),
        (5, priority.OWN_EMERGENCY, False),
        (6, priority.STRANGER, True),
        (7, priority.RELAYED_EMERGENCY, True),
        (8, priority.COMMAND, True),
        (9, priority.STRANGER, False),
    ):
        assert queue.add(waiting(number, rank, relayed)) is None
    assert order(queue) == [5, 7, 4, 8, 3, 6, 2, 9, 1]


def test_the_late_window_comes_last_within_its_rank():
    queue = TransmitQueue()
    late = waiting(1, priority.STRANGER, True)
    queue.add(late)
    queue.add(waiting(2, priority.STRANGER, False))
    queue.add(waiting(3, priority.READING, True))
    queue.postpone(late, 700)
    assert order(queue) == [2, 1, 3]
    assert late.late
    assert late.due_ms == 700


def test_a_full_queue_gives_up_its_last_for_a_better_one_only():
    queue = TransmitQueue(2)
    first, second = waiting(1, priority.STRANGER), waiting(2, priority.READING)
    queue.add(first)
    queue.add(second)
    same = waiting(3, priority.READING)
    assert queue.add(same) is same
    relayed = waiting(4, priority.READING, True)
    assert queue.add(relayed) is second
    urgent = waiting(5, priority.OWN_EMERGENCY)
    assert queue.add(urgent) is relayed
    assert order(queue) == [5, 1]
    assert len(queue) == 2


def test_find_and_remove_by_sender_and_id():
    queue = TransmitQueue()
    item = waiting(7, priority.STRANGER)
    queue.add(item)
    assert queue.find(item.frame[4:12]) is item
    queue.remove(item)
    assert queue.find(item.frame[4:12]) is None
    try:
        queue.remove(item)
    except ValueError:
        return
    raise AssertionError
