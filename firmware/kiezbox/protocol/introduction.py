# SPDX-License-Identifier: Apache-2.0
"""What a stock Meshtastic app is told about a box, and when: who it is, and now and then what it measures.

1. The name (NodeInfo) goes out soon after the start, spread so that a district that is switched on at once does not
   speak at once; then slowly. Who asks this box for it gets it, ten minutes after the last time at the earliest.
2. Telemetry takes turns: device, environment, air, each once in the interval and never two together. What was not
   measured is left out, and a turn with nothing to tell is skipped.
3. Both wait while the channel is busy or the hour half spent, as Meshtastic nodes do (firmware 2.7, src/airtime.h):
   telemetry from 25 % use of the channel on, the name from 40 % on.

Not here: our own readings and health, which the gateway gets (reading.py, messages.py). Called by box_node.py.
"""

from kiezbox.protocol.packet import NODEINFO_APP, TELEMETRY_APP, Data, encode_user
from kiezbox.protocol.telemetry import encode_air_telemetry, encode_device_telemetry, encode_environment_telemetry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kiezbox.protocol.random_bits import RandomBits

INTERVAL_MS = 10_800_000
"""Of names and of telemetry, unless configured: three hours."""

FIRST_MS = 30_000
ASKED_PAUSE_MS = 600_000
TURNS = 3
BUSY_PAUSE_MS = 20_000
NAME_LOAD_PCT = 40
TELEMETRY_LOAD_PCT = 25
SPENT_MAX_MS = 180_000
"""Half of the hour's airtime at 10 %."""


_ENVIRONMENT = ("temperature_cc", "humidity_dpct", "pressure_dpa", "gas_ohm")
_AIR = ("pm1_dugm3", "pm25_dugm3", "pm10_dugm3")


class Introduction:
    """Times are milliseconds of one steady clock. An interval of 0 means never."""

    def __init__(
        self,
        node_num: int,
        long_name: str,
        short_name: str,
        role: str,
        random: "RandomBits",
        nodeinfo_interval_ms: int = INTERVAL_MS,
        telemetry_interval_ms: int = INTERVAL_MS,
    ) -> None:
        """role: as the mesh node's."""
        self._user = encode_user(node_num, long_name, short_name, role)
        self._random = random
        self._nodeinfo_interval_ms = nodeinfo_interval_ms
        self._telemetry_interval_ms = telemetry_interval_ms
        self._nodeinfo_due_ms: int | None = None
        self._telemetry_due_ms: int | None = None
        self._said_ms: int | None = None
        self._turn = 0
        self._started = False
        self.values: dict[str, int] = {}
        """The latest measurement: value name (messages.py) -> value; `time_s` and `battery_pct` beside them."""

    def asked(self, now_ms: int) -> None:
        """Somebody wants to know who this is."""
        if self._nodeinfo_interval_ms and (self._said_ms is None or now_ms - self._said_ms >= ASKED_PAUSE_MS):
            self._nodeinfo_due_ms = now_ms + self._random.below(FIRST_MS // 10)

    def poll(self, now_ms: int, load_pct: int, spent_ms: int) -> "Data | None":
        """The next packet that is due. load_pct: use of the channel by all; spent_ms: own airtime in the last hour."""
        self._start(now_ms)
        half_spent = spent_ms > SPENT_MAX_MS
        if self._nodeinfo_due_ms is not None and now_ms >= self._nodeinfo_due_ms:
            if half_spent or load_pct >= NAME_LOAD_PCT:
                self._nodeinfo_due_ms = now_ms + BUSY_PAUSE_MS
                return None
            self._nodeinfo_due_ms = now_ms + self._nodeinfo_interval_ms
            self._said_ms = now_ms
            return Data(NODEINFO_APP, self._user)
        if self._telemetry_due_ms is not None and now_ms >= self._telemetry_due_ms:
            if half_spent or load_pct >= TELEMETRY_LOAD_PCT:
                self._telemetry_due_ms = now_ms + BUSY_PAUSE_MS
                return None
            self._telemetry_due_ms = now_ms + max(self._telemetry_interval_ms // TURNS, 1)
            turn = self._turn
            self._turn = (turn + 1) % TURNS
            payload = self._telemetry(turn, now_ms, load_pct, spent_ms)
            if payload:
                return Data(TELEMETRY_APP, payload)
        return None

    def next_wakeup_ms(self, now_ms: int) -> "int | None":
        """When `poll` has something to do; None if never."""
        if not self._started:
            return now_ms
        due_ms = self._nodeinfo_due_ms
        if due_ms is None or (self._telemetry_due_ms is not None and self._telemetry_due_ms < due_ms):
            due_ms = self._telemetry_due_ms
        return None if due_ms is None else max(due_ms, now_ms)

    def _start(self, now_ms: int) -> None:
        if self._started:
            return
        self._started = True
        if self._nodeinfo_interval_ms:
            self._nodeinfo_due_ms = now_ms + FIRST_MS // 2 + self._random.below(FIRST_MS)
        if self._telemetry_interval_ms:
            # At first after the name, and anywhere within the turn.
            within_s = max(self._telemetry_interval_ms // TURNS // 1000, 1)
            self._telemetry_due_ms = now_ms + 2 * FIRST_MS + self._random.below(min(within_s, 1 << 20)) * 1000

    def _telemetry(self, turn: int, now_ms: int, load_pct: int, spent_ms: int) -> bytes:
        """The payload of this turn, empty if there is nothing to tell."""
        get = self.values.get
        time_s = get("time_s", 0)
        if turn == 0:
            return encode_device_telemetry(
                time_s, get("battery_pct"), get("battery_mv"), load_pct, spent_ms // 3_600, now_ms // 1000
            )
        measured = [get(name) for name in (_ENVIRONMENT if turn == 1 else _AIR)]
        if measured.count(None) == len(measured):
            return b""
        if turn == 1:
            return encode_environment_telemetry(time_s, *measured)
        return encode_air_telemetry(time_s, *measured)
