# SPDX-License-Identifier: Apache-2.0
"""The replay window."""

from kiezbox.protocol.replay import GATEWAY_SHIFT, NEW, SEEN, TOO_OLD, GatewayWindows, ReplayWindow


def test_each_counter_is_new_once() -> None:
    window = ReplayWindow(8)
    for counter in (1, 3, 2, 9, 7):
        assert window.judge(counter) == NEW
        window.mark(counter)
        assert window.judge(counter) == SEEN
    assert window.highest == 9


def test_below_the_window_is_too_old() -> None:
    window = ReplayWindow(8)
    window.mark(100)
    assert window.judge(93) == NEW
    assert window.judge(92) == TOO_OLD
    window.mark(92)
    assert window.judge(92) == TOO_OLD
    assert window.highest == 100


def test_a_far_jump_forgets_the_bits_but_not_the_order() -> None:
    window = ReplayWindow(8)
    for counter in range(1, 9):
        window.mark(counter)
    window.mark(1000)
    assert window.judge(8) == TOO_OLD
    assert window.judge(999) == NEW
    assert window.judge(1000) == SEEN


def test_counter_zero_is_never_new_for_a_full_window() -> None:
    window = ReplayWindow(8, highest=0, bits=1)
    assert window.judge(0) == SEEN
    assert window.judge(1) == NEW


def test_bits_survive_a_restart() -> None:
    window = ReplayWindow(32)
    for counter in (5, 7, 30):
        window.mark(counter)
    again = ReplayWindow(32, window.highest, window.bits())
    for counter in range(40):
        assert again.judge(counter) == window.judge(counter)


def test_judging_against_a_plain_set() -> None:
    window = ReplayWindow(16)
    seen = set()
    value = 7
    for _ in range(2000):
        value = (value * 1103515245 + 12345) & 0x3FFFFFFF
        counter = max(1, window.highest + (value >> 8) % 24 - 18)
        expected = TOO_OLD if counter <= window.highest - 16 else SEEN if counter in seen else NEW
        assert window.judge(counter) == expected
        if expected == NEW:
            window.mark(counter)
            seen.add(counter)


def test_each_gateway_has_a_window_of_its_own_also_after_a_restart() -> None:
    other = 5 << GATEWAY_SHIFT
    windows = GatewayWindows(8, "down_counter", {})
    assert windows.highest() == 0
    assert windows.judge(other | 1) == NEW
    saved = dict([windows.mark(100), windows.mark(other | 7)])
    assert saved == {"down_counter": 100, "down_counter_5": other | 7}
    assert windows.judge(101) == windows.judge(99) == windows.judge(other | 6) == NEW
    assert windows.judge(100) == windows.judge(other | 7) == SEEN
    assert not windows.is_above_all(100)
    assert windows.is_above_all(101)
    assert windows.is_above_all(2 << GATEWAY_SHIFT | 1)
    again = GatewayWindows(8, "down_counter", saved)
    assert again.judge(99) == again.judge(other | 6) == SEEN
    assert again.judge(92) == TOO_OLD
    assert again.judge(101) == again.judge(other | 8) == NEW
    assert again.highest() == other | 7
