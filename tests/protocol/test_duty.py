# SPDX-License-Identifier: Apache-2.0
from kiezbox.protocol import priority
from kiezbox.protocol.duty import HOUR_MS, LIMIT_MS, LOWER_AFTER_MS, MINUTE_MS, PERSIST_NAME, QUANTUM_MS, DutyLedger

OWN, RELAYED, RECEIPT = priority.OWN_EMERGENCY, priority.RELAYED_EMERGENCY, priority.RECEIPT
COMMAND, STRANGER, READING = priority.COMMAND, priority.STRANGER, priority.READING
RANKS = (OWN, RELAYED, RECEIPT, COMMAND, STRANGER, READING)


def fill(ledger, rank, now_ms=0, step_ms=100):
    """Spend as much as `rank` may; returns how much that was."""
    spent_ms = 0
    while ledger.may_send(rank, step_ms, now_ms)[0]:
        ledger.spend(step_ms, now_ms, rank)
        spent_ms += step_ms
    return spent_ms


def test_alone_each_rank_fills_its_share_of_the_hour():
    shares = [fill(DutyLedger(), rank) * 100 // LIMIT_MS for rank in RANKS]
    assert shares == [100, 90, 60, 57, 54, 45]


def test_what_is_no_emergency_never_touches_the_reserve():
    ledger = DutyLedger()
    for rank in (READING, STRANGER, COMMAND, RECEIPT):
        fill(ledger, rank)
    assert ledger.spent_ms(0) == LIMIT_MS * 60 // 100
    assert ledger.room_ms(OWN, 0) == LIMIT_MS * 40 // 100
    for rank in (RECEIPT, COMMAND, STRANGER, READING):
        assert ledger.may_send(rank, 1, 0) == (False, "duty_reserve")


def test_relayed_emergencies_leave_a_tenth_for_our_own():
    ledger = DutyLedger()
    fill(ledger, RELAYED)
    assert ledger.may_send(RELAYED, 1, 0) == (False, "duty_reserve")
    assert fill(ledger, OWN) == LIMIT_MS // 10
    assert ledger.may_send(OWN, 1, 0) == (False, "duty_limit")
    assert ledger.spent_ms(0) == LIMIT_MS


def test_many_emergencies_silence_readings_and_not_the_receipts():
    ledger = DutyLedger()
    while ledger.spent_ms(0) < LIMIT_MS * 70 // 100:
        ledger.spend(1_000, 0, RELAYED)
    assert not ledger.may_send(READING, 100, 0)[0]
    assert not ledger.may_send(STRANGER, 100, 0)[0]
    assert ledger.may_send(RECEIPT, 100, 0) == (True, "")
    assert ledger.may_send(COMMAND, 100, 0) == (True, "")


def test_another_reserve():
    assert fill(DutyLedger(1_000, 0), STRANGER, step_ms=1) == 900
    assert fill(DutyLedger(1_000, 100), RECEIPT, step_ms=1) == 0
    assert fill(DutyLedger(1_000, 100), OWN, step_ms=1) == 1_000


def test_a_minute_counts_until_its_last_instant_is_an_hour_ago():
    ledger = DutyLedger()
    ledger.spend(1_000, 30_000, OWN)
    assert ledger.spent_ms(HOUR_MS + MINUTE_MS - 1) == 1_000
    assert ledger.spent_ms(HOUR_MS + MINUTE_MS) == 0
    assert ledger.next_chance_ms(HOUR_MS + 1) == HOUR_MS + MINUTE_MS


def test_after_a_long_silence_nothing_is_left():
    ledger = DutyLedger()
    for minute in range(90):
        ledger.spend(10, minute * MINUTE_MS, READING)
    assert ledger.spent_ms(90 * MINUTE_MS) == 600
    assert ledger.spent_ms(90 * MINUTE_MS + 10 * HOUR_MS) == 0
    assert fill(ledger, READING, 90 * MINUTE_MS + 10 * HOUR_MS) == LIMIT_MS * 45 // 100


def test_nothing_goes_out_before_flash_holds_the_bound():
    ledger = DutyLedger(saved={})
    assert ledger.wanted(0) is None
    assert ledger.may_send(READING, 500, 0) == (False, "duty_not_persisted")
    bound_ms = ledger.wanted(0)
    assert bound_ms == 500 + QUANTUM_MS
    assert ledger.wanted(0) is None
    assert ledger.may_send(READING, 500, 0) == (False, "duty_not_persisted")
    ledger.persisted(1)
    assert ledger.may_send(READING, 500, 0) == (False, "duty_not_persisted")
    ledger.persisted(bound_ms)
    assert ledger.may_send(READING, 500, 0) == (True, "")
    ledger.spend(500, 0, READING)
    assert ledger.may_send(OWN, QUANTUM_MS, 0) == (True, "")
    assert ledger.may_send(OWN, QUANTUM_MS + 1, 0) == (False, "duty_not_persisted")


def test_the_bound_never_passes_the_limit():
    ledger = DutyLedger(saved={PERSIST_NAME: LIMIT_MS - 1_000})
    assert ledger.may_send(OWN, 1_000, 0) == (False, "duty_not_persisted")
    assert ledger.wanted(0) == LIMIT_MS


def test_a_reboot_counts_all_that_could_have_been_spent():
    ledger = DutyLedger(saved={PERSIST_NAME: 200_000})
    assert ledger.spent_ms(0) == 200_000
    assert ledger.may_send(READING, 100, 0) == (False, "duty_reserve")
    assert ledger.spent_ms(HOUR_MS) == 200_000
    assert ledger.spent_ms(HOUR_MS + MINUTE_MS) == 0


def test_what_the_last_life_spent_counts_from_now_on_wherever_the_clock_begins():
    for began_ms in (0, 7 * HOUR_MS + 12_345, 3 << 30):
        ledger = DutyLedger(saved={PERSIST_NAME: LIMIT_MS})
        for now_ms in (began_ms, began_ms + HOUR_MS - 1):
            assert ledger.spent_ms(now_ms) == LIMIT_MS
            assert ledger.may_send(OWN, 1, now_ms) == (False, "duty_limit")
        assert ledger.spent_ms(began_ms + HOUR_MS + MINUTE_MS) == 0


def test_a_bound_that_cannot_be_is_taken_for_the_whole_limit():
    for value in (-1, LIMIT_MS + 1, "7", None, 1.5):
        ledger = DutyLedger(saved={PERSIST_NAME: value})
        assert ledger.spent_ms(0) == LIMIT_MS, value
        assert ledger.may_send(OWN, 1, 0) == (False, "duty_limit")


def test_a_bound_much_too_high_is_lowered_after_a_while():
    ledger = DutyLedger(saved={PERSIST_NAME: 100_000})
    assert ledger.wanted(0) is None
    now_ms = HOUR_MS + MINUTE_MS
    assert ledger.wanted(now_ms - 1) is None
    assert ledger.wanted(now_ms) == QUANTUM_MS
    # Until flash has answered it may hold either: the lower one binds.
    assert ledger.may_send(OWN, QUANTUM_MS + 1, now_ms) == (False, "duty_not_persisted")
    assert ledger.wanted(now_ms) is None
    ledger.persisted(QUANTUM_MS)
    assert ledger.may_send(OWN, QUANTUM_MS + 1, now_ms) == (False, "duty_not_persisted")
    raised_ms = ledger.wanted(now_ms)
    assert raised_ms == 2 * QUANTUM_MS + 1
    ledger.persisted(raised_ms)
    assert ledger.may_send(OWN, QUANTUM_MS + 1, now_ms) == (True, "")
    assert ledger.wanted(now_ms + LOWER_AFTER_MS - 1) is None


def test_limits_out_of_range_are_refused():
    for arguments in ((0, 40), (-1, 40), (100, -1), (100, 101)):
        try:
            DutyLedger(*arguments)
        except ValueError:
            continue
        raise AssertionError(arguments)


def test_how_full_the_open_part_is():
    ledger = DutyLedger()
    assert ledger.open_pct(0) == 0
    ledger.spend(54_000, 0, READING)
    ledger.spend(100_000, 0, OWN)
    assert ledger.open_pct(0) == 25
    assert ledger.open_pct(HOUR_MS + MINUTE_MS) == 0
    assert DutyLedger(LIMIT_MS, 100).open_pct(0) == 0
