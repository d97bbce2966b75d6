# SPDX-License-Identifier: Apache-2.0
"""`python -m kiezbox_simulator.ether FILE`: a radio channel until it is stopped. FILE is described in `street.py`.

Prints `READY port=<port>`, then a line for every frame: who sent it, who heard it, who lost it and why. Exit status 1
and one sentence when it cannot start.
"""

import asyncio
import sys
from pathlib import Path

from kiezbox.protocol.frame import FrameError, decode_header
from kiezbox_simulator.ether import street
from kiezbox_simulator.ether.server import Watched, on_street


def describe(watched: Watched) -> str:
    """One frame as a line of the log."""
    frame = bytes.fromhex(watched.frame)
    try:
        header = decode_header(frame)
        what = (
            f"{header.packet_id:08x} from !{header.from_node:08x} to !{header.to_node:08x} "
            f"hops left {header.hop_limit} of {header.hop_start}"
        )
    except FrameError as error:
        what = f"no Meshtastic frame ({error.reason})"
    lost = "".join(f"; {name} lost it: {reason}" for name, reason in watched.lost.items())
    return (
        f"{watched.start_ms / 1000:10.3f} s  {watched.sender:<16} "
        f"{len(frame):3} B {watched.time_on_air_ms:4} ms  {what}  "
        f"heard by {', '.join(watched.heard) or 'nobody'}{lost}"
    )


async def serve(path: Path) -> None:
    """Serve until cancelled."""
    description = street.read(path)
    server = on_street(description, lambda watched: print(describe(watched), flush=True))
    port = await server.start(description.port)
    print(f"READY port={port}", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop()


def main() -> int:
    """Exit status 0 when interrupted."""
    if len(sys.argv) != 2:
        print("usage: python -m kiezbox_simulator.ether FILE", file=sys.stderr)
        return 2
    try:
        asyncio.run(serve(Path(sys.argv[1])))
    except street.StreetError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"The ether's port cannot be used: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


sys.exit(main())
