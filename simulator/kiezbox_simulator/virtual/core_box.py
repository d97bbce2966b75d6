# SPDX-License-Identifier: Apache-2.0
"""A Kiezbox in this process: the protocol's BoxNode with a reduced box around it, for scale.

It takes calls for help, sends readings by its schedule, follows modes and keeps custody, all through the protocol
package. What a core box has not: the firmware's own outbox, energy policy, portal and flash; where those matter, the
scenario says `kind = "vm"`.
"""

from collections.abc import Callable
from typing import Any

from kiezbox.protocol.airtime import PRESETS
from kiezbox.protocol.box_node import BoxNode
from kiezbox.protocol.channel import Channel
from kiezbox.protocol.counter import CounterExhausted
from kiezbox.protocol.custody import CustodyFull
from kiezbox.protocol.events import ModeCommanded, ReadingsAcknowledged, StageChanged
from kiezbox_simulator.virtual.core_node import CoreNode
from kiezbox_simulator.virtual.ether import Ether
from kiezbox_simulator.virtual.station import Station
from kiezbox_simulator.world import chance

CODE_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
EMERGENCY_MODE = 2
EMERGENCY_READING_FACTOR = 4
"""In emergency mode the air belongs to calls: readings go out this much more rarely."""

UNACKNOWLEDGED_MAX = 64
"""Reading frames kept for another attempt."""


class CoreBox(CoreNode):
    """`on_stage(box, counter, stage)` is told what receipts say. `measure(box)` gives one sample."""

    def __init__(
        self,
        ether: Ether,
        station: Station,
        *,
        seed: int,
        channel: Channel,
        preset_name: str,
        hop_limit: int,
        root_key: bytes,
        district_public_keys: dict[int, bytes],
        interval_s: int,
        samples_per_frame: int,
        measure: Callable[["CoreBox"], dict[str, int]],
        on_stage: Callable[["CoreBox", int, int], None],
        start_unix_s: int,
        mode: int = 1,
    ) -> None:
        self._seed = seed
        self._settings = (channel, PRESETS[preset_name], hop_limit, root_key, district_public_keys)
        self._interval_us = interval_s * 1_000_000
        self._samples_per_frame = samples_per_frame
        self._measure = measure
        self._on_stage = on_stage
        self._start_unix_s = start_unix_s
        self._boots = 0
        self._sequence = 0
        self._samples: list[dict[str, int]] = []
        self._unacknowledged: dict[int, dict[str, Any]] = {}
        self._calls: dict[int, dict[str, Any]] = {}
        self._kinds: dict[int, str] = {}
        self._stages: dict[int, int] = {}
        self.saved: dict[str, Any] = {}
        self.mode = mode
        self.readings_made = 0
        self.readings_acknowledged = 0
        self.readings_held_back = 0
        super().__init__(ether, station, None)
        self._boot()

    def _boot(self) -> None:
        channel, preset, hop_limit, root_key, public_keys = self._settings
        self._boots += 1
        entropy = b"".join(
            chance.digest(self._seed, "box", self.station.name, self._boots, part).to_bytes(8, "little")
            for part in range(4)
        )
        self.node = BoxNode(
            self.station.node_num,
            root_key,
            channel,
            preset,
            public_keys,
            entropy,
            dict(self.saved),
            hop_limit,
            long_name=self.station.name,
            short_name=self.station.name[-4:],
        )

    def start(self) -> None:
        """First work, and readings from a moment that differs from box to box."""
        super().start()
        offset_us = round(self._interval_us * chance.uniform(self._seed, "phase", self.station.name))
        self.schedule.at(self.schedule.now_us + offset_us, self._sample, self._boots)

    def restore_power(self) -> None:
        """Boot, and take stored calls into custody again."""
        super().restore_power()
        if self.dead:
            return
        for counter, message in self._calls.items():
            self.node.resume(self._kinds[counter], message, counter, self._stages.get(counter, 1), self.now_ms)
        self.plan()

    @property
    def unix_s(self) -> int:
        """The box's clock, taken as good."""
        return self._start_unix_s + self.schedule.now_us // 1_000_000

    def submit(self, form: dict[str, str], key: str) -> tuple[int, str]:
        """A call for help: counter and code, once it is stored. Raises what BoxNode.send raises."""
        bits = chance.digest(self._seed, "code", key)
        code = "".join(CODE_ALPHABET[bits >> 5 * place & 31] for place in range(8))
        message: dict[str, Any] = {
            "category": int(form["category"]),
            "text": form["text"],
            "place": form["place"],
            "people": int(form["people"]),
            "name": form["name"],
            "contact": form["contact"],
            "language": form["language"],
            "code": code,
            "time_s": self.unix_s,
            "clock_quality": 2,
        }
        message = {name: value for name, value in message.items() if value}
        counter = self.node.take_counter()
        self._calls[counter] = message
        # As the firmware: a real call in emergency mode only, else an exercise.
        self._kinds[counter] = "emergency" if self.mode == EMERGENCY_MODE else "exercise"
        self.node.send(self._kinds[counter], message, self.now_ms, counter)
        self.plan()
        return counter, code

    @property
    def readings_waiting(self) -> int:
        """Samples of a frame that is not full yet."""
        return len(self._samples)

    def persist(self, name: str, value: object) -> None:
        """Into the dictionary that survives a power cut."""
        self.saved[name] = value
        self.node.persisted(name, value)

    def handle(self, events: list[Any]) -> None:
        """Receipts and commands."""
        for event in events:
            if isinstance(event, StageChanged):
                self._stages[event.counter] = max(event.stage, self._stages.get(event.counter, 0))
                self._on_stage(self, event.counter, event.stage)
            elif isinstance(event, ModeCommanded):
                self.mode = event.message["mode"]
            elif isinstance(event, ReadingsAcknowledged):
                self._settle_readings(event)

    def _settle_readings(self, event: ReadingsAcknowledged) -> None:
        for sequence in [number for number in self._unacknowledged if number in event.held]:
            self.readings_acknowledged += len(self._unacknowledged.pop(sequence)["samples"])
        for sequence in event.gaps:
            message = self._unacknowledged.get(sequence)
            if message is not None:
                self._send_reading(message)

    def _sample(self, boots: int) -> None:
        if boots != self._boots or not self.station.alive:
            return
        factor = EMERGENCY_READING_FACTOR if self.mode == EMERGENCY_MODE else 1
        self.schedule.at(self.schedule.now_us + self._interval_us * factor, self._sample, boots)
        self._samples.append(self._measure(self))
        self.readings_made += 1
        if len(self._samples) < self._samples_per_frame:
            return
        self._sequence += 1
        message = {
            "sequence": self._sequence,
            "time_s": self.unix_s,
            "clock_quality": 2,
            "interval_s": self._interval_us // 1_000_000,
            "samples": self._samples,
        }
        self._samples = []
        self._unacknowledged[self._sequence] = message
        if len(self._unacknowledged) > UNACKNOWLEDGED_MAX:
            del self._unacknowledged[min(self._unacknowledged)]
        self._send_reading(message)
        self.plan()

    def _send_reading(self, message: dict[str, Any]) -> None:
        try:
            self.node.send("reading", message, self.now_ms)
        except (CounterExhausted, CustodyFull):
            self.readings_held_back += 1  # It stays among the unacknowledged and is offered again.
