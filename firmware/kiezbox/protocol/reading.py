# SPDX-License-Identifier: Apache-2.0
"""Several samples of twelve values in one short byte string.

1. Order of values: VALUE_NAMES. All are integers in the unit their name ends with.
2. A value that a sensor did not give is absent from the sample's dict, and on the air; it is never sent as a number.
3. Per value: the first sample that has it is coded as the difference to a fixed typical value, each later one as the
   difference to the one before. Differences are zigzag numbers in a Rice code with a fixed parameter per value.

Layout: docs/wire-format.md. Not here: when samples are taken. Called by messages.py.
"""

from kiezbox.protocol.bits import BitReader, BitWriter
from kiezbox.protocol.constant import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    Sample = dict[str, int]

VALUE_NAMES = (
    "temperature_cc",
    "humidity_dpct",
    "pressure_dpa",
    "pm1_dugm3",
    "pm25_dugm3",
    "pm10_dugm3",
    "noise_laeq_ddba",
    "noise_lamax_ddba",
    "gas_ohm",
    "battery_mv",
    "panel_mv",
    "battery_ma",
)
_SAMPLES_MAX = const(15)
_VALUE_MAX = const(0x3FFFFFFF)
"""Largest magnitude of a value: a small integer on the board."""

_TYPICAL = const((1000, 600, 10130, 50, 100, 150, 500, 650, 50000, 3900, 5000, 0))
_FIRST_RICE = const(b"\x0b\x08\x08\x06\x07\x08\x08\x08\x10\x09\x0d\x08")
_NEXT_RICE = const(b"\x04\x03\x02\x03\x04\x04\x05\x06\x09\x03\x08\x05")

_ESCAPE = const(12)
"""This many ones are no quotient: the number follows in 32 bits."""

_NONE = const(0)
_ALL = const(1)
_SOME = const(2)


def encode(samples: "list[Sample]") -> bytes:
    """1 to 15 samples, oldest first. Raises ValueError for an unknown value name or a value out of range."""
    count = len(samples)
    if not 1 <= count <= _SAMPLES_MAX:
        raise ValueError("1 to 15 samples")
    for sample in samples:
        for name, value in sample.items():
            if name not in VALUE_NAMES:
                raise ValueError("unknown value " + str(name))
            if value is not None and not (isinstance(value, int) and -_VALUE_MAX <= value <= _VALUE_MAX):
                raise ValueError(name + " out of range")
    writer = BitWriter()
    writer.write(count, 4)
    for index in range(len(VALUE_NAMES)):
        _encode_value(writer, index, [sample.get(VALUE_NAMES[index]) for sample in samples])
    return writer.finish(0)


def _encode_value(writer: BitWriter, index: int, series: "list[int | None]") -> None:
    missing = 0
    for value in series:
        if value is None:
            missing += 1
    if missing == len(series):
        writer.write(_NONE, 2)
        return
    writer.write(_SOME if missing else _ALL, 2)
    previous = _TYPICAL[index]
    rice = _FIRST_RICE[index]
    for value in series:
        if missing:
            writer.write(0 if value is None else 1, 1)
        if value is not None:
            _write_number(writer, value - previous, rice)
            previous = value
            rice = _NEXT_RICE[index]


def _write_number(writer: BitWriter, difference: int, rice: int) -> None:
    number = -2 * difference - 1 if difference < 0 else 2 * difference
    quotient = number >> rice
    if quotient < _ESCAPE:
        writer.write((1 << (quotient + 1)) - 2, quotient + 1)
        writer.write(number, rice)
    else:
        writer.write(0xFFF, _ESCAPE)
        writer.write(number >> 16, 16)
        writer.write(number, 16)


def decode(coded: bytes) -> "list[Sample]":
    """The samples, oldest first. Raises ValueError if `coded` is not what `encode` makes."""
    reader = BitReader(coded)
    count = reader.read(4)
    if not count:
        raise ValueError("no samples")
    samples: list[Sample] = [{} for _ in range(count)]
    for index in range(len(VALUE_NAMES)):
        presence = reader.read(2)
        if presence == _NONE:
            continue
        if presence > _SOME:
            raise ValueError("unknown presence")
        previous = _TYPICAL[index]
        rice = _FIRST_RICE[index]
        for sample in samples:
            if presence == _SOME and not reader.read(1):
                continue
            previous += _read_number(reader, rice)
            if not -_VALUE_MAX <= previous <= _VALUE_MAX:
                raise ValueError("value out of range")
            sample[VALUE_NAMES[index]] = previous
            rice = _NEXT_RICE[index]
    if reader.end - reader.position > 7:
        raise ValueError("bytes left over")
    return samples


def _read_number(reader: BitReader, rice: int) -> int:
    quotient = 0
    while quotient < _ESCAPE and reader.read(1):
        quotient += 1
    if quotient < _ESCAPE:
        number = quotient << rice | reader.read(rice)
    else:
        number = reader.read(16) << 16
        number |= reader.read(16)
    return -(number + 1 >> 1) if number & 1 else number >> 1
