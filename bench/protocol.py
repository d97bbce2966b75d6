# SPDX-License-Identifier: Apache-2.0
"""The protocol core on the MicroPython VM: time and memory per step, and airtime beside Meshtastic's own telemetry."""

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from meshtastic.protobuf import telemetry_pb2

from bench.figure import Figure
from kiezbox.protocol import envelope, messages
from kiezbox.protocol.airtime import PRESETS, time_on_air_us
from kiezbox.protocol.frame import HEADER_LENGTH
from kiezbox.protocol.packet import TELEMETRY_APP, TEXT_MESSAGE_APP, Data, encode_data
from kiezbox_simulator import board
from kiezbox_simulator.firmware_build import build, rom_image
from kiezbox_simulator.interpreter import interpreter

RUNS = 3
PROGRAMS = Path(__file__).parent / "on_micropython"
VECTORS = Path(__file__).resolve().parent.parent / "tests/vectors/wire.json"
TIME_HEAP_KIB = 128
MEMORY_HEAP_KIB = 4096
ALONE_HEAP_KIB = 16_384
HOW_TIME = (
    f"fastest of {RUNS} processes of the host's MicroPython VM, each the fastest of its rounds, code in a read-only "
    f"image, heap {TIME_HEAP_KIB} KiB, collected every 8 KiB as on a board; an ESP32 at 240 MHz takes about 65 to 105 "
    "times as long (other programs' ratio, not measured with this one)"
)
HOW_ALONE = "the same without the collector, which on the host costs more than the arithmetic"
HOW_MEMORY = "heap taken by one step on {}, nothing collected; on 32 bits about 0.7 of that on 64"

SAMPLES = [
    {
        "temperature_cc": 812 + 7 * step,
        "humidity_dpct": 741 - 3 * step,
        "pressure_dpa": 10_132 + step,
        "pm1_dugm3": 62 + step,
        "pm25_dugm3": 101 + 2 * step,
        "pm10_dugm3": 148 + 3 * step,
        "noise_laeq_ddba": 553 + 11 * step,
        "noise_lamax_ddba": 701 - 13 * step,
        "gas_ohm": 52_340 + 170 * step,
        "battery_mv": 3_981 - step,
        "panel_mv": 5_210 + 60 * step,
        "battery_ma": 84 + 5 * step,
    }
    for step in range(3)
]
"""Three samples at five minutes, as a box on a street sees them."""


def run() -> list[Figure]:
    """Figures for build/bench/protocol.json."""
    return [*_on_the_vm(), *_on_the_air(), *_by_message()]


def _on_the_vm() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        image = rom_image(build(Path(folder)), PROGRAMS)
        times_us = [_measured(image, "time", TIME_HEAP_KIB) for _ in range(RUNS)]
        memory_bytes = _measured(image, "memory", MEMORY_HEAP_KIB)
        alone_us = _measured(image, "alone", ALONE_HEAP_KIB)
    figures = []
    for name in memory_bytes:
        duration_us = min(run_us[name] for run_us in times_us)
        figures.append(Figure(name, round(duration_us, 2), "us", HOW_TIME))
        figures.append(Figure(f"{name}_allocated", memory_bytes[name], "B", HOW_MEMORY.format(interpreter())))
        if name == "ed25519_verify":
            figures.append(Figure(f"{name}_alone", round(alone_us[name], 1), "us", HOW_ALONE))
        if name == "judge_and_schedule_relay":
            figures.append(Figure("frames_judged", round(1e6 / duration_us), "frames/s", HOW_TIME))
    return figures


def _measured(image: Path, what: str, heap_kib: int) -> dict[str, float]:
    command = board.command(image, "judge_frames", what, heap_kib=heap_kib)
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    lines = (line.split() for line in output.splitlines())
    return {name: float(value) for name, value in lines}


def _telemetry_lengths() -> list[int]:
    """Frame lengths of the three Meshtastic packets that carry what one of our samples carries, as far as they can."""
    sample = SAMPLES[0]
    time_s = 1_767_450_000
    device = telemetry_pb2.Telemetry(time=time_s)
    device.device_metrics.battery_level = 87
    device.device_metrics.voltage = sample["battery_mv"] / 1000
    device.device_metrics.channel_utilization = 4.5
    device.device_metrics.air_util_tx = 1.2
    device.device_metrics.uptime_seconds = 864_000
    environment = telemetry_pb2.Telemetry(time=time_s)
    environment.environment_metrics.temperature = sample["temperature_cc"] / 100
    environment.environment_metrics.relative_humidity = sample["humidity_dpct"] / 10
    environment.environment_metrics.barometric_pressure = sample["pressure_dpa"] / 10
    environment.environment_metrics.gas_resistance = sample["gas_ohm"] / 1000
    environment.environment_metrics.voltage = sample["panel_mv"] / 1000
    environment.environment_metrics.current = sample["battery_ma"]
    air = telemetry_pb2.Telemetry(time=time_s)
    air.air_quality_metrics.pm10_standard = sample["pm1_dugm3"] // 10
    air.air_quality_metrics.pm25_standard = sample["pm25_dugm3"] // 10
    air.air_quality_metrics.pm100_standard = sample["pm10_dugm3"] // 10
    return [_frame_length(TELEMETRY_APP, packet.SerializeToString()) for packet in (device, environment, air)]


def _frame_length(portnum: int, payload: bytes) -> int:
    return HEADER_LENGTH + len(encode_data(Data(portnum, payload)))


def _on_the_air() -> list[Figure]:
    reading = {"sequence": 4711, "time_s": 1_767_450_000, "clock_quality": 2, "interval_s": 300, "samples": SAMPLES}
    body = messages.encode(envelope.READING, reading)
    ours = _frame_length(envelope.PORTNUM, bytes(envelope.PAYLOAD_LENGTH_MAX - envelope.UPLINK_PART_MAX + len(body)))
    theirs = _telemetry_lengths()
    how = (
        f"three samples of twelve values: one Kiezbox frame of {ours} B with its proof, "
        "beside three times the three telemetry "
        f"frames of {'+'.join(map(str, theirs))} B, which carry no noise; time on air by the data sheet's formula"
    )
    return [
        Figure(
            f"airtime_of_three_readings_{name.lower()}",
            round(time_on_air_us(preset, ours) / 1000, 1),
            "ms",
            how,
            "Meshtastic telemetry",
            round(3 * sum(time_on_air_us(preset, length) for length in theirs) / 1000, 1),
        )
        for name, preset in PRESETS.items()
    ]


WORDS = ("headline", "text", "instruction", "place", "people", "name", "contact", "station", "source")
TEXT_LENGTH_MAX = 200
"""What the stock apps let a person type into one text message."""


def _as_texts(message: dict[str, Any]) -> list[int]:
    """Frame lengths of the same words as text messages of a stock app: neither sealed, nor proven, nor receipted."""
    raw = ", ".join(str(message[name]) for name in WORDS if message.get(name)).encode()
    pieces = [raw[start : start + TEXT_LENGTH_MAX] for start in range(0, len(raw), TEXT_LENGTH_MAX)]
    return [_frame_length(TEXT_MESSAGE_APP, piece) for piece in pieces]


def _by_message() -> list[Figure]:
    """Bytes and time on air of every message of the vectors; what people write beside Meshtastic's text messages."""
    preset = PRESETS["MEDIUM_FAST"]

    def airtime_ms(lengths: list[int]) -> float:
        return round(sum(time_on_air_us(preset, length) for length in lengths) / 1000, 1)

    figures = []
    for vector in json.loads(VECTORS.read_text()):
        if "payloads" not in vector:
            continue
        lengths = [_frame_length(envelope.PORTNUM, bytes.fromhex(payload)) for payload in vector["payloads"]]
        how = f"{len(lengths)} frame(s) of tests/vectors/wire.json, whole, with proof"
        theirs: list[int] = []
        if vector.get("message", {}).get("text"):
            theirs = _as_texts(vector["message"])
        peer = "Meshtastic text messages" if theirs else None
        name = vector["name"]
        figures.append(Figure(f"bytes_{name}", sum(lengths), "B", how, peer, sum(theirs) if theirs else None))
        figures.append(
            Figure(
                f"airtime_{name}",
                airtime_ms(lengths),
                "ms",
                f"{how}; MEDIUM_FAST",
                peer,
                airtime_ms(theirs) if theirs else None,
            )
        )
    return figures
