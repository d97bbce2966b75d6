# SPDX-License-Identifier: Apache-2.0
"""Samples: exact, short, and a failed sensor is never a number."""

from kiezbox.protocol.reading import VALUE_NAMES, decode, encode


def series(count: int, seed: int) -> list:
    value = seed
    samples = []
    for _ in range(count):
        sample = {}
        for name in VALUE_NAMES:
            value = value * 1103515245 + 12345 & 0x3FFFFFFF
            if value & 0x300:
                sample[name] = (value >> 9) % 70_000 - 5000
        samples.append(sample)
    return samples


def test_any_samples_come_back() -> None:
    for seed in range(60):
        samples = series(1 + seed % 15, seed)
        assert decode(encode(samples)) == samples


def test_ends_of_the_range() -> None:
    for value in (0, 1, -1, 0x3FFFFFFF, -0x3FFFFFFF):
        samples = [dict.fromkeys(VALUE_NAMES, value), dict.fromkeys(VALUE_NAMES, -value), {}]
        assert decode(encode(samples)) == samples


def test_three_usual_samples_of_twelve_values_take_less_than_forty_bytes() -> None:
    base = (2134, 451, 10132, 62, 97, 141, 523, 688, 81250, 3942, 5480, 87)
    step = (7, -3, 1, 4, 6, -5, 18, -25, 310, -2, 35, 6)
    samples = [{name: base[index] + n * step[index] for index, name in enumerate(VALUE_NAMES)} for n in range(3)]
    assert len(encode(samples)) < 40


def test_a_failed_sensor_is_absent() -> None:
    samples = [{"temperature_cc": 2000, "humidity_dpct": 500}, {"humidity_dpct": 501}, {}]
    assert decode(encode(samples)) == samples
    assert decode(encode([{"temperature_cc": None, "battery_mv": 3900}])) == [{"battery_mv": 3900}]


def test_errors_name_the_value() -> None:
    for samples in ([], [{}] * 16, [{"temperature_cc": 1 << 30}], [{"temperature": 1}], [{"gas_ohm": "1"}]):
        try:
            encode(samples)
        except ValueError:
            continue
        raise AssertionError(samples)


def test_rubbish_is_refused_or_well_formed() -> None:
    value = 5
    for _ in range(500):
        rubbish = bytearray()
        for _ in range(value % 40):
            value = value * 1103515245 + 12345 & 0x3FFFFFFF
            rubbish.append(value >> 13 & 0xFF)
        value = value * 1103515245 + 12345 & 0x3FFFFFFF
        try:
            samples = decode(bytes(rubbish))
        except ValueError:
            continue
        assert decode(encode(samples)) == samples
    for coded in (b"", b"\x00", b"\x1f", encode([{}]) + b"\x00\x00"):
        try:
            decode(coded)
        except ValueError:
            continue
        raise AssertionError(coded)
