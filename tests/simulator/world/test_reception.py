# SPDX-License-Identifier: Apache-2.0
"""Frame error and timing of LoRa against the published figures."""

import math

import pytest

from kiezbox_simulator.world import reception


@pytest.mark.parametrize("spreading_factor", range(7, 13))
def test_the_demodulator_limit_of_the_data_sheet_lies_on_the_edge_of_the_frame_error_curve(spreading_factor):
    limit_db = reception.SNR_LIMIT_DB[spreading_factor]
    assert reception.frame_error(limit_db + 2.0, spreading_factor, 64) < 0.02
    assert reception.frame_error(limit_db - 3.0, spreading_factor, 64) > 0.9


def test_bit_error_against_the_closed_form_by_hand():
    # SF 9 at -12.5 dB: sqrt(2^10 * 10^-1.25) - sqrt(1.386 * 9 + 1.154) = 7.588 - 3.692 = 3.897; Q(3.897) = 4.88e-5.
    assert reception.bit_error(-12.5, 9) == pytest.approx(0.5 * 4.88e-5, rel=0.02)


def test_frame_error_falls_with_snr_and_grows_with_length():
    errors = [reception.frame_error(tenths / 10, 9, 100) for tenths in range(-180, -80)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 0.999
    assert errors[-1] < 1e-9
    assert reception.frame_error(-13.0, 9, 255) > reception.frame_error(-13.0, 9, 20) > 0


def test_coding_rate_four_eighths_mends_what_four_fifths_does_not():
    assert reception.frame_error(-13.5, 9, 100, 8) < 0.5 * reception.frame_error(-13.5, 9, 100, 5)


def test_timings_follow_from_the_symbol():
    symbol_us = 512 * 1e6 / 250_000
    assert reception.symbol_us(9, 250_000) == symbol_us == 2048.0
    assert reception.capture_grace_us(9, 250_000) == 11 * 2048
    assert reception.lock_us(9, 250_000) == round(20.25 * 2048)
    assert reception.cad_us(9, 250_000) == 5120


def test_remembered_values_are_the_same_values():
    assert reception.frame_error_tenths(-130, 9, 80, 5) == reception.frame_error(-13.0, 9, 80)
    assert math.isclose(reception.frame_error_tenths(-400, 9, 80, 5), 1.0)
