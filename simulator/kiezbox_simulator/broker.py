# SPDX-License-Identifier: Apache-2.0
"""An MQTT broker as a process of its own, where no other is at hand: `amqtt` on a loopback port, open to everybody
there.

    python -m kiezbox_simulator.broker PORT

Prints `READY port=<port>`. It keeps nothing: killed, it has forgotten everything, which is what a dark city is like. A
city's own broker takes its place with CITY_MQTT=mqtt://host:port.
"""

import asyncio
import logging
import os
import socket
import sys

from amqtt.broker import Broker
from amqtt.errors import BrokerError


async def serve(port: int) -> None:
    """Serve until cancelled; port 0 takes a free one. Raises OSError or BrokerError when the port is taken."""
    # The library logs a taken port as a traceback; so it is tried first.
    with socket.create_server(("127.0.0.1", port)) as trial:
        port = trial.getsockname()[1]
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    print(f"READY port={port}", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await broker.shutdown()


def main() -> int:
    """Exit status 0 when interrupted, 1 with one sentence when the port is taken."""
    if len(sys.argv) != 2 or not sys.argv[1].isdecimal():
        print("usage: python -m kiezbox_simulator.broker PORT", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(serve(int(sys.argv[1])))
    except (OSError, BrokerError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else error
        print(f"The broker cannot listen on port {sys.argv[1]}: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
