# SPDX-License-Identifier: Apache-2.0
import pytest

from kiezbox.box.router_power import STALE_MS, RouterPower

OFF_MV, ON_MV = 3_500, 3_750


def decide(router: RouterPower, mode: str, battery: tuple[int, int] | None) -> bool:
    router.decide(mode, battery, OFF_MV, ON_MV)
    return router.on


@pytest.mark.parametrize(
    ("mode", "on"), [("everyday", False), ("maintenance", False), ("exercise", True), ("emergency", True)]
)
def test_it_follows_the_mode(mode: str, on: bool) -> None:
    assert decide(RouterPower(), mode, (4_000, 0)) is on
    assert decide(RouterPower(), mode, None) is on


def test_it_follows_the_battery_with_hysteresis() -> None:
    router = RouterPower()
    assert not decide(router, "emergency", (3_700, 0))
    assert decide(router, "emergency", (3_750, 0))
    assert decide(router, "emergency", (3_500, 0))
    assert not decide(router, "emergency", (3_499, 0))
    assert not decide(router, "emergency", (3_749, 0))
    assert decide(router, "emergency", (3_751, 0))


def test_a_battery_that_nobody_measures_any_more_counts_as_empty() -> None:
    router = RouterPower()
    assert decide(router, "emergency", (4_000, STALE_MS))
    assert not decide(router, "emergency", (4_000, STALE_MS + 1))


def test_it_says_when_it_has_changed() -> None:
    router = RouterPower()
    assert router.decide("emergency", (4_000, 0), OFF_MV, ON_MV)
    assert not router.decide("emergency", (4_000, 0), OFF_MV, ON_MV)
    assert router.decide("everyday", (4_000, 0), OFF_MV, ON_MV)
