# SPDX-License-Identifier: Apache-2.0
"""What a box does for itself at every beat: ends modes, looks for a blackout, powers the router, deletes on time, ends
trials, restarts when settings ask for it.

Not here: how each of these decides. Called by main.py through the supervisor.
"""

from kiezbox import late
from kiezbox.box.blackout import Blackout
from kiezbox.box.router_power import RouterPower
from kiezbox.box.settings import TRIAL_MS

SWEEP_MS = 3_600_000
OVERWRITE_MS = 86_400_000
RESTART_AFTER_MS = 120_000


class Upkeep:
    """`box` as in box.py; grid, uplink, router_power of `ports` may be None."""

    def __init__(self, box, ports, supervisor) -> None:  # noqa: ANN001
        self._box = box
        self._ports = ports
        self._supervisor = supervisor
        self.blackout = Blackout()
        self.router = RouterPower()
        self._sweep_ms = 0
        # Not at once after a start, so that a box that starts again and again does not wear its flash.
        self._overwrite_ms = SWEEP_MS
        self._unclean = bool(box.state.values.get("unclean"))

    async def run(self) -> None:
        """Task."""
        if self._ports.router_power is not None:
            self._ports.router_power.set(False)
        while True:
            self._supervisor.alive("upkeep")
            now_ms = self._box.now_ms()
            self._decide(now_ms)
            if now_ms >= self._sweep_ms:
                self._sweep_ms = now_ms + SWEEP_MS
                self._sweep()
            if self._unclean and now_ms >= self._overwrite_ms:
                await self._overwrite(now_ms)
            late.forget()
            await self._box.rest("upkeep", self._supervisor.beat_ms())

    def _decide(self, now_ms: int) -> None:
        box = self._box
        values = box.settings.values
        if box.modes.end(box.wall_s()[0]):
            box.changed("mode ended")
        grid = self._ports.grid
        uplink = self._ports.uplink
        if self.blackout.look(
            now_ms,
            None if grid is None else grid.present(),
            box.gateway_heard_ms,
            None if uplink is None else uplink.heard_ms(),
            values["grid_lost_after_s"] * 1000,
            values["silent_after_s"] * 1000,
        ):
            box.changed("blackout proposed" if self.blackout.proposed else "blackout no longer proposed")
        air = box.air().get("battery_mv")
        battery = None if air is None else (air[0], air[1] * 1000)
        if self.router.decide(box.mode, battery, values["router_off_below_mv"], values["router_on_above_mv"]):
            if self._ports.router_power is not None:
                self._ports.router_power.set(self.router.on)
            self._ports.log("router on" if self.router.on else "router off")
        if box.settings.on_trial and now_ms >= TRIAL_MS and box.settings.give_back():
            self._ports.log("no gateway heard with the new settings: back to the old ones")
            self._ports.restart()
        if box.restart_asked_ms is not None and now_ms - box.restart_asked_ms >= RESTART_AFTER_MS:
            self._ports.log("restart for new settings")
            self._ports.restart()

    def _sweep(self) -> None:
        box = self._box
        try:
            box.notices_kept.sweep(box.wall_s()[0])
            deleted = box.calls.sweep()
        except OSError:
            return  # The flash is full or fails: health says so, and the next hour tries again.
        if deleted and not self._unclean:
            self._unclean = True
            box.state.put("unclean", 1)
            box.wake()

    async def _overwrite(self, now_ms: int) -> None:
        """At most once a day, for it erases every free block; if it was interrupted, again in an hour."""
        self._overwrite_ms = now_ms + OVERWRITE_MS
        if await self._box.room.overwrite(lambda: self._supervisor.alive("upkeep")):
            self._unclean = False
            self._box.state.put("unclean", 0)
            self._box.wake()
        else:
            self._overwrite_ms = now_ms + SWEEP_MS
