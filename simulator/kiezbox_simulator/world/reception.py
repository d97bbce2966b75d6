# SPDX-License-Identifier: Apache-2.0
"""What happens to one LoRa frame at one receiver: frame error over SNR, and capture between overlapping frames.

Frame error: LoRa's chirps are orthogonal symbols, so the bit error rate has a closed approximation (Elshabrawy,
Robert: Closed-Form Approximation of LoRa Modulation BER Performance, IEEE Communications Letters 22(9), 2018, eq. 23):
Pb = 0.5 Q(sqrt(2^(SF+1) snr) - sqrt(1.386 SF + 1.154)). A symbol of M = 2^SF orthogonal ones is wrong with
Ps = 2 Pb (M-1)/M (Proakis: Digital Communications, 4th ed., eq. 5.2-24). The interleaver lays each symbol across as
many code words as it has bits (SX1261/2 data sheet, section 6.1.1), so a wrong symbol is one wrong bit in each word of
its block: coding rate 4/5 detects that and mends nothing, 4/7 and 4/8 mend one symbol of a block. The header is a block
of eight symbols at 4/8.

Capture: a frame survives another on the same spreading factor when it is 6 dB stronger (Bor, Roedig, Voigt, Alonso:
Do LoRa Low-Power Wide-Area Networks Scale?, MSWiM 2016, section 3.2), or when the other ends before the last five
symbols of its preamble begin (same place). A stronger frame that comes after the receiver locked onto a weaker one
destroys it and is not heard itself (Rahmadhani, Kuipers: When LoRaWAN Frames Collide, WiNTECH 2018).
"""

import math
from functools import lru_cache

CAPTURE_DB = 6.0
PREAMBLE_SYMBOLS_NEEDED = 5.0
PREAMBLE_SYNC_SYMBOLS = 4.25
"""Sync word and start of frame, sent after the preamble's up-chirps."""

SNR_LIMIT_DB = {5: -2.5, 6: -5.0, 7: -7.5, 8: -10.0, 9: -12.5, 10: -15.0, 11: -17.5, 12: -20.0}
"""Demodulator SNR, SX1261/2 data sheet rev. 2.1, table 6-1."""

FRAME_LENGTH_MAX = 255
"""Bytes; the length field of a LoRa header has eight bits."""

CAD_SYMBOLS = 2.5
"""Length of one channel activity detection as Meshtastic uses it."""


def symbol_us(spreading_factor: int, bandwidth_hz: int) -> float:
    """Duration of one symbol."""
    return (1 << spreading_factor) * 1e6 / bandwidth_hz


def bit_error(snr_db: float, spreading_factor: int) -> float:
    """Probability of a wrong bit at this SNR (over the channel's bandwidth)."""
    snr = 10.0 ** (snr_db / 10.0)
    argument = math.sqrt(2.0 ** (spreading_factor + 1) * snr) - math.sqrt(1.386 * spreading_factor + 1.154)
    return 0.25 * math.erfc(argument / math.sqrt(2.0))


def symbol_error(snr_db: float, spreading_factor: int) -> float:
    """Probability of a wrong symbol at this SNR; 0 to 1."""
    alphabet = 2.0**spreading_factor
    return 2.0 * bit_error(snr_db, spreading_factor) * (alphabet - 1.0) / alphabet


def payload_rows(spreading_factor: int, bandwidth_hz: int) -> int:
    """Bits of a payload symbol: SF, and two less with low data rate optimisation (symbols of 16 ms and longer)."""
    return spreading_factor - 2 if symbol_us(spreading_factor, bandwidth_hz) >= 16_000 else spreading_factor


def frame_error(
    snr_db: float, spreading_factor: int, frame_length: int, rows: int | None = None, coding_rate_denominator: int = 5
) -> float:
    """Probability that a frame of this length (bytes) is lost at this SNR; 0 to 1. `rows`: see `payload_rows`."""
    right = 1.0 - symbol_error(snr_db, spreading_factor)
    # Nibbles after those that travel in the header's block: checksum and explicit header counted in.
    bits = max(8 * frame_length - 4 * spreading_factor + 44, 0)
    blocks = math.ceil(bits / (4 * (rows or spreading_factor)))
    if coding_rate_denominator >= 7:
        payload = _mended(right, coding_rate_denominator) ** blocks
    else:
        payload = right ** (blocks * coding_rate_denominator)
    return float(1.0 - _mended(right, 8) * payload)


def _mended(right: float, symbols: int) -> float:
    """Probability that at most one of so many symbols is wrong."""
    return right**symbols + symbols * (1.0 - right) * right ** (symbols - 1)


@lru_cache(maxsize=65_536)
def frame_error_tenths(
    snr_tenths_db: int, spreading_factor: int, frame_length: int, rows: int, coding_rate_denominator: int
) -> float:
    """`frame_error` at a tenth of a dB, remembered: the ether asks for the same few values millions of times."""
    return frame_error(snr_tenths_db / 10.0, spreading_factor, frame_length, rows, coding_rate_denominator)


def clear_snr_db(spreading_factor: int, rows: int, coding_rate_denominator: int) -> float:
    """The SNR from which the longest frame is lost less than once in 2^32 times, to a tenth of a dB."""
    tenths = round(10.0 * SNR_LIMIT_DB[spreading_factor])
    while frame_error(tenths / 10.0, spreading_factor, FRAME_LENGTH_MAX, rows, coding_rate_denominator) > 2.0**-32:
        tenths += 1
    return tenths / 10.0


def capture_grace_us(spreading_factor: int, bandwidth_hz: int, preamble_symbols: int = 16) -> int:
    """How long after its start a frame may still be disturbed without harm: until five preamble symbols are left."""
    return round((preamble_symbols - PREAMBLE_SYMBOLS_NEEDED) * symbol_us(spreading_factor, bandwidth_hz))


def lock_us(spreading_factor: int, bandwidth_hz: int, preamble_symbols: int = 16) -> int:
    """When, after its start, a receiver is held by a frame and hears no other: at the end of preamble and sync word."""
    return round((preamble_symbols + PREAMBLE_SYNC_SYMBOLS) * symbol_us(spreading_factor, bandwidth_hz))


def cad_us(spreading_factor: int, bandwidth_hz: int) -> int:
    """Duration of one channel activity detection."""
    return round(CAD_SYMBOLS * symbol_us(spreading_factor, bandwidth_hz))
