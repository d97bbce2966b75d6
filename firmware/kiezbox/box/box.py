# SPDX-License-Identifier: Apache-2.0
"""One box: its mode, its calls, its readings, its part in the mesh. What the portal and the button ask, they ask here.

1. Radio and node: frames in, actions out. What must survive is on flash before what depends on it goes on the air.
2. Modes come by signed command only and survive a power cut. A call for help is real in emergency mode alone; in
   everyday and exercise mode it is an exercise, in maintenance mode there is none.
3. Readings and health go out by schedule, each box at its own moment; health also when something has happened.

Not here: the page (portal), ports (main.py), how a call is kept (calls.py), what happens at every beat (upkeep.py).
Built by main.py.
"""

import asyncio

from kiezbox.box import health
from kiezbox.box.bell import Bell
from kiezbox.box.call_entry import AMEND, CANCEL, SAFE
from kiezbox.box.calls import Calls
from kiezbox.box.flash_room import FlashRoom
from kiezbox.box.modes import Modes
from kiezbox.box.notices import Notices
from kiezbox.box.readings import Readings
from kiezbox.box.refusal import Refused
from kiezbox.box.sensing import Sensing
from kiezbox.box.settings import Settings
from kiezbox.box.state import State
from kiezbox.protocol import events
from kiezbox.protocol.airtime import PRESETS
from kiezbox.protocol.box_node import BoxNode
from kiezbox.protocol.channel import Channel
from kiezbox.protocol.counter import CounterExhausted
from kiezbox.protocol.custody import CustodyFull
from kiezbox.protocol.mesh import Transmit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

REPLIES_MAX = 6
RESUME_PAUSE_MS = 60_000
FLASH_PAUSE_MS = 2_000
RADIO_TIMEOUT_MS = 30_000
NEWS_SPREAD_MS = 600_000
"""A report out of turn goes out within this time: what one box sees, many see at the same moment."""

PROVEN = (
    events.StageChanged,
    events.ReadingsAcknowledged,
    events.ModeCommanded,
    events.BulletinReceived,
    events.TimeReceived,
    events.ReplyReceived,
    events.ConfigurationReceived,
    events.ManifestReceived,
)
"""Events that only a gateway of this district can cause."""


class Box:
    """`name`, `place`, `district`, `node_num`, `mode` are for the portal to show."""

    def __init__(self, ports, supervisor) -> None:  # noqa: ANN001
        """Raises Unprovisioned if this box has no right configuration and nobody offers one."""
        self._ports = ports
        self._supervisor = supervisor
        root = ports.root
        self.room = FlashRoom(root)
        self.settings = Settings(ports, self.room)
        self.state = State(root, self.room)
        saved = self.state.values
        self.readings = Readings(root, self.room, self.state)
        self.notices_kept = Notices(root)
        self.calls = Calls(ports, root, self.room)
        if self.state.damaged:
            self.state.leap(self.calls.counter_max())
        self.starts = saved.get("starts") or 0
        self.state.put("starts", self.starts + 1)
        values = self.settings.values
        self.modes = Modes(self.state, values["mode"])
        self.node_num = values["node_num"]
        channel = values["channel"]
        keys = values["district_public_keys"]
        self._node = BoxNode(
            self.node_num,
            bytes.fromhex(values["root_key_hex"]),
            Channel(channel["name"], bytes.fromhex(channel["psk_hex"])),
            PRESETS[values["preset"]],
            {int(number): bytes.fromhex(keys[number]) for number in keys},
            ports.entropy(32),
            saved,
            values["hop_limit"],
            values["role"],
            values["name"],
            values["short_name"],
            values["district"],
            values["nodeinfo_interval_s"] * 1000,
            values["telemetry_interval_s"] * 1000,
            values["reserve_pct"],
        )
        self.calls.node = self._node
        self.sensing = Sensing(self, ports, self._node)
        self._replies: dict[str, dict] = {}
        self.damaged = health.damage_of(self)
        self.upkeep: Any = None
        self.button: Any = None
        self.unsent = 0
        self.unsaved = 0
        self.gateway_heard_ms = self.now_ms()
        self.restart_asked_ms: int | None = None
        self._report_ms = self.part_of(self.settings.values["health_interval_s"] * 1000)
        self.radio_silent = False
        self._bell = Bell()
        self._due_ms: int | None = None
        self._follow_settings()
        self._wall()
        self.calls.load()

    # For the portal and the button

    @property
    def mode(self) -> str:
        """everyday, emergency, exercise or maintenance."""
        return self.modes.name

    def now_ms(self) -> int:
        """Steady milliseconds since the start."""
        return self._ports.clock.now_ms()

    def wall_s(self) -> "tuple[int, int]":
        """Unix seconds (0 if not known) and their quality."""
        return self._ports.clock.wall()

    def air(self) -> "dict[str, tuple[int, int]]":
        """The newest value of each kind and its age in seconds."""
        return self.sensing.air()

    def notices(self, language: str) -> "list[dict]":
        """Notices that have not expired, those in `language` first."""
        return sorted(self.notices_kept.valid(self.wall_s()[0]), key=lambda one: one.get("language") != language)

    def help_points(self) -> "list[dict]":
        """From the configuration: name, address, kind each."""
        return self.settings.values["help_points"]

    async def submit(self, form: dict) -> str:
        """Store a call and return its code; an exercise unless this is an emergency. Raises Refused."""
        if self.mode == "maintenance":
            raise Refused("mode")
        code = self.calls.submit(form, self.mode != "emergency")
        self.wake()
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
        return self.calls.status(code) or self._replies.get(code)

    async def ask(self, code: str) -> None:
        """Ask the gateway over the air about a code of another box; `status` knows it once the answer is here."""
        if self.status(code) is None:
            self.send("query", {"code": code})
            self.wake()

    def press(self) -> "str | None":
        """A call without a phone; its code, None in a mode in which nobody reads it or if flash cannot take it."""
        try:
            if self.mode in ("emergency", "exercise"):
                code = self.calls.press(self.mode != "emergency")
                self.wake()
                return code
        except Refused:
            pass
        return None

    def cancel_press(self, code: str) -> bool:
        """As cancel; False if it could not be stored."""
        try:
            self._change(code, CANCEL)
        except Refused:
            return False
        return True

    def last_press(self) -> "str | None":
        """The code of the button's newest call, if it was not cancelled."""
        return self.calls.pressed()

    def _change(self, code: str, action: int, text: str = "") -> None:
        self.calls.change(code, action, text)
        self.wake()

    # For upkeep.py and health.py

    def wake(self) -> None:
        """There is something to write or to send."""
        self._bell.ring()

    def changed(self, what: str) -> None:
        """Something that staff should know soon: health goes out out of turn, and what changed goes to flash."""
        self._ports.log(what)
        self._report_ms = min(self._report_ms, self.now_ms() + self.part_of(NEWS_SPREAD_MS))
        self.wake()

    def _follow_settings(self) -> None:
        values = self.settings.values
        self.name = values["name"]
        self.place = values["place"]
        self.district = values["district"]
        self.calls.retention_s = values["call_retention_days"] * 86_400
        self.readings.follow(values["reading_interval_s"] * values["samples_per_frame"] * 1000)

    # Tasks, kept by the supervisor

    async def listen(self) -> None:
        """Frames from the radio."""
        # A frame is dealt with at one go: whenever the supervisor looks, this task waits.
        self._supervisor.waits("listen")
        node = self._node
        while True:
            frame, rssi_dbm, snr_db = await self._ports.radio.receive()
            try:
                for event in node.receive(frame, rssi_dbm, snr_db, self.now_ms()):
                    if isinstance(event, PROVEN):
                        self.wake()
                        self._happened(event)
            except Exception as error:  # noqa: BLE001  A frame must not be able to deafen a box for the pause of a crash.
                self._supervisor.failed("listen", error)
            # Most frames are copies of what is known already and change nothing for who speaks; most others bring or
            # take a relay, and only change when it has something to do.
            if not node.mesh.undisturbed:
                due_ms = node.next_wakeup_ms(self.now_ms())
                if due_ms != self._due_ms:
                    self._due_ms = due_ms
                    self._bell.move(self._pause_ms())

    async def speak(self) -> None:
        """What the node wants done: flash first, then the air."""
        resume_ms = 0
        while True:
            self._supervisor.alive("speak")
            if self.calls.deferred and self.now_ms() >= resume_ms:
                resume_ms = self.now_ms() + RESUME_PAUSE_MS
                self.calls.resume()
            await self._act(self._node.poll(self.now_ms()))
            self._due_ms = self._node.next_wakeup_ms(self.now_ms())
            await self._bell.wait_ms(self._pause_ms())

    def _pause_ms(self) -> int:
        """Until the node has something to do, at most until the next beat."""
        wait_ms = self._supervisor.beat_ms()
        if self._due_ms is not None:
            wait_ms = min(max(self._due_ms - self.now_ms(), 0), wait_ms)
        return wait_ms

    async def _act(self, actions: list) -> None:
        saved = [action for action in actions if isinstance(action, events.Persist)]
        for action in saved:
            self.state.put(action.name, action.value)
        if not self.state.save():
            await self._flash_refused(saved, actions)
            return
        self.unsaved = 0
        for action in saved:
            self._node.persisted(action.name, action.value)
        for action in actions:
            if isinstance(action, Transmit):
                if await self._transmit(action.frame):  # type: ignore[attr-defined]
                    self._node.transmitted(self.now_ms())
                else:
                    self._node.channel_busy(self.now_ms())

    async def _transmit(self, frame: bytes) -> bool:
        """True if the frame was on the air, or may have been."""
        try:
            sent = await asyncio.wait_for_ms(self._ports.radio.transmit(frame), RADIO_TIMEOUT_MS)
            self.radio_silent = False
        except OSError:
            sent = False  # A radio that fails once must not keep a box silent for ever.
            self.radio_silent = True
            self.unsent += 1
        except asyncio.TimeoutError:
            sent = True  # Nobody knows, so its airtime counts.
            self.radio_silent = True
        return sent

    async def _flash_refused(self, saved: list, actions: list) -> None:
        """The node asks again after a pause; what it wanted to send waits for another moment."""
        self.unsaved += 1
        for action in saved:
            self._node.not_persisted(action.name, action.value)
        if any(isinstance(action, Transmit) for action in actions):
            self._node.channel_busy(self.now_ms())
        await asyncio.sleep_ms(FLASH_PAUSE_MS)

    def send(self, kind: str, message: dict) -> None:
        """What is not a call may find no room or no number just now: it is counted, and readings are still on flash."""
        try:
            self._node.send(kind, message, self.now_ms())
        except (CounterExhausted, CustodyFull):
            self.unsent += 1

    async def report(self) -> None:
        """Health, by schedule, and soon after something has changed."""
        while True:
            now_ms = self.now_ms()
            interval_ms = self.settings.values["health_interval_s"] * 1000
            if now_ms >= self._report_ms:
                self._report_ms = now_ms + interval_ms
                self.send("health", health.report_of(self, self._ports, self._node, self._supervisor, now_ms))
                self.wake()
            self._report_ms = min(self._report_ms, now_ms + interval_ms)
            await self.rest("report", min(self._report_ms - now_ms, self._supervisor.beat_ms()))

    def part_of(self, interval_ms: int) -> int:
        """A random part of it, so that each box has its own moment."""
        return int.from_bytes(self._ports.entropy(2), "little") * interval_ms // 65536

    async def rest(self, name: str, wait_ms: int, key: str = "") -> None:
        """Sleep in short steps, so that the supervisor sees the task alive; less, if the setting `key` changes."""
        until_ms = self.now_ms() + max(wait_ms, 0)
        before = self.settings.values.get(key)
        while self.now_ms() < until_ms and self.settings.values.get(key) == before:
            self._supervisor.alive(name)
            await asyncio.sleep_ms(min(until_ms - self.now_ms(), self._supervisor.beat_ms()))

    # What came over the air

    def _happened(self, event) -> None:  # noqa: ANN001
        self.gateway_heard_ms = self.now_ms()
        self.settings.heard()
        if isinstance(event, events.StageChanged):
            self.calls.stage_changed(event.counter, event.stage, event.time_s, event.station, event.text)
        elif isinstance(event, events.ReadingsAcknowledged):
            self.readings.acknowledged(event.held)
        elif isinstance(event, events.ModeCommanded):
            # On flash together with its epoch, whose Persist comes out of the next poll, before the result goes out.
            # The result tells the new mode; no box has to send more at such a moment.
            if self.modes.command(event.message):
                self._ports.log("mode is " + self.mode + " by signed command")
        elif isinstance(event, events.BulletinReceived):
            self.notices_kept.add(event.message, self.wall_s()[0])
        elif isinstance(event, events.TimeReceived):
            self._ports.clock.set_wall(event.message["time_s"], event.message.get("quality", 1))
            self._wall()
        elif isinstance(event, events.ReplyReceived):
            self._reply(event.message)
        elif isinstance(event, events.ConfigurationReceived):
            self._configure(event.message, event.counter)

    def _configure(self, message: dict, counter: int) -> None:
        result, detail, restart = self.settings.change(message)
        self._follow_settings()
        self._node.conclude(counter, result, detail, self.now_ms())
        self._ports.log("configuration " + ("applied" if result == 1 else "refused") + " " + detail)
        if restart:
            self.restart_asked_ms = self.now_ms()

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
