# SPDX-License-Identifier: Apache-2.0
"""Readings of the whole firmware in virtual time: at equal times, and seldomer while the channel is full of others."""

import struct
from itertools import pairwise
from typing import Any

from kiezbox.protocol import messages
from kiezbox.protocol.airtime import PRESETS, time_on_air_us
from kiezbox.protocol.channel import Channel
from kiezbox.protocol.envelope import PORTNUM, READING, Envelope
from kiezbox.protocol.frame import BROADCAST, Header, encode_header
from kiezbox.protocol.packet import TELEMETRY_APP, decode_data
from kiezbox_simulator.virtual import vm_link
from tests.box.conftest import MakeBox
from tests.box.lone_box import NODE_NUM, LoneBox

CHANNEL = Channel("Kiezbox", bytes(16))
PRESET = PRESETS["MEDIUM_FAST"]
INTERVAL_S = 60
BOX = NODE_NUM.to_bytes(4, "little")


def readings(box: LoneBox) -> list[tuple[int, dict[str, Any]]]:
    """When each reading went out for the first time, and what it says."""
    found: dict[int, tuple[int, dict[str, Any]]] = {}
    for now_ms, frame in box.frames:
        if frame[4:8] != BOX:
            continue
        data = decode_data(CHANNEL.open(frame))
        if data.portnum == PORTNUM and data.payload[1] == READING:
            message = messages.decode(READING, Envelope(data.payload).body)
            found.setdefault(message["sequence"], (now_ms, message))
    return [found[sequence] for sequence in sorted(found)]


def strangers(box: LoneBox, seconds: int, load_pct: int) -> None:
    """Let others use the channel: frames that no key of the box opens and nobody asks it to relay."""
    content = bytes(239)
    every_ms = time_on_air_us(PRESET, 16 + len(content)) / 10 / load_pct
    for number in range(int(seconds * 1000 / every_ms)):
        header = Header(BROADCAST, 0x1234, 1 + box.now_ms + number, 0, 3, channel_hash=0x5A)
        frame = encode_header(header) + content
        box.put(vm_link.RECEIVED, struct.pack("<hb", -90, 20) + frame, after_ms=int(number * every_ms))
    box.run(seconds)


def test_samples_lie_at_equal_times_and_the_message_names_the_last(lone_box: MakeBox) -> None:
    box = lone_box(reading_interval_s=INTERVAL_S, samples_per_frame=3)
    box.run(10)
    box.put(vm_link.CLOCK, struct.pack("<IB", 1_767_000_000, 2))
    started_ms = box.now_ms
    box.run(1800)
    found = readings(box)
    assert len(found) >= 8
    for sent_ms, message in found[1:]:
        assert message["interval_s"] == INTERVAL_S
        assert len(message["samples"]) == 3
        said_s = message["time_s"] - 1_767_000_000
        assert abs(said_s - (sent_ms - started_ms) / 1000) < 15
    times_s = [message["time_s"] for _, message in found[1:]]
    assert all(abs(later - earlier - 3 * INTERVAL_S) <= 1 for earlier, later in pairwise(times_s))


def test_while_the_channel_is_full_readings_come_seldomer_and_coarser_and_later_as_before(lone_box: MakeBox) -> None:
    box = lone_box(reading_interval_s=INTERVAL_S, samples_per_frame=2, telemetry_interval_s=0)
    box.run(900)
    assert {message["interval_s"] for _, message in readings(box)} == {INTERVAL_S}
    before = len(readings(box))
    strangers(box, 1500, 45)
    full = readings(box)[before:]
    spacings_s = [message["interval_s"] for _, message in full]
    assert spacings_s[-1] == 4 * INTERVAL_S
    # Two samples of four minutes each are a frame in eight minutes.
    assert len(full) <= 5
    assert full[-1][1]["samples"][0]["temperature_cc"] == 1234
    box.run(3600)
    assert readings(box)[-1][1]["interval_s"] == INTERVAL_S
    sequences = [message["sequence"] for _, message in readings(box)]
    assert sequences == list(range(1, len(sequences) + 1))


def test_health_tells_the_interval_in_force(lone_box: MakeBox) -> None:
    box = lone_box(reading_interval_s=INTERVAL_S, health_interval_s=600)
    box.run(10)
    strangers(box, 1300, 70)
    told = []
    for _, frame in box.frames:
        data = decode_data(CHANNEL.open(frame))
        if data.portnum == PORTNUM and data.payload[1] == 2:
            told.append(messages.decode(2, Envelope(data.payload).body))
    assert told[-1]["reading_interval_s"] == 8 * INTERVAL_S
    assert told[-1]["duty_spent_ms"] > 0
    assert {"refused", "refused_reserve", "unsent"} <= set(told[-1])


def test_in_an_emergency_stock_apps_hear_of_the_battery_alone(lone_box: MakeBox) -> None:
    for mode, told in (("everyday", {"device", "environment"}), ("emergency", {"device"})):
        box = lone_box(reading_interval_s=INTERVAL_S, telemetry_interval_s=600, mode=mode)
        box.run(1800)
        packets = [decode_data(CHANNEL.open(frame)) for _, frame in box.frames if frame[4:8] == BOX]
        # A box that does not know the time begins with the field of the measurement.
        fields = {data.payload[0] >> 3 for data in packets if data.portnum == TELEMETRY_APP}
        assert {name for number, name in ((2, "device"), (3, "environment"), (4, "air")) if number in fields} == told
        assert readings(box)
