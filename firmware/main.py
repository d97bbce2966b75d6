# SPDX-License-Identifier: Apache-2.0
"""The composition root of a box: the only place that builds ports, and where its tasks start.

`run(ports)` is the whole box; the board calls it with its hardware, the simulator with its own ports.
"""

import asyncio

from kiezbox.box.box import Box
from kiezbox.box.supervisor import Supervisor
from kiezbox.portal.server import serve

# The protocol loads these late; here they take their place while the heap is still whole.
from kiezbox.protocol import ed25519, text_coding  # noqa: F401


async def start(ports) -> None:  # noqa: ANN001
    """Run the box for ever. Raises OSError if it cannot start, with the reason."""
    supervisor = Supervisor(ports, ports.root)
    box = Box(ports, supervisor)
    server = await serve(box, ports.http_host, ports.http_port)
    ports.log("READY http=%d" % server.port)
    tasks = []
    for name, task in (("listen", box.listen), ("speak", box.speak), ("measure", box.measure), ("report", box.report)):
        tasks.append(asyncio.create_task(supervisor.keep(name, task)))
    await supervisor.watch()


def run(ports) -> None:  # noqa: ANN001
    """See `start`."""
    asyncio.run(start(ports))


def hardware_ports():  # noqa: ANN201
    """The ports of the board. Raises OSError as long as one of them has no driver."""
    raise OSError("no driver for the SX1262 radio yet: this firmware runs in the simulator only")


if __name__ == "__main__":
    run(hardware_ports())
