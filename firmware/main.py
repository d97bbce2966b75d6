# SPDX-License-Identifier: Apache-2.0
"""The composition root of a box: the only place that builds ports, and where its tasks start.

`run(ports)` is the whole box; the board calls it with its hardware, the simulator with its own ports.
"""

import asyncio

from kiezbox.box.bell import Bell
from kiezbox.box.box import Box
from kiezbox.box.supervisor import Supervisor
from kiezbox.box.upkeep import Upkeep
from kiezbox.portal.server import serve

# The protocol loads these late; here they take their place while the heap is still whole.
from kiezbox.protocol import ed25519, text_coding  # noqa: F401


async def start(ports) -> None:  # noqa: ANN001
    """Run the box for ever. Raises Unprovisioned or OSError if it cannot start, with the reason."""
    supervisor = Supervisor(ports, ports.root)
    box = Box(ports, supervisor)
    box.upkeep = Upkeep(box, ports, supervisor)
    tasks = [
        ("portal", Portal(box, ports, supervisor).run),
        ("listen", box.listen),
        ("speak", box.speak),
        ("measure", box.sensing.measure),
        ("report", box.report),
        ("upkeep", box.upkeep.run),
    ]
    if ports.button is not None or ports.led is not None:
        # By name, so that a box without a button does not hold the code for one.
        module = __import__("kiezbox.box.help_button", None, None, ("HelpButton",))
        box.button = module.HelpButton(box, ports, supervisor, Bell())
        if ports.button is not None:
            tasks.append(("button", box.button.watch))
        if ports.led is not None:
            tasks.append(("light", box.button.shine))
    for name, task in tasks:
        asyncio.create_task(supervisor.keep(name, task))  # noqa: RUF006  asyncio keeps a task that is not finished.
    await supervisor.watch()


class Portal:
    """The page and its name server as one supervised task: if one of them ends, both start anew."""

    def __init__(self, box, ports, supervisor) -> None:  # noqa: ANN001
        self._box = box
        self._ports = ports
        self._supervisor = supervisor
        self._port = ports.http_port

    async def run(self) -> None:
        """Task."""
        ports = self._ports
        server = await serve(self._box, ports.http_host, self._port, ports.dns_port, entropy=ports.entropy)
        self._port = server.port  # A port that was chosen freely is kept.
        ports.log("READY http=%d" % server.port)
        while server.running():
            await self._box.rest("portal", self._supervisor.beat_ms())
        await server.close()


def run(ports) -> None:  # noqa: ANN001
    """See `start`."""
    asyncio.run(start(ports))


def hardware_ports():  # noqa: ANN201
    """The ports of the board. Raises OSError as long as one of them has no driver."""
    raise OSError("no driver for the SX1262 radio yet: this firmware runs in the simulator only")


if __name__ == "__main__":
    run(hardware_ports())
