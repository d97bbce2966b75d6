# SPDX-License-Identifier: Apache-2.0
"""Everything the demo runs, started in order, each its own process with its own log, and all of it ended again.

Ether, two stock radios, five boxes, gateway, broker. What may go wrong before the story begins (ports in use, no
broker, a program that does not start) is a StageError, ProgramError, CityError, FolderError or GatewayError with one
sentence.
Not here: the story.
"""

import asyncio
import socket
from dataclasses import dataclass
from pathlib import Path

from kiezbox.protocol.channel import Channel
from kiezbox_simulator.board import heap_kib_of_a_box
from kiezbox_simulator.box_process import BoxSpec, add_box, firmware_image
from kiezbox_simulator.demo import deployment as plan
from kiezbox_simulator.demo.air_watch import AirWatch
from kiezbox_simulator.demo.deployment import Deployment
from kiezbox_simulator.demo.flash_look import kept_readings
from kiezbox_simulator.demo.narration import Narrator
from kiezbox_simulator.program import Program, Programs, free_port, python_module
from kiezbox_simulator.real_gateway.city import City, broker_address, probe, start_broker
from kiezbox_simulator.real_gateway.folder import empty_own_folder
from kiezbox_simulator.real_gateway.line import Line
from kiezbox_simulator.real_gateway.process import GatewayProcess
from kiezbox_simulator.real_gateway.radio import RadioOrder, add_radio

BOX_READY_TIMEOUT_S = 60.0
CITY_TIMEOUT_S = 20.0


class StageError(Exception):
    """The demo cannot begin or go on; one sentence that says what to do."""


@dataclass(frozen=True)
class Settings:
    """What a user chooses. `city_mqtt` empty: a broker of our own. Port numbers are those the issue of the demo
    fixes."""

    folder: Path = Path("build/demo")
    city_mqtt: str = ""
    resident_port: int = 4403
    gateway_port: int = 4404
    keep: bool = False


class Stage:
    """The running parts. `set_up` starts them, `strike` ends them."""

    def __init__(self, settings: Settings, narrator: Narrator) -> None:
        self.settings = settings
        self.narrator = narrator
        self.programs = Programs(settings.folder / "logs")
        self.boxes: list[Program] = []
        self.box_specs: list[BoxSpec] = []
        self.box_ports: list[int] = []
        self.broker: Program | None = None
        self.deployment: Deployment
        self.city: City
        self.line: Line
        self.gateway: GatewayProcess
        self.air: AirWatch

    async def set_up(self) -> None:
        """Start everything. Raises what the module's docstring names."""
        settings, say = self.settings, self.narrator.say
        for port, who in ((settings.resident_port, "resident"), (settings.gateway_port, "gateway")):
            require_free(port, who)
        broker = broker_address(settings.city_mqtt) if settings.city_mqtt else None
        if broker is not None:
            await probe(*broker)
        empty_own_folder(settings.folder, "kiezbox demo")

        image = await asyncio.to_thread(firmware_image, settings.folder.parent / "firmware")
        say(f"Firmware compiled: the same bytecode a board would run, {image.stat().st_size // 1024} KiB.")

        if broker is None:
            self.broker, port = await start_broker(self.programs)
            broker = ("127.0.0.1", port)
        self.city = City(*broker, plan.DISTRICT)
        self.city.start()
        self.line = Line(*broker)
        await self.line.mend()
        self.deployment = await plan.make(settings.folder / "gateway", settings.gateway_port, self.line.port)
        say("A district made with `kiezbox gateway init` and `enroll`: new keys for channel, district and boxes.")

        ether_port = await self._start_ether()
        await self._start_radios(ether_port)
        say("The air and two Meshtastic radios: one on the gateway's desk, one in a resident's pocket.")
        await self._start_boxes(ether_port, image)
        say(f"Five boxes: MicroPython with {heap_kib_of_a_box()} KiB of heap and a flash of its own for each.")
        self.gateway = GatewayProcess(self.programs, self.deployment.folder)
        await self.gateway.start()
        say(f"The gateway: {self.gateway.url}")

    async def strike(self) -> None:
        """End everything, whatever state it is in."""
        for part in ("air", "city"):
            if hasattr(self, part):
                await getattr(self, part).stop()
        if hasattr(self, "line"):
            await self.line.cut()
        await asyncio.to_thread(self.programs.stop)

    # Parts the story acts on

    async def city_goes_dark(self) -> None:
        """Stop the broker; a broker that is not ours is cut off instead."""
        if self.broker is not None:
            self.broker.kill()
        await self.line.cut()

    async def city_returns(self) -> None:
        """Bring the broker back. The gateway is let in when the city's subscriber is there."""
        if self.broker is not None:
            self.broker.start()
            await self.broker.ready()
        await asyncio.wait_for(self.city.subscribed.wait(), CITY_TIMEOUT_S)
        await self.line.mend()

    async def readings_on_flash(self) -> dict[int, set[int]]:
        """Sequence numbers of the readings that each box keeps, by its node number."""
        lib = self.settings.folder.parent / "firmware" / "lib"
        found = await asyncio.gather(*(kept_readings(spec.flash_path, lib) for spec in self.box_specs))
        return {spec.node_num: kept for spec, kept in zip(self.box_specs, found, strict=True)}

    # Starting

    async def _start_ether(self) -> int:
        path = self.settings.folder / "street.json"
        path.write_text(plan.street().to_json())
        ether = self.programs.add("ether", python_module("kiezbox_simulator.ether", str(path)))
        ether.start()
        port = int((await ether.ready())["port"])
        self.air = AirWatch(Channel(plan.CHANNEL_NAME, self.deployment.channel_key), plan.GATEWAY_RADIO.name)
        self.air.start(port)
        return port

    async def _start_radios(self, ether_port: int) -> None:
        settings = self.settings
        radios = []
        for place, name, short_name, port, hop_limit in (
            (plan.GATEWAY_RADIO, "Gateway Schöneberg", "GATE", settings.gateway_port, plan.HOP_LIMIT),
            (plan.RESIDENT_RADIO, "Ayşes Funkgerät", "AYSE", settings.resident_port, 3),
        ):
            # Both stand where nobody is behind them: what they would repeat nobody needs.
            order = RadioOrder(
                place.node_num, place.name, name, short_name, settings.folder / "radios", ether_port, plan.PRESET,
                plan.CHANNEL_NAME, self.deployment.channel_key, hop_limit, port,
            )  # fmt: skip
            radio = add_radio(self.programs, order)
            radio.start()
            radios.append(radio)
        for radio in radios:
            await radio.ready()

    async def _start_boxes(self, ether_port: int, image: Path) -> None:
        for index in range(len(plan.BOXES)):
            spec = self.deployment.box(index, ether_port, free_port(), self.settings.folder / "boxes")
            self.box_specs.append(spec)
            self.boxes.append(add_box(self.programs, spec, image))
        for box in self.boxes:
            box.start()
        self.box_ports = [int((await box.ready(BOX_READY_TIMEOUT_S))["http"]) for box in self.boxes]


def require_free(port: int, who: str) -> None:
    """Raises StageError if a port is taken."""
    try:
        with socket.create_server(("127.0.0.1", port)):
            return
    except OSError:
        raise StageError(
            f"Port {port} is in use, but the {who}'s radio needs it. Stop the other demo or Meshtastic daemon first."
        ) from None


__all__ = ["Settings", "Stage", "StageError", "require_free"]
