# SPDX-License-Identifier: Apache-2.0
"""The ports of a box, as its code expects them; nothing here runs on the board.

main.py builds the real ones, the simulator its own. A port that a board has not is None, unless said otherwise.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, Protocol

    class Radio(Protocol):
        """A LoRa transceiver, set to the preset of the configuration. Always there."""

        async def transmit(self, frame: bytes) -> bool:
            """True when the frame has been on the air, False if the channel was busy and nothing was sent."""

        async def receive(self) -> "tuple[bytes, int, int]":
            """The next frame, its rssi_dbm and snr_db. Raises OSError when the radio is gone."""

    class Clock(Protocol):
        """Always there."""

        def now_ms(self) -> int:
            """Steady milliseconds since the start, never going back. The board's own ticks begin again after 2^30 ms,
            12 days; this does not."""

        def wall(self) -> "tuple[int, int]":
            """Unix seconds, 0 if not known, and their quality: 0 none, 1 battery-backed and aged, 2 good."""

        def source(self) -> int:
            """Where the time comes from: 0 nowhere, 1 gateway, 2 battery-backed clock, 3 network."""

        def set_wall(self, time_s: int, quality: int) -> None:
            """A better time came over the air."""

    class Sensor(Protocol):
        """One sensor chip."""

        fault_bit: int

        async def read(self) -> "dict[str, int]":
            """Values by the names of protocol/reading.py. Raises OSError if the chip does not answer sensibly."""

    class Watchdog(Protocol):
        """Resets the board when it is not fed in time."""

        def feed(self) -> None:
            """All tasks make progress."""

    class Button(Protocol):
        """One push button."""

        async def changed(self) -> bool:
            """Wait for the next edge; whether the button is down after it. Edges may bounce."""

    class Led(Protocol):
        """One light."""

        def set(self, on: bool) -> None:  # noqa: FBT001
            """On or off."""

    class Grid(Protocol):
        """An input that sees the public grid, isolated from it."""

        def present(self) -> bool:
            """Whether there is voltage now."""

    class Uplink(Protocol):
        """A way to the gateway over Wi-Fi."""

        def heard_ms(self) -> int:
            """When the other end last answered, in milliseconds of the steady clock; 0 if not since the start."""

    class RouterPower(Protocol):
        """The switch of the router that the box feeds."""

        def set(self, on: bool) -> None:  # noqa: FBT001
            """On or off."""

    class Ports(Protocol):
        """Everything a box has. `root`: a mounted LittleFS, without a slash at the end."""

        root: str
        radio: Radio
        clock: Clock
        sensors: "list[Sensor]"
        watchdog: "Watchdog | None"
        http_host: str
        http_port: int
        dns_port: int
        button: "Button | None"
        led: "Led | None"
        grid: "Grid | None"
        uplink: "Uplink | None"
        router_power: "RouterPower | None"

        reset_cause: int
        """0 unknown, 1 power on, 2 reset pin, 3 watchdog, 4 deep sleep, 5 software."""

        def entropy(self, length: int) -> bytes:
            """Random bytes from hardware."""

        def provision(self) -> "BinaryIO | None":
            """The configuration file for a box that has none yet, open for reading; None if nobody offers one."""

        def restart(self) -> None:
            """Reset the board, now. Does not return."""

        def log(self, text: str) -> None:
            """One line without personal data, for a technician at the USB port."""
