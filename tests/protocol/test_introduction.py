# SPDX-License-Identifier: Apache-2.0
from kiezbox.protocol.introduction import (
    ASKED_PAUSE_MS,
    BUSY_PAUSE_MS,
    FIRST_MS,
    INTERVAL_MS,
    SPENT_MAX_MS,
    Introduction,
)
from kiezbox.protocol.packet import NODEINFO_APP, TELEMETRY_APP, encode_user
from kiezbox.protocol.random_bits import RandomBits
from kiezbox.protocol.telemetry import encode_air_telemetry, encode_device_telemetry, encode_environment_telemetry

AIR = {"temperature_cc": 2150, "humidity_dpct": 480, "pressure_dpa": 10132, "pm25_dugm3": 77, "battery_mv": 3900}
HOUR_MS = 3_600_000


def introduction(entropy=b"seed", nodeinfo_interval_ms=INTERVAL_MS, telemetry_interval_ms=INTERVAL_MS):
    random = RandomBits(entropy, b"test")
    return Introduction(7, "Kiezbox 7", "K7", "ROUTER", random, nodeinfo_interval_ms, telemetry_interval_ms)


def run(one, until_ms, now_ms=0, load_pct=12, spent_ms=54_000):
    """All that goes out, as (time, port number, payload)."""
    found = []
    while True:
        due_ms = one.next_wakeup_ms(now_ms)
        if due_ms is None or due_ms > until_ms:
            return found
        now_ms = due_ms
        data = one.poll(now_ms, load_pct, spent_ms)
        if data is not None:
            found.append((now_ms, data.portnum, data.payload))


def test_the_name_comes_soon_after_the_start_and_then_slowly():
    one = introduction(telemetry_interval_ms=0)
    found = run(one, 10 * HOUR_MS)
    assert [entry[1:] for entry in found] == [(NODEINFO_APP, encode_user(7, "Kiezbox 7", "K7", "ROUTER"))] * 4
    assert FIRST_MS // 2 <= found[0][0] < FIRST_MS * 3 // 2
    assert found[1][0] - found[0][0] == INTERVAL_MS


def test_a_district_that_starts_at_once_does_not_speak_at_once():
    first = {run(introduction(b"%d" % number), 2 * FIRST_MS)[0][0] for number in range(40)}
    assert len(first) > 35
    assert max(first) - min(first) > FIRST_MS // 2


def test_telemetry_takes_turns():
    one = introduction(nodeinfo_interval_ms=0)
    one.values = dict(AIR, time_s=1_790_000_000, battery_pct=80)
    found = run(one, 3 * INTERVAL_MS)
    times_ms = [entry[0] for entry in found]
    assert {times_ms[index + 1] - times_ms[index] for index in range(len(times_ms) - 1)} == {INTERVAL_MS // 3}
    assert {entry[1] for entry in found} == {TELEMETRY_APP}
    device = encode_device_telemetry(1_790_000_000, 80, 3900, 12, 15, times_ms[0] // 1000)
    environment = encode_environment_telemetry(1_790_000_000, 2150, 480, 10132)
    air = encode_air_telemetry(1_790_000_000, None, 77, None)
    assert [entry[2] for entry in found[:3]] == [device, environment, air]
    assert found[4][2] == environment


def test_what_was_not_measured_is_not_told():
    one = introduction(nodeinfo_interval_ms=0)
    found = run(one, 2 * INTERVAL_MS)
    assert {entry[2][:1] for entry in found} == {b"\x12"}  # device metrics: uptime and airtime are always known
    one.values = {"pm1_dugm3": 0}
    found = run(one, 4 * INTERVAL_MS, 2 * INTERVAL_MS)
    assert {entry[2][:1] for entry in found} == {b"\x12", b"\x22"}


def test_who_asks_gets_the_name_but_not_all_the_time():
    one = introduction(telemetry_interval_ms=0)
    run(one, 2 * FIRST_MS)
    one.asked(3 * FIRST_MS)
    assert run(one, ASKED_PAUSE_MS, 3 * FIRST_MS) == []
    one.asked(2 * ASKED_PAUSE_MS)
    found = run(one, 2 * ASKED_PAUSE_MS + FIRST_MS, 2 * ASKED_PAUSE_MS)
    assert len(found) == 1
    assert found[0][0] < 2 * ASKED_PAUSE_MS + FIRST_MS // 10


def test_an_interval_of_zero_means_never():
    one = introduction(nodeinfo_interval_ms=0, telemetry_interval_ms=0)
    assert run(one, 1000 * HOUR_MS) == []
    one.asked(5)
    assert one.next_wakeup_ms(5) is None


def test_a_busy_channel_or_a_half_spent_hour_silences_telemetry_first_and_the_name_too():
    for load_pct, spent_ms, ports in (
        (24, SPENT_MAX_MS, {NODEINFO_APP, TELEMETRY_APP}),
        (25, 0, {NODEINFO_APP}),
        (39, 0, {NODEINFO_APP}),
        (40, 0, set()),
        (0, SPENT_MAX_MS + 1, set()),
    ):
        found = run(introduction(), 2 * INTERVAL_MS, 0, load_pct, spent_ms)
        assert {entry[1] for entry in found} == ports, (load_pct, spent_ms)
    one = introduction()
    assert run(one, INTERVAL_MS, 0, 100) == []
    # When the channel is free again it comes soon.
    [first, second] = run(one, INTERVAL_MS + BUSY_PAUSE_MS, INTERVAL_MS)
    assert {first[1], second[1]} == {NODEINFO_APP, TELEMETRY_APP}
