# SPDX-License-Identifier: Apache-2.0
from kiezbox.protocol.airtime import PRESETS
from kiezbox.protocol.contention import Contention, own_window, relay_window
from kiezbox.protocol.random_bits import RandomBits

LONG_FAST = PRESETS["LONG_FAST"]
SLOT_MS = 28


def contention(preset=LONG_FAST):
    return Contention(preset, RandomBits(b"seed", b"test"))


def slots(draw, count=400):
    """The whole slots that `draw` gave, sorted and each once."""
    found = set()
    for _ in range(count):
        delay_ms = draw()
        assert delay_ms % SLOT_MS == 0
        found.add(delay_ms // SLOT_MS)
    return sorted(found)


def test_window_of_a_relay_grows_with_the_signal():
    assert [relay_window(snr_db) for snr_db in (-20, -19, -15, -14, -8, -2, 0, 4, 9, 10, 16, 22)] == [
        3,
        3,
        3,
        4,
        5,
        6,
        6,
        7,
        7,
        8,
        9,
        10,
    ]
    assert relay_window(-25) == 3  # cut towards zero, as in C
    assert relay_window(-26) == 2
    assert relay_window(-128) == 0


def test_window_of_an_own_packet_grows_with_the_load():
    assert [own_window(load_pct) for load_pct in (0, 19, 20, 50, 99, 100, 300)] == [3, 3, 4, 5, 7, 8, 8]


def test_clients_leave_sixteen_slots_to_routers():
    one = contention()
    assert slots(lambda: one.relay_delay_ms(-20, False)) == list(range(16, 24))
    assert slots(lambda: one.relay_delay_ms(-20, True)) == list(range(6))
    assert slots(lambda: one.relay_delay_ms(10, True), 800) == list(range(16))
    assert slots(lambda: one.relay_delay_ms(-2, False), 2_000) == list(range(16, 80))


def test_the_late_window_begins_where_the_other_ends():
    one = contention()
    assert one.late_delay_ms(-20) == (16 + 8) * SLOT_MS
    assert one.late_delay_ms(10) == (16 + 256) * SLOT_MS


def test_own_packets_on_a_quiet_and_on_a_full_channel():
    one = contention()
    assert slots(lambda: one.own_delay_ms(0)) == list(range(8))
    for now_ms in range(0, 60_000, 1_000):
        one.occupied(1_000_000, now_ms)
    assert one.load_pct(59_999) == 100
    assert max(slots(lambda: one.own_delay_ms(59_999), 800)) > 200


def test_the_load_is_that_of_the_last_minute():
    one = contention()
    one.occupied(3_000_000, 5_000)
    assert one.load_pct(5_000) == 5
    assert one.load_pct(59_999) == 5
    assert one.load_pct(60_000) == 0
    one.occupied(6_000_000, 65_000)
    assert one.load_pct(70_000) == 10
    assert one.load_pct(10_000_000) == 0


def test_after_a_busy_channel_at_least_one_slot_passes():
    one = contention()
    assert slots(lambda: one.again_ms(False, 0, False, 0)) == list(range(1, 8))
    assert slots(lambda: one.again_ms(True, -20, False, 0)) == list(range(16, 24))
    assert slots(lambda: one.again_ms(True, -20, True, 0)) == list(range(1, 6))


def test_wait_for_an_acknowledgement_is_that_of_the_firmware():
    # LongFast, idle, a text of about 40 bytes: 7.1 to 7.3 s were measured on the firmware.
    one = contention()
    assert one.retransmission_ms(559_000, 0) == 2 * 559 + (8 + 16 + 32) * SLOT_MS + 4_500
    assert 7_100 <= one.retransmission_ms(559_000, 0) <= 7_300


def test_among_many_neighbours_a_relay_that_is_no_call_has_a_wider_window():
    one = contention()
    widths = []
    for neighbours in (0, 3, 4, 6, 10, 15, 16):
        one.crowd(neighbours)
        widths.append(one.widening)
    assert widths == [0, 0, 1, 2, 3, 4, 5]
    assert max(slots(lambda: one.relay_delay_ms(-20, False), 16_000)) == 16 + 255
    assert slots(lambda: one.relay_delay_ms(-20, False, urgent=True)) == list(range(16, 24))
    assert slots(lambda: one.relay_delay_ms(-20, True)) == list(range(6))
    assert max(slots(lambda: one.relay_delay_ms(10, False), 20_000)) <= 16 + 2047
    assert max(one.again_ms(True, -20, False, 0, urgent=True) for _ in range(500)) <= 23 * one.slot_ms
