# SPDX-License-Identifier: Apache-2.0
"""The airtime ledger against a list of all that was sent, with power cuts at every point of writing flash."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kiezbox.protocol import priority
from kiezbox.protocol.duty import CEILING_PCT, HOUR_MS, LIMIT_MS, PERSIST_NAME, DutyLedger

OPEN_MS = LIMIT_MS * 60 // 100
ranks = st.integers(0, 5)


class LedgerMachine(RuleBasedStateMachine):
    """`world_ms` runs on while the box is off; the ledger's clock starts at 0 with each boot."""

    @initialize()
    def first_boot(self) -> None:
        self.world_ms = 0
        self.booted_ms = 0
        self.flash: dict[str, Any] = {}
        self.sent: list[tuple[int, int, int]] = []
        self.pending: int | None = None
        self.ledger = DutyLedger(saved={})

    @property
    def now_ms(self) -> int:
        return self.world_ms - self.booted_ms

    @rule(
        pause_ms=st.one_of(st.integers(0, 90_000), st.integers(0, 2 * HOUR_MS), st.integers(HOUR_MS - 70_000, HOUR_MS))
    )
    def wait(self, pause_ms: int) -> None:
        self.world_ms += pause_ms

    @rule(rank=ranks, airtime_ms=st.one_of(st.integers(1, 15_000), st.integers(1, 120_000)))
    def send(self, rank: int, airtime_ms: int) -> None:
        spent_ms = self.ledger.spent_ms(self.now_ms)
        allowed, reason = self.ledger.may_send(rank, airtime_ms, self.now_ms)
        assert allowed == (reason == "")
        if allowed:
            assert spent_ms + airtime_ms <= LIMIT_MS * CEILING_PCT[rank] // 100
            self.world_ms += airtime_ms
            self.ledger.spend(airtime_ms, self.now_ms, rank)
            self.sent.append((self.world_ms, airtime_ms, rank))
        elif reason == "duty_limit":
            assert spent_ms + airtime_ms > LIMIT_MS
        elif reason == "duty_reserve":
            assert rank != priority.OWN_EMERGENCY
        else:
            assert reason == "duty_not_persisted"

    @rule(rank=ranks, airtime_ms=st.integers(5_000, 15_000), count=st.integers(1, 30))
    def send_many(self, rank: int, airtime_ms: int, count: int) -> None:
        """With flash that answers at once."""
        for _ in range(count):
            if self.pending is not None:
                self.write(told=True)
            self.send(rank, airtime_ms)
            self.ask()

    @precondition(lambda self: self.pending is None)
    @rule()
    def ask(self) -> None:
        self.pending = self.ledger.wanted(self.now_ms)
        if self.pending is not None:
            assert 0 <= self.pending <= LIMIT_MS
            assert self.ledger.wanted(self.now_ms) is None

    @precondition(lambda self: self.pending is not None)
    @rule(told=st.booleans())
    def write(self, told: bool) -> None:
        self.flash[PERSIST_NAME] = self.pending
        if told:
            self.ledger.persisted(self.pending or 0)
            self.pending = None

    @rule()
    def lower(self) -> None:
        """An hour without traffic, and flash is written but does not answer."""
        self.wait(HOUR_MS + 60_000)
        if self.pending is None:
            self.ask()
        if self.pending is not None:
            self.write(told=False)

    @rule(off_ms=st.one_of(st.just(0), st.integers(0, 90_000), st.integers(0, 2 * HOUR_MS)))
    def power_cut(self, off_ms: int) -> None:
        self.world_ms += off_ms
        self.booted_ms = self.world_ms
        self.pending = None
        self.ledger = DutyLedger(saved=dict(self.flash))

    @invariant()
    def the_hour_that_ends_now_is_within_the_limit_and_counted(self) -> None:
        in_hour = [entry for entry in self.sent if entry[0] > self.world_ms - HOUR_MS]
        spent_ms = sum(airtime_ms for _, airtime_ms, _ in in_hour)
        assert spent_ms <= self.ledger.spent_ms(self.now_ms) <= LIMIT_MS
        assert sum(entry[1] for entry in in_hour if entry[2] > priority.RELAYED_EMERGENCY) <= OPEN_MS

    @invariant()
    def room_is_what_may_be_sent(self) -> None:
        rooms_ms = [self.ledger.room_ms(rank, self.now_ms) for rank in range(6)]
        assert rooms_ms == sorted(rooms_ms, reverse=True)
        for rank, room_ms in enumerate(rooms_ms):
            assert self.ledger.may_send(rank, room_ms + 1, self.now_ms)[1] in ("duty_limit", "duty_reserve")


LedgerMachine.TestCase.settings = settings(
    max_examples=400, stateful_step_count=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
TestLedger = LedgerMachine.TestCase
