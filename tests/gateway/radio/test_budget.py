# SPDX-License-Identifier: Apache-2.0
"""The hour's airtime: commands stop before receipts do, the radio's own report counts, other regions are free."""

from kiezbox.protocol import priority
from kiezbox_gateway.radio.budget import AirBudget


def fill(budget: AirBudget, rank: int, now_ms: int) -> int:
    """Frames of full length until the budget says no."""
    count = 0
    while budget.may_send(rank, 231, now_ms) and count < 10_000:
        budget.spend(rank, 231, now_ms)
        count += 1
    return count


def test_commands_leave_room_for_receipts() -> None:
    budget = AirBudget("EU_868", "MEDIUM_FAST")
    commands = fill(budget, priority.COMMAND, 0)
    used = budget.used_pct(0)
    assert used is not None
    assert 50 < used < 60
    assert not budget.may_send(priority.COMMAND, 231, 0)
    receipts = fill(budget, priority.RECEIPT, 0)
    assert receipts > commands // 2
    assert not budget.may_send(priority.RECEIPT, 231, 0)
    # An hour later all of it is free again.
    assert budget.may_send(priority.COMMAND, 231, 3_600_000 + 60_000)


def test_what_the_radio_reports_counts_for_ten_minutes() -> None:
    budget = AirBudget("EU_868", "MEDIUM_FAST")
    budget.note_report(7.0, 1_000)
    assert not budget.may_send(priority.COMMAND, 50, 2_000)
    assert budget.may_send(priority.RECEIPT, 50, 2_000)
    assert budget.used_pct(2_000) == 70
    budget.note_report(250.0, 2_000)  # Nonsense changes nothing.
    assert budget.used_pct(2_000) == 70
    assert budget.may_send(priority.COMMAND, 50, 700_000)


def test_regions_without_a_share_are_not_held() -> None:
    budget = AirBudget("US", "MEDIUM_FAST")
    assert fill(budget, priority.COMMAND, 0) == 10_000
    assert budget.used_pct(0) is None
    assert fill(AirBudget("EU_868", "SHORT_TURBO"), priority.COMMAND, 0) == 10_000
