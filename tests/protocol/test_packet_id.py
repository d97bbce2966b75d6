# SPDX-License-Identifier: Apache-2.0
from kiezbox.protocol.counter import CounterExhausted
from kiezbox.protocol.packet_id import BLOCK, PERSIST_NAME, PacketIds


def taken(ids, count):
    return [ids.take() for _ in range(count)]


def test_no_number_comes_twice_and_none_is_zero():
    ids = PacketIds(b"key")
    numbers = taken(ids, 2_000)
    assert len(set(numbers)) == 2_000
    assert 0 not in numbers
    assert max(numbers) <= 0xFFFFFFFF


def test_numbers_of_other_keys_and_of_the_neighbouring_counter_tell_nothing():
    first, second = taken(PacketIds(b"one"), 64), taken(PacketIds(b"two"), 64)
    assert not set(first) & set(second)
    for bit in range(32):
        ones = sum(number >> bit & 1 for number in first)
        assert 8 <= ones <= 56, bit


def test_nothing_is_given_out_before_flash_holds_the_reservation():
    ids = PacketIds(b"key", {})
    assert not ids.available()
    try:
        ids.take()
    except CounterExhausted:
        pass
    else:
        raise AssertionError
    wanted = ids.wanted()
    assert wanted >= BLOCK
    ids.persisted(wanted)
    assert ids.available()


def test_over_reboots_no_number_comes_twice():
    saved = {}
    seen = set()
    for boot in range(40):
        ids = PacketIds(b"key", saved)
        for _ in range(boot % 7 * 20):
            wanted = ids.wanted()
            if wanted:
                saved = {PERSIST_NAME: wanted}
                ids.persisted(wanted)
            number = ids.take()
            assert number not in seen
            seen.add(number)
    assert len(seen) > 1_000
