# SPDX-License-Identifier: Apache-2.0
from kiezbox.protocol.history import OTHER_CONTENT, UNKNOWN, History

SAME, OTHER = b"\x01\x02", b"\x02\x01"


def key(number):
    return number.to_bytes(4, "little") + b"\x01\x02\x03\x04"


def test_what_was_heard_is_found_with_its_fields():
    history = History(4)
    assert history.find(key(1), SAME) == UNKNOWN
    place = history.add(key(1), SAME, 5, 0x11, 0x22)
    assert history.find(key(1), SAME) == place
    assert (history.hop_limit(place), history.next_hop(place), history.relay_node(place)) == (5, 0x11, 0x22)
    assert not history.relayed(place)


def test_the_oldest_is_forgotten_first():
    history = History(4)
    for number in range(1, 7):
        history.add(key(number), SAME, 1)
    assert [history.find(key(number), SAME) >= 0 for number in range(1, 7)] == [False, False, True, True, True, True]


def test_the_highest_hop_limit_is_kept_and_the_note_of_a_relay_with_it():
    history = History(4)
    place = history.add(key(1), SAME, 3)
    history.note_relayed(key(1), SAME)
    history.raise_hop_limit(place, 2)
    assert history.hop_limit(place) == 3
    history.raise_hop_limit(place, 7)
    assert history.hop_limit(place) == 7
    assert history.relayed(place)
    history.note_relayed(key(9), SAME)


def test_a_new_packet_inherits_nothing_from_the_one_it_replaces():
    history = History(1)
    history.add(key(1), SAME, 7, 1, 2)
    history.note_relayed(key(1), SAME)
    place = history.add(key(2), SAME, 1)
    assert not history.relayed(place)
    assert (history.hop_limit(place), history.next_hop(place), history.relay_node(place)) == (1, 0, 0)


def test_flooding_forgets_who_was_asked():
    history = History(2)
    place = history.add(key(1), SAME, 3, 0x44, 0x55)
    history.flood(place)
    assert history.next_hop(place) == 0


def test_a_key_across_two_entries_is_not_found():
    history = History(4)
    history.add(b"aaaabbbb", SAME, 1)
    history.add(b"ccccdddd", SAME, 1)
    assert history.find(b"bbbbcccc", SAME) == UNKNOWN
    history.add(b"bbbbcccc", SAME, 1)
    assert history.find(b"bbbbcccc", SAME) == 2


def test_a_history_of_nothing_is_refused():
    try:
        History(0)
    except ValueError:
        return
    raise AssertionError


def test_another_content_is_another_packet():
    history = History(4)
    first = history.add(key(1), SAME, 3)
    assert history.find(key(1), OTHER) == OTHER_CONTENT
    second = history.add(key(1), OTHER, 4)
    assert history.find(key(1), SAME) == first
    assert history.find(key(1), OTHER) == second
    assert history.find(key(1), b"\x00\x00") == OTHER_CONTENT
    history.note_relayed(key(1), OTHER)
    assert not history.relayed(first)
    assert history.relayed(second)
