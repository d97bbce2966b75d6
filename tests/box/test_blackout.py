# SPDX-License-Identifier: Apache-2.0
from kiezbox.box.blackout import GATEWAY_SILENT, GRID_LOST, PROPOSED, UPLINK_SILENT, Blackout

LOST_MS, SILENT_MS = 120_000, 3_600_000


def look(blackout: Blackout, now_ms: int, grid: bool | None, gateway_ms: int = 0, uplink_ms: int | None = None) -> bool:
    return blackout.look(now_ms, grid, gateway_ms, uplink_ms, LOST_MS, SILENT_MS)


def test_the_grid_is_lost_after_its_time_and_back_after_as_long() -> None:
    blackout = Blackout()
    assert not look(blackout, 0, True)
    assert not look(blackout, 200_000, True)
    assert not look(blackout, 220_000, False)
    assert blackout.signs == GRID_LOST
    assert not look(blackout, 339_999, False)
    assert look(blackout, 340_000, False)
    assert blackout.proposed
    assert not look(blackout, 400_000, True, 400_000)
    assert blackout.signs == PROPOSED
    assert not look(blackout, 450_000, False, 450_000)
    assert not look(blackout, 460_000, True, 460_000)
    assert not look(blackout, 579_999, True, 579_999)
    assert look(blackout, 580_000, True, 580_000)
    assert blackout.signs == 0


def test_a_grid_that_flickers_proposes_nothing() -> None:
    blackout = Blackout()
    assert not any(look(blackout, now_ms, now_ms % 200_000 < 100_000, now_ms) for now_ms in range(0, 9_000_000, 20_000))


def test_silence_counts_without_an_input_only() -> None:
    blackout = Blackout()
    assert not look(blackout, SILENT_MS - 1, None)
    assert look(blackout, SILENT_MS, None)
    assert blackout.signs == GATEWAY_SILENT | PROPOSED
    assert look(blackout, SILENT_MS + 10, None, SILENT_MS + 5)
    with_input = Blackout()
    for now_ms in range(0, 3 * SILENT_MS, 600_000):
        assert not look(with_input, now_ms, True)
    assert with_input.signs == GATEWAY_SILENT


def test_gateway_and_uplink_must_both_be_silent() -> None:
    blackout = Blackout()
    assert not look(blackout, SILENT_MS, None, 0, 1_000)
    assert blackout.signs == GATEWAY_SILENT
    assert look(blackout, SILENT_MS + 1_000, None, 0, 1_000)
    assert blackout.signs == GATEWAY_SILENT | UPLINK_SILENT | PROPOSED
