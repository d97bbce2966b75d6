# SPDX-License-Identifier: Apache-2.0
"""A clock is told to the boxes only when it is known to be right."""

import pytest

from kiezbox_gateway import clock


def test_never_set_clock_is_not_told() -> None:
    assert clock.quality("always", now_s=0) == clock.QUALITY_NONE
    assert clock.quality("always", now_s=clock.EARLIEST_S) == clock.QUALITY_GOOD


def test_kernel_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert clock.kernel_in_step() in (True, False)
    for in_step, wanted in ((True, clock.QUALITY_GOOD), (False, clock.QUALITY_NONE)):
        monkeypatch.setattr(clock, "kernel_in_step", lambda in_step=in_step: in_step)
        assert clock.quality("kernel") == wanted
        assert clock.quality("never") == clock.QUALITY_NONE

    def fail() -> bool:
        raise OSError(1, "not permitted")

    monkeypatch.setattr(clock, "kernel_in_step", fail)
    assert clock.quality("kernel") == clock.QUALITY_NONE
