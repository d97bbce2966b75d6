# SPDX-License-Identifier: Apache-2.0
"""A clock is told to the boxes only when it is known to be right."""

import pytest

from kiezbox_gateway import clock


def test_never_set_clock_is_not_told() -> None:
    assert clock.quality("always", now_s=0) == clock.QUALITY_NONE
    assert clock.quality("always", now_s=clock.EARLIEST_S) == clock.QUALITY_GOOD


def test_kernel_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    found = clock.kernel_error_us()
    # The kernel itself says "not in step" from 16 s on.
    assert found is None or 0 <= found <= 16_000_000
    for error_us, wanted in (
        (None, clock.QUALITY_NONE),
        (30_000, clock.QUALITY_GOOD),
        (2_000_000, clock.QUALITY_GOOD),
        (2_000_001, clock.QUALITY_FAIR),
        (15_000_000, clock.QUALITY_FAIR),
    ):
        monkeypatch.setattr(clock, "kernel_error_us", lambda error_us=error_us: error_us)
        assert clock.quality("kernel") == wanted
        assert clock.quality("never") == clock.QUALITY_NONE

    def fail() -> int:
        raise OSError(1, "not permitted")

    monkeypatch.setattr(clock, "kernel_error_us", fail)
    assert clock.quality("kernel") == clock.QUALITY_NONE


def test_jump_while_ntp_is_away_is_not_followed() -> None:
    steady = clock.SteadyClock()
    # Before NTP has ever spoken there is nothing better than the clock itself.
    assert steady.judge(5_000, 0, clock.QUALITY_NONE) == 5_000
    assert steady.judge(1_000_000, 1_000, clock.QUALITY_GOOD) == 1_000_000
    # Away: 10 s pass, the clock says 30 years.
    assert steady.judge(10**12, 11_000, clock.QUALITY_NONE) == 1_010_000
    assert steady.judge(5, 12_000, clock.QUALITY_NONE) == 1_011_000
    # Back: what NTP says counts again.
    assert steady.judge(1_500_000, 13_000, clock.QUALITY_FAIR) == 1_500_000
