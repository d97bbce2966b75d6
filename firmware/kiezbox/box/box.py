# SPDX-License-Identifier: Apache-2.0
"""One box: its mode, its calls, its readings, its part in the mesh. What the portal asks, it asks here.

1. Radio and node: frames in, actions out. What must survive is on flash before what depends on it goes on the air.
2. Modes come by signed command only and survive a power cut. A call for help is real in emergency mode alone; in
   everyday and exercise
   mode it is an exercise, in maintenance mode there is none.
3. Readings and health go out by schedule, each box at its own moment.

Not here: the page (portal), ports (main.py), how a call is kept (calls.py). Built by main.py.
"""

import asyncio

from kiezbox import __version__
from kiezbox.box.bell import Bell
from kiezbox.box.calls import AMEND, CANCEL, SAFE, Calls
from kiezbox.box.journal import load, replace
from kiezbox.box.readings import Readings
from kiezbox.box.refusal import Refused
from kiezbox.protocol import events
from kiezbox.protocol.airtime import PRESETS
from kiezbox.protocol.box_node import BoxNode
from kiezbox.protocol.channel import Channel
from kiezbox.protocol.counter import CounterExhausted
from kiezbox.protocol.custody import CustodyFull
from kiezbox.protocol.mesh import Transmit

MODES = ("", "everyday", "emergency", "exercise", "maintenance")
NOTICES_MAX = 6
REPLIES_MAX = 6
RESUME_PAUSE_MS = 60_000
FLASH_PAUSE_MS = 2_000
NODEINFO_MS = 3 * 3_600_000


class Box:
    """`name`, `place`, `node_num`, `mode` are for the portal to show."""

    def __init__(self, ports, supervisor) -> None:  # noqa: ANN001
        """Raises OSError if this box has no configuration and nobody offers one."""
        self._ports = ports
        self._supervisor = supervisor
        root = ports.root
        configuration = load(root + "/config.json")
        if not configuration:
            configuration = ports.provision()
            if not configuration:
                raise OSError("this box has no configuration: run `kiezbox provision` first")
            replace(root + "/config.json", configuration)
        self._configuration = configuration
        self._state_path = root + "/state.json"
        self._state = load(self._state_path)
        self.name = configuration["name"]
        self.place = configuration["place"]
        self.node_num = configuration["node_num"]
        self.mode = self._state.get("mode") or configuration.get("mode") or "everyday"
        channel = configuration["channel"]
        keys = configuration["district_public_keys"]
        self._node = BoxNode(
            self.node_num,
            bytes.fromhex(configuration["root_key_hex"]),
            Channel(channel["name"], bytes.fromhex(channel["psk_hex"])),
            PRESETS[configuration["preset"]],
            {int(number): bytes.fromhex(keys[number]) for number in keys},
            ports.entropy(32),
            self._state,
            configuration["hop_limit"],
            "CLIENT",
            self.name,
            configuration["short_name"],
            configuration["district"],
            configuration.get("nodeinfo_interval_s", NODEINFO_MS // 1000) * 1000,
        )
        self._calls = Calls(ports, self._node, root)
        frame_interval_s = configuration["reading_interval_s"] * configuration["samples_per_frame"]
        self._readings = Readings(root, frame_interval_s * 1000)
        self._air: dict[str, tuple[int, int]] = {}
        self._notices: list[dict] = []
        self._replies: dict[str, dict] = {}
        self._faults = 0
        self.unsent = 0
        self.unsaved = 0
        self._bell = Bell()
        self._due_ms: int | None = None
        self._wall()

    # For the portal

    def now_ms(self) -> int:
        """Steady milliseconds since the start."""
        return self._ports.clock.now_ms()

    def wall_s(self) -> "tuple[int, int]":
        """Unix seconds (0 if not known) and their quality."""
        return self._ports.clock.wall()

    def air(self) -> "dict[str, tuple[int, int]]":
        """The newest value of each kind and its age in seconds."""
        now_ms = self.now_ms()
        return {name: (value, (now_ms - at_ms) // 1000) for name, (value, at_ms) in self._air.items()}

    def notices(self, language: str) -> "list[dict]":
        """Notices that have not expired, those in `language` first."""
        now_s = self.wall_s()[0]
        valid = [one for one in self._notices if not now_s or one.get("expires_s", now_s + 1) > now_s]
        return sorted(valid, key=lambda one: one.get("language") != language)

    def help_points(self) -> "list[dict]":
        """From the configuration: name, address, kind each."""
        return self._configuration.get("help_points", [])

    async def submit(self, form: dict) -> str:
        """Store a call and return its code; an exercise unless this is an emergency. Raises Refused."""
        if self.mode == "maintenance":
            raise Refused("mode")
        code = self._calls.submit(form, self.mode != "emergency")
        self._bell.ring()
        return code

    async def amend(self, code: str, text: str) -> None:
        """Add to a call. Raises Refused."""
        self._change(code, AMEND, text)

    async def cancel(self, code: str) -> None:
        """The call is no longer needed. Raises Refused."""
        self._change(code, CANCEL)

    async def safe(self, code: str) -> None:
        """I am safe now. Raises Refused."""
        self._change(code, SAFE)

    def status(self, code: str) -> "dict | None":
        """Stages of a call; None if neither this box nor a gateway that was asked knows it."""
        return self._calls.status(code) or self._replies.get(code)

    async def ask(self, code: str) -> None:
        """Ask the gateway over the air about a code of another box; `status` knows it once the answer is here."""
        if self.status(code) is None:
            self._send("query", {"code": code})
            self._bell.ring()

    def _change(self, code: str, action: int, text: str = "") -> None:
        self._calls.change(code, action, text)
        self._bell.ring()

    # Tasks, kept by the supervisor

    async def listen(self) -> None:
        """Frames from the radio."""
        while True:
            self._supervisor.waits("listen")
            frame, rssi_dbm, snr_db = await self._ports.radio.receive()
            self._supervisor.alive("listen")
            found = self._node.receive(frame, rssi_dbm, snr_db, self.now_ms())
            for event in found:
                self._happened(event)
            # Most frames are copies of what is known already, and change nothing for who speaks.
            if found or self._node.next_wakeup_ms(self.now_ms()) != self._due_ms:
                self._bell.ring()

    async def speak(self) -> None:
        """What the node wants done: flash first, then the air."""
        self._calls.load()
        resume_ms = 0
        while True:
            self._supervisor.alive("speak")
            if self._calls.deferred and self.now_ms() >= resume_ms:
                resume_ms = self.now_ms() + RESUME_PAUSE_MS
                self._calls.resume()
            await self._act(self._node.poll(self.now_ms()))
            due_ms = self._due_ms = self._node.next_wakeup_ms(self.now_ms())
            wait_ms = self._supervisor.beat_ms()
            if due_ms is not None:
                wait_ms = min(max(due_ms - self.now_ms(), 0), wait_ms)
            await self._bell.wait_ms(wait_ms)

    async def _act(self, actions: list) -> None:
        saved = [action for action in actions if isinstance(action, events.Persist)]
        if saved:
            for action in saved:
                self._state[action.name] = action.value
            try:
                replace(self._state_path, self._state)
            except OSError:
                await self._flash_refused(saved, actions)
                return
            for action in saved:
                self._node.persisted(action.name, action.value)
        for action in actions:
            if isinstance(action, Transmit):
                try:
                    sent = await self._ports.radio.transmit(action.frame)  # type: ignore[attr-defined]
                except OSError:
                    sent = False  # A radio that fails once must not keep a box silent for ever.
                    self.unsent += 1
                if sent:
                    self._node.transmitted(self.now_ms())
                else:
                    self._node.channel_busy(self.now_ms())

    async def _flash_refused(self, saved: list, actions: list) -> None:
        """The node asks again after a pause; what it wanted to send waits for another moment."""
        self.unsaved += 1
        for action in saved:
            self._node.not_persisted(action.name, action.value)
        if any(isinstance(action, Transmit) for action in actions):
            self._node.channel_busy(self.now_ms())
        await asyncio.sleep_ms(FLASH_PAUSE_MS)

    async def measure(self) -> None:
        """Read the sensors, send frames of samples, offer again what nobody acknowledged."""
        interval_s = self._configuration["reading_interval_s"]
        await self._rest("measure", self._part_of(interval_s * 1000))
        samples = []
        while True:
            started_ms = self.now_ms()
            samples.append(await self._sample())
            if len(samples) >= self._configuration["samples_per_frame"]:
                time_s, quality = self.wall_s()
                message = self._readings.add(samples, time_s, quality, interval_s, self.now_ms())
                self._send("reading", message)
                samples = []
            missed = self._readings.due(self.now_ms())
            if missed is not None:
                self._send("reading", missed)
            self._bell.ring()
            await self._rest("measure", interval_s * 1000 - (self.now_ms() - started_ms))

    def _send(self, kind: str, message: dict) -> None:
        """What is not a call may find no room or no number just now: it is counted, and readings are still on flash."""
        try:
            self._node.send(kind, message, self.now_ms())
        except (CounterExhausted, CustodyFull):
            self.unsent += 1

    async def _sample(self) -> "dict[str, int]":
        sample = {}
        for sensor in self._ports.sensors:
            try:
                values = await sensor.read()
            except OSError:
                self._faults |= sensor.fault_bit
                continue
            self._faults &= ~sensor.fault_bit
            sample.update(values)
        now_ms = self.now_ms()
        for name in sample:
            self._air[name] = (sample[name], now_ms)
        return sample

    async def report(self) -> None:
        """Health, by schedule."""
        interval_ms = self._configuration["health_interval_s"] * 1000
        await self._rest("report", self._part_of(interval_ms))
        while True:
            self._send("health", self._health())
            self._bell.ring()
            await self._rest("report", interval_ms)

    def _part_of(self, interval_ms: int) -> int:
        """A random part of it, so that each box has its own moment."""
        return int.from_bytes(self._ports.entropy(2), "little") * interval_ms // 65536

    async def _rest(self, name: str, wait_ms: int) -> None:
        """Sleep in short steps, so that the supervisor sees the task alive."""
        until_ms = self.now_ms() + max(wait_ms, 0)
        while self.now_ms() < until_ms:
            self._supervisor.alive(name)
            await asyncio.sleep_ms(min(until_ms - self.now_ms(), self._supervisor.beat_ms()))

    def _health(self) -> dict:
        import gc

        now_ms = self.now_ms()
        time_s, quality = self.wall_s()
        neighbours = self._node.mesh.neighbours.nodes
        health = {
            "time_s": time_s,
            "clock_quality": quality,
            "uptime_s": now_ms // 1000,
            "heap_free_bytes": gc.mem_free(),
            "flash_free_bytes": self._readings.flash_free_bytes(),
            "reset_cause": self._ports.reset_cause,
            "firmware_version": __version__,
            "mode": MODES.index(self.mode),
            "mode_epoch": self._state.get("mode_epoch") or 0,
            "duty_spent_ms": self._node.mesh.ledger.spent_ms(now_ms),
            "queue_length": len(self._node.mesh.queue),
            "calls_open": self._calls.open_count(),
            "restarts": self._supervisor.restarts,
            "faults": self._faults,
            "neighbours": [
                {"node": node, "rssi_dbm": neighbours[node][0], "snr_db": neighbours[node][1]} for node in neighbours
            ],
        }
        for name in ("battery_mv", "panel_mv", "battery_ma", "temperature_cc"):
            if name in self._air:
                health[name] = self._air[name][0]
        return health

    # What came over the air

    def _happened(self, event) -> None:  # noqa: ANN001
        if isinstance(event, events.StageChanged):
            self._calls.stage_changed(event.counter, event.stage, event.time_s, event.station, event.text)
        elif isinstance(event, events.ReadingsAcknowledged):
            self._readings.acknowledged(event.held)
        elif isinstance(event, events.ModeCommanded):
            self.mode = MODES[event.message["mode"]]
            self._state["mode"] = self.mode
            replace(self._state_path, self._state)
            self._ports.log("mode is " + self.mode + " by signed command")
        elif isinstance(event, events.BulletinReceived):
            self._notices = [one for one in self._notices if not _same_notice(one, event.message)][-NOTICES_MAX + 1 :]
            self._notices.append(event.message)
        elif isinstance(event, events.TimeReceived):
            self._ports.clock.set_wall(event.message["time_s"], event.message.get("quality", 1))
            self._wall()
        elif isinstance(event, events.ReplyReceived):
            self._reply(event.message)
        elif isinstance(event, events.ConfigurationReceived):
            # Keys that can be changed on a running box come with their own page of work; until then the gateway is
            # told so.
            self._node.conclude(event.counter, 2, "not_supported", self.now_ms())

    def _reply(self, message: dict) -> None:
        code = message.get("code")
        if not code or not message.get("stage"):
            return
        if len(self._replies) >= REPLIES_MAX:
            del self._replies[next(iter(self._replies))]
        stage = {"stage": message["stage"], "time_s": message.get("time_s", 0), "station": message.get("station", "")}
        self._replies[code] = {
            "stages": [stage],
            "answer": message.get("text"),
            "exercise": False,
            "cancelled": False,
        }

    def _wall(self) -> None:
        time_s, quality = self._ports.clock.wall()
        if time_s:
            self._node.set_clock(time_s, quality, self.now_ms())


def _same_notice(one: dict, other: dict) -> bool:
    return one.get("identifier") == other.get("identifier") and one.get("language") == other.get("language")
