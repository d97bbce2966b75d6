# SPDX-License-Identifier: Apache-2.0
"""A stock radio's hour: everything goes until more than a tenth is used, then nothing."""

from kiezbox_simulator.stock_radio.stock_ledger import HOUR_MS, StockLedger


def test_refuses_all_ranks_alike_above_the_limit_and_none_below() -> None:
    ledger = StockLedger()
    ledger.spend(360_000, 0)
    assert ledger.may_send(5, 2_000, 1)[0]
    ledger.spend(1, 1)
    assert [ledger.may_send(rank, 1, 2) for rank in range(6)] == [(False, "duty_limit")] * 6


def test_the_hour_slides_by_minutes() -> None:
    ledger = StockLedger()
    ledger.spend(200_000, 0)
    ledger.spend(200_000, 30 * 60_000)
    assert ledger.spent_ms(HOUR_MS - 1) == 400_000
    assert ledger.spent_ms(HOUR_MS) == 200_000
    assert ledger.spent_pct(HOUR_MS) == 200_000 / HOUR_MS * 100
    assert ledger.spent_ms(10 * HOUR_MS) == 0
    assert ledger.next_chance_ms(61_000) == 120_000
    assert ledger.wanted(0) is None
