# SPDX-License-Identifier: Apache-2.0
"""The sensors' schedule: samples at equal times, in frames, kept by readings.py and sent; what came last, for the page.

A sensor that does not answer is noted in `faults` and asked again with the next sample. Not here: sensor chips (ports).
Called by box.py; `measure` is kept by the supervisor.
"""

from kiezbox.protocol.reading_pace import merged


class Sensing:
    """`faults`: the fault bits of sensors that did not answer. `box` as in box.py, `node` the BoxNode."""

    def __init__(self, box, ports, node) -> None:  # noqa: ANN001
        self._box = box
        self._ports = ports
        self._node = node
        self._air: dict[str, tuple[int, int]] = {}
        self.faults = 0

    def air(self) -> "dict[str, tuple[int, int]]":
        """The newest value of each kind and its age in seconds."""
        now_ms = self._box.now_ms()
        return {name: (value, (now_ms - at_ms) // 1000) for name, (value, at_ms) in self._air.items()}

    async def measure(self) -> None:
        """Task: read the sensors, send frames of samples, offer again what nobody acknowledged."""
        box = self._box
        await box.rest("measure", box.part_of(box.settings.values["reading_interval_s"] * 1000))
        samples = []
        measured = []
        spacing_s = 0
        moment = 0, 0
        while True:
            values = box.settings.values
            factor = self._node.reading_factor(box.now_ms())
            if spacing_s != values["reading_interval_s"] * factor:
                # Samples of one frame have one interval: what is there goes out as it is.
                self._add(samples, spacing_s, moment)
                samples = []
                spacing_s = values["reading_interval_s"] * factor
            started_ms = box.now_ms()
            measured.append(await self._sample())
            if len(measured) >= factor:
                samples.append(merged(measured))
                measured = []
                moment = box.wall_s()
            if len(samples) >= values["samples_per_frame"]:
                self._add(samples, spacing_s, moment)
                samples = []
            missed = box.readings.due(box.now_ms())
            if missed is not None:
                box.send("reading", missed)
            box.wake()
            rest_ms = values["reading_interval_s"] * 1000 - (box.now_ms() - started_ms)
            await box.rest("measure", rest_ms, "reading_interval_s")

    def _add(self, samples: "list[dict[str, int]]", spacing_s: int, moment: "tuple[int, int]") -> None:
        """One frame. moment: time and its quality when the last sample was taken."""
        if samples:
            box = self._box
            time_s, quality = moment
            box.send("reading", box.readings.add(samples, time_s, quality, spacing_s, box.now_ms()))

    async def _sample(self) -> "dict[str, int]":
        sample = {}
        for sensor in self._ports.sensors:
            try:
                values = await sensor.read()
            except OSError:
                self.faults |= sensor.fault_bit
                continue
            self.faults &= ~sensor.fault_bit
            sample.update(values)
        now_ms = self._box.now_ms()
        for name in sample:
            self._air[name] = (sample[name], now_ms)
        told = sample
        if self._box.mode == "emergency":
            # The air is for calls: what is measured goes to the gateway, and stock apps hear that the box is alive.
            told = {name: sample[name] for name in sample if name.startswith("battery")}
        self._node.measured(dict(told, time_s=self._box.wall_s()[0]))
        return sample
