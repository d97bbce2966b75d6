# SPDX-License-Identifier: Apache-2.0
"""Frame error and timing of LoRa against the published figures."""

import math

import pytest

from kiezbox.protocol import airtime
from kiezbox_simulator.world import reception


def exact_symbol_error(snr_db, spreading_factor):
    """Noncoherent detection of M orthogonal symbols, integrated: the envelope of the right one is Rice distributed, the
    other M - 1 are Rayleigh (Proakis, Digital Communications, 4th ed., section 5.4-2)."""
    alphabet = 2**spreading_factor
    offset = math.sqrt(2 * alphabet * 10 ** (snr_db / 10))
    low, high, steps = max(0.0, offset - 9), offset + 9, 2000
    width, total = (high - low) / steps, 0.0
    for step in range(steps + 1):
        x = low + step * width
        density = x * math.exp(-((x - offset) ** 2) / 2) * scaled_bessel(offset * x)
        beaten = 1 - (-math.expm1(-x * x / 2)) ** (alphabet - 1) if x else 1.0
        total += (0.5 if step in (0, steps) else 1.0) * density * beaten * width
    return total


def scaled_bessel(z):
    """exp(-z) I0(z), by its series and for large z by its asymptotic one."""
    total = term = 1.0
    if z < 20:
        number = 0
        while term > 1e-17 * total:
            number += 1
            term *= (z / 2 / number) ** 2
            total += term
        return total * math.exp(-z)
    for number in range(1, 12):
        term *= (2 * number - 1) ** 2 / (8 * z * number)
        total += term
    return total / math.sqrt(2 * math.pi * z)


def snr_for(share, curve, start_db):
    while curve(start_db) > share:
        start_db += 0.01
    return start_db


@pytest.mark.parametrize("spreading_factor", range(7, 13))
def test_symbol_error_is_within_a_quarter_db_of_the_exact_integral(spreading_factor):
    limit_db = reception.SNR_LIMIT_DB[spreading_factor]
    for share in (1e-2, 1e-3):
        exact_db, ours_db = (
            snr_for(share, lambda snr_db, of=of: of(snr_db, spreading_factor), limit_db - 4)
            for of in (exact_symbol_error, reception.symbol_error)
        )
        assert ours_db == pytest.approx(exact_db, abs=0.25)


@pytest.mark.parametrize("spreading_factor", range(7, 13))
def test_one_frame_in_a_hundred_is_lost_near_the_demodulator_limit_of_the_data_sheet(spreading_factor):
    """The data sheet gives limits in steps of 2.5 dB for a packet error rate of 1 %; the curve itself is no threshold:
    two dB lie between one lost frame in a hundred and two in three."""
    limit_db = reception.SNR_LIMIT_DB[spreading_factor]
    one_pct_db = snr_for(0.01, lambda snr_db: reception.frame_error(snr_db, spreading_factor, 64), limit_db - 4)
    assert one_pct_db == pytest.approx(limit_db, abs=1.4)
    assert reception.frame_error(one_pct_db - 2.0, spreading_factor, 64) > 0.65
    assert reception.frame_error(one_pct_db + 1.0, spreading_factor, 64) < 0.001


def test_bit_error_against_the_closed_form_by_hand():
    # SF 9 at -12.5 dB: sqrt(2^10 * 10^-1.25) - sqrt(1.386 * 9 + 1.154) = 7.588 - 3.692 = 3.897; Q(3.897) = 4.88e-5.
    assert reception.bit_error(-12.5, 9) == pytest.approx(0.5 * 4.88e-5, rel=0.02)


def test_frame_error_by_hand():
    # SF 9 at -14 dB: sqrt(2^10 * 10^-1.4) = 6.385; - 3.692 = 2.693; Q = 3.54e-3; Ps = Q * 511/512 = 3.53e-3.
    right = 1 - 3.53e-3
    # 64 bytes: (8 * 64 - 36 + 44) / 36 = 14.4, so 15 blocks of five symbols that mend nothing; a header of eight that
    # mends one.
    header = right**8 + 8 * 3.53e-3 * right**7
    assert reception.frame_error(-14.0, 9, 64) == pytest.approx(1 - header * right**75, rel=0.01)
    # SF 12 at 125 kHz, 4/8: ten rows; (512 - 48 + 44) / 40 = 12.7, so 13 blocks of eight that mend one symbol each.
    wrong = reception.symbol_error(-22.0, 12)
    block = (1 - wrong) ** 8 + 8 * wrong * (1 - wrong) ** 7
    assert reception.frame_error(-22.0, 12, 64, 10, 8) == pytest.approx(1 - block**14)


def test_the_blocks_are_those_that_the_time_on_air_counts():
    """Frame error and airtime must speak of the same number of symbols, for every preset and length."""
    for preset in airtime.PRESETS.values():
        rows = reception.payload_rows(preset.spreading_factor, preset.bandwidth_hz)
        for length in (16, 17, 56, 100, 255):
            symbols = airtime.time_on_air_us(preset, length) / preset.symbol_us - 16 - 4.25 - 8
            snr_db = reception.SNR_LIMIT_DB[preset.spreading_factor] - 2
            right = 1 - reception.symbol_error(snr_db, preset.spreading_factor)
            header = right**8 + 8 * (1 - right) * right**7
            if preset.coding_rate_denominator == 5:
                expected = 1 - header * right**symbols
            else:
                expected = 1 - header ** (symbols / 8 + 1)
            found = reception.frame_error(snr_db, preset.spreading_factor, length, rows, preset.coding_rate_denominator)
            assert found == pytest.approx(expected), (preset.name, length)


def test_frame_error_falls_with_snr_and_grows_with_length():
    errors = [reception.frame_error(tenths / 10, 9, 100) for tenths in range(-200, -80)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 0.999
    assert errors[-1] < 1e-9
    assert reception.frame_error(-14.0, 9, 255) > reception.frame_error(-14.0, 9, 20) > 0


def test_coding_rate_four_eighths_mends_what_four_fifths_does_not():
    assert reception.frame_error(-14.5, 9, 100, None, 8) < 0.5 * reception.frame_error(-14.5, 9, 100)


def test_from_the_clear_snr_on_nothing_is_lost_and_a_little_below_something_may():
    for spreading_factor in range(7, 13):
        clear_db = reception.clear_snr_db(spreading_factor, spreading_factor, 5)
        assert reception.frame_error(clear_db, spreading_factor, 255) <= 2**-32
        assert reception.frame_error(clear_db - 0.2, spreading_factor, 255) > 2**-33
        assert clear_db - reception.SNR_LIMIT_DB[spreading_factor] < 4.5


def test_timings_follow_from_the_symbol():
    symbol_us = 512 * 1e6 / 250_000
    assert reception.symbol_us(9, 250_000) == symbol_us == 2048.0
    assert reception.capture_grace_us(9, 250_000) == 11 * 2048
    assert reception.lock_us(9, 250_000) == round(20.25 * 2048)
    assert reception.cad_us(9, 250_000) == 5120


def test_low_data_rate_optimisation_takes_two_rows_from_symbols_of_sixteen_ms():
    assert reception.payload_rows(11, 125_000) == 9
    assert reception.payload_rows(11, 250_000) == 11


def test_remembered_values_are_the_same_values():
    assert reception.frame_error_tenths(-140, 9, 80, 9, 5) == reception.frame_error(-14.0, 9, 80)
    assert math.isclose(reception.frame_error_tenths(-400, 9, 80, 9, 5), 1.0)
