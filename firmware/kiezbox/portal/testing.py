# SPDX-License-Identifier: Apache-2.0
"""A box for tests of the portal: the same surface as box.py, in memory, without a radio. Runs on both interpreters.

Receipts arrive when a test says so, see `advance`.
"""

from kiezbox.box import receipt_code
from kiezbox.box.refusal import Refused


class MemoryBox:
    """Every call is kept in `calls`: code -> dict of form, stages, answer, exercise, cancelled, amended, safe."""

    def __init__(self, mode: str = "emergency", entropy=None) -> None:  # noqa: ANN001
        self.name = "Kiezbox Rathaus Köpenick"
        self.place = "Alt-Köpenick 21"
        self.node_num = 0x0B0C0001
        self.district = ""
        self.mode = mode
        self.calls = {}
        self.asked = []
        self.refuse = ""
        self.time_s = 1_795_000_000
        self.quality = 2
        self.ms = 0
        self.values = {
            "temperature_cc": (-130, 240),
            "humidity_dpct": (712, 240),
            "pressure_dpa": (10131, 240),
            "pm1_dugm3": (31, 240),
            "pm25_dugm3": (84, 240),
            "pm10_dugm3": (127, 240),
            "noise_laeq_ddba": (523, 240),
            "battery_mv": (3300, 240),
        }
        self.bulletins = []
        self.points = []
        self._entropy = entropy or (
            lambda length: bytes((len(self.calls) * 7 + 3 + i * 29) & 255 for i in range(length))
        )

    def now_ms(self) -> int:
        return self.ms

    def wall_s(self) -> "tuple[int, int]":
        return self.time_s, self.quality

    def air(self) -> "dict[str, tuple[int, int]]":
        return self.values

    def notices(self, language: str) -> "list[dict]":
        return sorted(self.bulletins, key=lambda one: one.get("language") != language)

    def help_points(self) -> "list[dict]":
        return self.points

    async def submit(self, form: dict) -> str:
        if self.mode == "maintenance":
            raise Refused("mode")
        if self.refuse == "memory":
            raise MemoryError
        if self.refuse:
            raise Refused(self.refuse)
        if not form.get("text") and not form.get("category"):
            raise Refused("empty")
        for code in self.calls:
            if self.calls[code]["form"] == form:
                return code
        code = receipt_code.make(self._entropy(5))
        self.calls[code] = {
            "form": form,
            "stages": [{"stage": 1, "time_s": self.time_s, "station": ""}],
            "answer": None,
            "exercise": self.mode != "emergency",
            "cancelled": False,
            "amended": [],
            "safe": False,
        }
        return code

    def _call(self, code: str) -> dict:
        if code not in self.calls:
            raise Refused("unknown_code")
        return self.calls[code]

    async def amend(self, code: str, text: str) -> None:
        if not text:
            raise Refused("empty")
        self._call(code)["amended"].append(text)

    async def cancel(self, code: str) -> None:
        self._call(code)["cancelled"] = True

    async def safe(self, code: str) -> None:
        call = self._call(code)
        call["cancelled"] = call["safe"] = True

    def status(self, code: str) -> "dict | None":
        return self.calls.get(code)

    async def ask(self, code: str) -> None:
        self.asked.append(code)

    def advance(self, code: str, station: str = "", text: "str | None" = None) -> None:
        """The next stage; with `text` the answer."""
        call = self.calls[code]
        stage = 5 if text else len(call["stages"]) + 1
        call["stages"].append({"stage": stage, "time_s": self.time_s + 60 * stage, "station": station})
        if text:
            call["answer"] = text
