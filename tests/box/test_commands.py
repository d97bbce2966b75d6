# SPDX-License-Identifier: Apache-2.0
"""Signed commands from a gateway over the air to the whole firmware, and what is left of them after a power cut."""

import os
import random
from pathlib import Path
from typing import Any

import pytest

from kiezbox.box import configuration
from kiezbox.protocol import envelope, messages
from kiezbox.protocol.messages import MessageError
from kiezbox_simulator.scenario import schema
from kiezbox_simulator.scenario.simulation import Simulation
from kiezbox_simulator.virtual.vm_box import VmBox

LONG = bool(os.environ.get("KIEZBOX_LONG"))
HOUR_US = 3_600_000_000
SCENARIO = {
    "title": "commands", "start": "2026-01-03T16:00:00+01:00", "duration_h": 1.0,
    "map": {"width_m": 500, "height_m": 500}, "boxes": {"kind": "vm", "count": 1},
    "readings": {"interval_s": 300, "samples_per_frame": 2},
    "people": {"calls_per_box_day": 0, "blackout": False}, "mode": [], "limits": {"delivery_grace_h": 0.1},
}  # fmt: skip


class Town:
    """One gateway and one box; a test says what happens when, then runs it."""

    def __init__(self, folder: Path, hours: float) -> None:
        folder.mkdir()
        self.simulation = Simulation(schema.parse(SCENARIO | {"duration_h": hours}), 1, work_dir=folder, cores=1)
        (self.gateway,) = self.simulation.gateways.values()
        (box,) = self.simulation.boxes.values()
        assert isinstance(box, VmBox)
        self.box = box
        self.node_num = box.station.node_num

    def at(self, hour: float, act: Any) -> None:
        self.simulation.schedule.at(round(hour * HOUR_US), lambda _: act())

    def configure(self, hour: float, message: dict[str, Any]) -> None:
        def send() -> None:
            self.gateway.endpoint.command(self.node_num, "configuration", message, self.gateway.now_ms)
            self.gateway.plan()

        self.at(hour, send)

    def run(self) -> None:
        self.simulation.run()

    def told(self, kind: str) -> list[tuple[float, dict[str, Any]]]:
        """(hour, message) of each message of this kind that the gateway has stored."""
        stored = sorted(self.gateway.store.messages.values(), key=lambda one: one[0])
        return [(at_us / HOUR_US, one.message) for at_us, one in stored if one.kind == kind]

    def results(self) -> list[tuple[int, str]]:
        return [(one["result"], one.get("detail") or "") for _, one in self.told("command_result")]


@pytest.fixture
def town(tmp_path: Path):
    made: list[Town] = []

    def make(hours: float = 1.0) -> Town:
        made.append(Town(tmp_path / f"town{len(made)}", hours))
        return made[-1]

    return make


def test_a_configuration_is_applied_or_refused_with_the_keys_at_fault(town) -> None:
    one = town(1.2)
    one.configure(0.2, {"place": "Neu 1", "hop_limit": 9, "preset": "FAST"})
    one.configure(0.4, {"place": "Neu 2", "reading_interval_s": 60, "samples_per_frame": 1})
    one.at(0.7, one.box.cut_power)
    one.at(0.71, one.box.restore_power)
    one.run()
    assert one.results() == [(2, "preset hop_limit"), (1, "")]
    hours = [hour for hour, _ in one.told("reading")]
    assert sum(0.2 < hour < 0.4 for hour in hours) <= 2
    assert sum(0.45 < hour < 0.65 for hour in hours) >= 8
    assert sum(0.8 < hour < 1.0 for hour in hours) >= 8, "it survives a power cut"
    assert one.box.crashes == []


def test_new_radio_settings_stay_if_a_gateway_is_heard_with_them(town) -> None:
    one = town(8)
    one.configure(0.3, {"hop_limit": 2, "health_interval_s": 1_200})
    one.run()
    assert one.results() == [(1, "restart")]
    assert one.box.boots == 2
    # 32: on trial. It was heard at the first receipt for a reading.
    assert [message["signs"] & 32 for _, message in one.told("health")][-1] == 0
    assert one.box.crashes == []


def test_settings_that_cut_a_box_off_are_taken_back(town) -> None:
    one = town(9)
    one.configure(0.3, {"channel_psk": bytes(range(16))})
    one.run()
    hours = [hour for hour, _ in one.told("reading")]
    assert one.results() == [(1, "restart")]
    assert any(hour < 0.3 for hour in hours)
    assert not any(0.5 < hour < 6.2 for hour in hours)
    assert any(hour > 6.6 for hour in hours)
    assert one.box.boots == 3
    assert one.box.crashes == []


def test_a_mode_survives_a_power_cut_and_ends_at_its_time(town) -> None:
    one = town(1.4)

    def command() -> None:
        message = {"mode": 3, "epoch": 7, "scope": 0, "issued_s": one.gateway.unix_s}
        message["until_s"] = one.gateway.unix_s + 2_000
        one.gateway.endpoint.broadcast("mode", message, one.gateway.now_ms)
        one.gateway.plan()

    one.at(0.1, one.gateway.broadcast_time)
    one.at(0.2, command)
    one.at(0.25, one.box.cut_power)
    one.at(0.26, one.box.restore_power)
    one.at(0.3, one.gateway.broadcast_time)
    one.configure(0.35, {"place": "Irgendwo"})
    one.configure(1.2, {"place": "Anderswo"})
    one.run()
    modes = [(message.get("mode"), message.get("mode_epoch")) for _, message in one.told("health")]
    assert (1, 7) in modes, "the end of a mode is told, with the command that set it"
    epochs = [message["mode_epoch"] for _, message in one.told("command_result")]
    assert epochs[-2:] == [7, 7]
    assert one.box.crashes == []


def _random_message(chance: random.Random) -> dict[str, Any]:
    fields = [field for field in messages.FIELDS[envelope.CONFIGURATION].split(" ") if "root_key" not in field]
    message: dict[str, Any] = {}
    for field in chance.sample(fields, chance.randint(1, 6)):
        name, letter = field[:-2], field[-1]
        if letter == "u":
            message[name] = chance.choice([0, 1, 2, 60, 300, 3_600, 86_400, 0xFFFFFFFF, chance.randrange(1 << 32)])
        elif letter == "p":
            message[name] = [{"name": "x" * chance.randrange(64)} for _ in range(chance.randrange(13))]
        elif letter == "b":
            message[name] = chance.randbytes(chance.choice([0, 1, 16, 31, 32, 64]))
        else:
            message[name] = "".join(chance.choice("aä\0\n\"{}|:'") for _ in range(chance.randrange(30)))
    return message


def test_no_configuration_message_whatever_breaks_a_box(town) -> None:
    count = 400 if LONG else 40
    one = town(0.5 + count * 0.02)
    chance = random.Random(5)
    sent = 0
    while sent < count:
        message = _random_message(chance)
        if "channel_name" in message or "channel_psk" in message:
            continue  # What is right among them would silence the box, as it should.
        try:
            messages.encode(envelope.CONFIGURATION, message)
        except MessageError:
            continue
        one.configure(0.2 + sent * 0.02, message)
        sent += 1
    one.configure(0.3 + sent * 0.02, {"place": "Am Ende"})
    one.run()
    results = one.results()
    assert len(results) > 0.8 * count
    assert results[-1][0] == 1
    known = {row[0] for row in configuration.rows()} | set(configuration.MESSAGE_KEYS.split(" "))
    known |= {"key_id", "public_key", "revoked_key_id", "root_key", "restart", "+", "flash", "memory", ""}
    assert {word for _, detail in results for word in detail.split(" ")} <= known
    assert one.box.crashes == []
    faults = [message.get("crash") for _, message in one.told("health")]
    assert not any(faults)
