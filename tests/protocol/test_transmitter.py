# SPDX-License-Identifier: Apache-2.0
from kiezbox.protocol import priority
from kiezbox.protocol.airtime import PRESETS
from kiezbox.protocol.contention import Contention
from kiezbox.protocol.duty import MINUTE_MS, PERSIST_NAME, QUANTUM_MS, DutyLedger
from kiezbox.protocol.events import Persist
from kiezbox.protocol.random_bits import RandomBits
from kiezbox.protocol.transmit_queue import Waiting
from kiezbox.protocol.transmitter import (
    DROPS_MAX,
    FLASH_RETRY_MS,
    RADIO_TIMEOUT_MS,
    Drop,
    Transmit,
    Transmitter,
    milliseconds,
)


class Bench:
    def __init__(self, ledger=None):
        self.counted = []
        self.lost = []
        contention = Contention(PRESETS["MEDIUM_FAST"], RandomBits(b"seed", b"test"))
        self.ledger = ledger or DutyLedger()
        self.one = Transmitter(self.ledger, contention, False, self.counted.append, self.lost.append)


def waiting(number, rank=priority.READING, due_ms=0, relayed=False, airtime_ms=100):
    frame = bytes(8) + number.to_bytes(4, "little") + bytes(4)
    return Waiting(frame, rank, due_ms, relayed, airtime_ms * 1_000)


def sent(actions):
    return [action.packet_id for action in actions if isinstance(action, Transmit)]


def test_one_frame_at_a_time_each_not_before_its_moment():
    bench = Bench()
    bench.one.add(waiting(1, due_ms=50))
    bench.one.add(waiting(2, due_ms=70))
    assert bench.one.next_wakeup_ms(0) == 50
    assert bench.one.poll(49) == []
    assert sent(bench.one.poll(50)) == [1]
    assert bench.one.poll(1_000) == []
    assert bench.one.next_wakeup_ms(1_000) == 50 + 100 + RADIO_TIMEOUT_MS
    bench.one.transmitted(1_000)
    assert bench.ledger.spent_ms(1_000) == 100
    assert bench.one.transmitted(1_000) is None
    assert bench.counted == ["sent"]


def test_after_a_frame_a_window_is_left_to_others():
    pauses = set()
    bench = Bench()
    for number in range(1, 17):
        bench.one.add(waiting(number))
    now_ms = 0
    for _ in range(15):
        assert len(sent(bench.one.poll(now_ms))) == 1
        bench.one.transmitted(now_ms)
        wakeup_ms = bench.one.next_wakeup_ms(now_ms)
        pauses.add(wakeup_ms - now_ms)
        if wakeup_ms > now_ms:
            assert bench.one.poll(wakeup_ms - 1) == []
        now_ms = wakeup_ms
    assert all(pause_ms % 12 == 0 and pause_ms < 8 * 12 for pause_ms in pauses)
    assert len(pauses) > 3


def test_a_more_important_frame_that_is_due_goes_first():
    bench = Bench()
    bench.one.add(waiting(1, priority.READING, relayed=True))
    bench.one.add(waiting(2, priority.OWN_EMERGENCY, due_ms=10))
    assert sent(bench.one.poll(0)) == [1]
    bench.one.transmitted(0)
    bench.one.add(waiting(3, priority.READING))
    assert sent(bench.one.poll(500)) == [2]


def test_a_moment_that_comes_for_a_reading_is_used_by_a_call_that_waits():
    bench = Bench()
    bench.one.add(waiting(1, due_ms=50))
    bench.one.add(waiting(2, priority.OWN_EMERGENCY, due_ms=3_000))
    bench.one.add(waiting(3, priority.RECEIPT, due_ms=2_000, relayed=True))
    assert sent(bench.one.poll(50)) == [2]
    bench.one.transmitted(200)
    # The reading has the call's moment instead, and relays keep their own.
    assert [(item.packet_id, item.due_ms) for item in bench.one.queue.items] == [(3, 2_000), (1, 3_000)]


def test_a_relays_moment_is_its_own():
    bench = Bench()
    bench.one.add(waiting(1, relayed=True, due_ms=50))
    bench.one.add(waiting(2, priority.OWN_EMERGENCY, due_ms=3_000))
    assert sent(bench.one.poll(50)) == [1]


def test_a_busy_channel_draws_another_moment():
    bench = Bench()
    bench.one.add(waiting(1))
    bench.one.poll(0)
    bench.one.channel_busy(0)
    assert bench.ledger.spent_ms(0) == 0
    assert bench.counted == ["channel_busy"]
    again_ms = bench.one.next_wakeup_ms(0)
    assert 12 <= again_ms < 8 * 12
    assert sent(bench.one.poll(again_ms)) == [1]
    bench.one.transmitted(again_ms)
    bench.one.channel_busy(again_ms)
    assert bench.one.next_wakeup_ms(again_ms) is None


def test_a_relay_that_was_given_up_meanwhile_is_not_tried_again():
    bench = Bench()
    item = waiting(1, relayed=True)
    bench.one.add(item)
    bench.one.poll(0)
    item.given_up = True
    bench.one.channel_busy(0)
    assert bench.one.next_wakeup_ms(0) is None
    assert bench.counted == ["channel_busy", "relay_cancelled"]


def test_the_ledger_drops_relays_and_lets_own_frames_wait():
    ledger = DutyLedger(1_000, 40)
    ledger.spend(600, 0, priority.READING)
    bench = Bench(ledger)
    bench.one.add(waiting(1, priority.STRANGER, relayed=True))
    bench.one.add(waiting(2, priority.READING))
    assert bench.one.poll(0) == [Drop("duty_reserve", 1, priority.STRANGER)]
    assert bench.one.next_wakeup_ms(0) == MINUTE_MS
    assert bench.lost == []
    assert bench.counted == ["duty_reserve", "duty_reserve"]
    assert sent(bench.one.poll(61 * MINUTE_MS)) == [2]


def test_flash_first_and_nothing_overtakes_what_waits_for_it():
    bench = Bench(DutyLedger(saved={PERSIST_NAME: 0}))
    bench.one.add(waiting(1, priority.OWN_EMERGENCY, airtime_ms=200))
    bench.one.add(waiting(2, priority.READING, airtime_ms=100))
    assert bench.one.poll(0) == [Persist(PERSIST_NAME, 200 + QUANTUM_MS)]
    assert bench.one.poll(1) == []
    assert bench.one.next_wakeup_ms(1) == FLASH_RETRY_MS
    assert bench.one.poll(FLASH_RETRY_MS) == []
    bench.one.persisted(200 + QUANTUM_MS)
    assert bench.one.next_wakeup_ms(120) == 120
    assert sent(bench.one.poll(120)) == [1]


def test_flash_is_not_asked_while_a_frame_is_with_the_radio():
    bench = Bench(DutyLedger(saved={PERSIST_NAME: 100_000}))
    assert bench.one.poll(0) == []
    late_ms = 62 * MINUTE_MS
    bench.one.add(waiting(1, airtime_ms=14_000, due_ms=late_ms))
    assert sent(bench.one.poll(late_ms)) == [1]
    assert bench.one.poll(late_ms + 1) == []
    bench.one.transmitted(late_ms + 14_000)
    # What was on the air counts before the bound is lowered.
    assert bench.one.poll(late_ms + 14_001) == [Persist(PERSIST_NAME, 14_000 + QUANTUM_MS)]


def test_losses_are_named_and_bounded():
    bench = Bench()
    for number in range(1, 41):
        bench.one.add(waiting(number))
    assert bench.lost == list(range(17, 41))
    assert bench.counted == ["queue_full"] * 24
    assert bench.one.next_wakeup_ms(0) == 0
    actions = bench.one.poll(0)
    assert actions[:-1] == [Drop("queue_full", number, priority.READING) for number in range(17, 17 + DROPS_MAX)]
    assert sent(actions) == [1]


def test_a_relay_that_is_displaced_is_not_reported_as_own():
    bench = Bench()
    for number in range(1, 17):
        bench.one.add(waiting(number, priority.READING, relayed=True))
    bench.one.add(waiting(99, priority.STRANGER))
    assert bench.lost == []
    assert bench.one.poll(0)[0] == Drop("queue_full", 16, priority.READING)


def test_airtime_is_rounded_up():
    assert [milliseconds(airtime_us) for airtime_us in (0, 1, 1_000, 1_001)] == [0, 1, 1, 2]
