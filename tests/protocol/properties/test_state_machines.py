# SPDX-License-Identifier: Apache-2.0
"""Counters, replay window, reassembly, samples and texts under whatever hypothesis thinks of."""

import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kiezbox.protocol import reading, text_coding
from kiezbox.protocol.counter import CounterExhausted, ReservedCounter
from kiezbox.protocol.fragment import Assembler, split
from kiezbox.protocol.replay import NEW, SEEN, TOO_OLD, ReplayWindow

LONG = bool(os.environ.get("KIEZBOX_LONG"))
MACHINES = settings(
    max_examples=1000 if LONG else 60,
    stateful_step_count=60,
    deadline=None,
    derandomize=not LONG,
    suppress_health_check=list(HealthCheck),
)
EXAMPLES = settings(max_examples=20_000 if LONG else 300, deadline=None, derandomize=not LONG)


class Counters(RuleBasedStateMachine):
    """Power cuts at any moment, writes that were asked for and did or did not happen: no number comes twice."""

    def __init__(self) -> None:
        super().__init__()
        self.flash = 0
        self.asked = 0
        self.used: set[int] = set()
        self.counter = ReservedCounter(0, block=4)

    @rule()
    def take(self) -> None:
        try:
            number = self.counter.take()
        except CounterExhausted:
            return
        assert number not in self.used
        assert 0 < number < self.flash
        self.used.add(number)

    @rule()
    def ask(self) -> None:
        self.asked = self.counter.wanted() or self.asked

    @precondition(lambda self: self.asked)
    @rule(confirmed=st.booleans())
    def write(self, confirmed: bool) -> None:
        self.flash = max(self.flash, self.asked)
        if confirmed:
            self.counter.persisted(self.asked)

    @precondition(lambda self: self.asked)
    @rule()
    def fail_to_write(self) -> None:
        self.counter.ask_again()

    @rule()
    def power_cut(self) -> None:
        self.asked = 0
        self.counter = ReservedCounter(self.flash, block=4)


class Replays(RuleBasedStateMachine):
    """Against a plain set of everything ever marked."""

    def __init__(self) -> None:
        super().__init__()
        self.window = ReplayWindow(16)
        self.marked: set[int] = set()

    @rule(step=st.integers(-20, 40))
    def hear(self, step: int) -> None:
        counter = max(1, self.window.highest + step)
        verdict = self.window.judge(counter)
        if self.window.highest - counter >= 16:
            assert verdict == TOO_OLD
        else:
            assert verdict == (SEEN if counter in self.marked else NEW)
        if verdict == NEW:
            self.window.mark(counter)
            self.marked.add(counter)
            assert self.window.judge(counter) == SEEN

    @rule()
    def restart(self) -> None:
        self.window = ReplayWindow(16, self.window.highest, self.window.bits())

    @invariant()
    def highest_is_the_highest(self) -> None:
        assert self.window.highest == max(self.marked, default=0)


class Reassembly(RuleBasedStateMachine):
    """Fragments of several messages in any order: what comes out is what went in, and memory stays bounded."""

    def __init__(self) -> None:
        super().__init__()
        self.assembler = Assembler(3, 400, 100)
        self.now_ms = 0
        self.bodies = {key: bytes([65 + key]) * (40 * key + 30) for key in range(5)}

    @rule(key=st.integers(0, 4), index=st.integers(0, 7), wait_ms=st.integers(0, 30))
    def hear(self, key: int, index: int, wait_ms: int) -> None:
        self.now_ms += wait_ms
        parts = split(self.bodies[key], 30)
        index %= len(parts)
        before = self.assembler.held(key)
        body = self.assembler.add(key, index, len(parts), parts[index], self.now_ms)
        if body is not None:
            assert body == self.bodies[key]
            assert self.assembler.held(key) == 0
        elif self.assembler.held(key):
            assert self.assembler.held(key) in (before | 1 << index, 1 << index)

    @rule()
    def silence(self) -> None:
        self.now_ms += 100
        self.assembler.expire(self.now_ms)
        assert self.assembler.waiting() == []

    @invariant()
    def bounded(self) -> None:
        assert len(self.assembler.waiting()) <= 3
        assert sum(message.length for message in self.assembler._unfinished) <= 400


Counters.TestCase.settings = Replays.TestCase.settings = Reassembly.TestCase.settings = MACHINES
TestCounters = Counters.TestCase
TestReplays = Replays.TestCase
TestReassembly = Reassembly.TestCase

VALUES = st.dictionaries(st.sampled_from(reading.VALUE_NAMES), st.integers(-0x3FFFFFFF, 0x3FFFFFFF))


@EXAMPLES
@given(st.lists(VALUES, min_size=1, max_size=15))
def test_any_samples_come_back(samples: list[dict[str, int]]) -> None:
    assert reading.decode(reading.encode(samples)) == samples


@EXAMPLES
@given(st.text(max_size=200), st.sampled_from(("", "de", "en", "tr", "ar", "ru", "uk", "pl", "vi", "xx")))
def test_any_text_comes_back_and_grows_by_one_byte_at_most(text: str, language: str) -> None:
    coded = text_coding.encode(text, language)
    assert text_coding.decode(coded) == text
    assert len(coded) <= len(text.encode()) + 1


@EXAMPLES
@given(
    st.text("aAäÄßẞiIıİşŁłđĐẾếữỰжЖїЇґ'ا؟،ﻻ 0123456789.,?!-:\n\u0301\u0300\U0001f525", max_size=60),
    st.sampled_from(("de", "tr", "ar", "ru", "uk", "pl", "vi")),
)
def test_texts_of_awkward_letters_come_back(text: str, language: str) -> None:
    assert text_coding.decode(text_coding.encode(text, language)) == text


@EXAMPLES
@given(st.binary(max_size=80))
def test_rubbish_is_a_value_error_or_a_text(coded: bytes) -> None:
    for decode in (text_coding.decode, reading.decode):
        try:
            decode(coded)  # type: ignore[operator]
        except ValueError:
            continue
