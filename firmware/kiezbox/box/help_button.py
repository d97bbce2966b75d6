# SPDX-License-Identifier: Apache-2.0
"""Calls for help without a phone: one button, one light.

1. Short: a call for help in emergency mode, an exercise in exercise mode. In the other modes nobody reads it, so there
   is none, and the light says so.
2. As long as a call of this button is open, a short press makes no second one. Its stages show on the light until it is
   cancelled, or a day has passed since the last of them.
3. Long: cancel it.
4. After a restart the light goes on with what flash knows.

Not here: contact bounce (button.py), patterns (led.py). Loaded by main.py on a box that has a button or a light, and
outside of the linked program, so it uses nothing of it but what it is handed.
"""

import asyncio

from kiezbox.box.button import LONG, SHORT, Button
from kiezbox.box.led import CANCELLED_MS, REFUSED_MS, Light, pattern

SHOWN_MS = 86_400_000
STEP_MS = 20_000


class HelpButton:
    """`box` as in box.py; ports.button and ports.led as in ports.py, one of them may be None; `bell`: a Bell."""

    def __init__(self, box, ports, supervisor, bell) -> None:  # noqa: ANN001
        self._box = box
        self._ports = ports
        self._supervisor = supervisor
        self._button = Button()
        self._light = Light()
        self._code: str | None = None
        self._stage = 0
        self._stage_ms = 0
        self._exercise = False
        self._sentence = ""
        self._sentence_until_ms = 0
        self._changed = bell

    def stuck(self) -> bool:
        """The button has been down for half a minute."""
        return self._button.stuck

    async def watch(self) -> None:
        """Task: wait for edges."""
        while True:
            self._supervisor.alive("button")
            now_ms = self._box.now_ms()
            wait_ms = self._button.due_ms(now_ms)
            try:
                pressed = await asyncio.wait_for_ms(
                    self._ports.button.changed(), STEP_MS if wait_ms is None else min(wait_ms, STEP_MS)
                )
                found = self._button.edge(pressed, self._box.now_ms())
            except asyncio.TimeoutError:
                found = self._button.poll(self._box.now_ms())
            if found is not None:
                self.pressed(found)

    def pressed(self, found: int) -> None:
        """A press, SHORT or LONG."""
        code = self._open()
        if found == LONG and code is not None:
            if self._box.cancel_press(code):
                self._code = None
                self._say("cancelled", CANCELLED_MS)
            else:
                self._say("refused", REFUSED_MS)
        elif found == SHORT and code is None:
            self._code = self._box.press()
            self._stage = 0
            self._say("" if self._code else "refused", 0 if self._code else REFUSED_MS)

    async def shine(self) -> None:
        """Task: the light."""
        self._code = self._box.last_press()
        while True:
            self._supervisor.alive("light")
            now_ms = self._box.now_ms()
            self._light.show(self._wanted(now_ms), now_ms)
            lit, wait_ms = self._light.at(now_ms)
            self._ports.led.set(lit)
            await self._changed.wait_ms(min(wait_ms, STEP_MS))

    def _wanted(self, now_ms: int) -> "tuple[int, ...]":
        if now_ms < self._sentence_until_ms:
            return pattern(self._sentence)
        code = self._open()
        if code is None:
            return pattern(self._box.mode)
        return pattern("", self._stage, self._exercise)

    def _open(self) -> "str | None":
        """The code of this button's call, if there is one to show."""
        status = self._box.status(self._code) if self._code else None
        if status is None or status["cancelled"]:
            self._code = None
            return None
        stage = max(one["stage"] for one in status["stages"])
        now_ms = self._box.now_ms()
        if stage != self._stage:
            self._stage, self._stage_ms = stage, now_ms
        self._exercise = status["exercise"]
        if now_ms - self._stage_ms > SHOWN_MS and stage > 1:
            self._code = None
        return self._code

    def _say(self, sentence: str, for_ms: int) -> None:
        self._sentence = sentence
        self._sentence_until_ms = self._box.now_ms() + for_ms
        self._changed.ring()
