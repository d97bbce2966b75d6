# SPDX-License-Identifier: Apache-2.0
"""Part of `bench.gateway`: a whole gateway process behind a radio peer, loaded with calls of real box endpoints."""

import asyncio
import statistics
import time
from pathlib import Path

from kiezbox.protocol import envelope
from tests.gateway.deployment import Box, Deployment, GatewayProcess, emergency
from tests.gateway.radio_peer import RadioPeer

BOXES = 20
CALLS = 600
ALONE = 15


async def through_the_radio(folder: Path) -> tuple[float, float]:
    """(calls a second with receipts, median milliseconds of a single call until its receipt)."""
    async with RadioPeer() as radio:
        deployment = Deployment(folder / "gateway", radio=radio.address, city="mqtt://127.0.0.1:1", boxes=BOXES)
        radio.channels[0].settings.psk = deployment.channel_key
        boxes = [deployment.box(index) for index in range(BOXES)]
        heard: set[tuple[int, int]] = set()
        changed = asyncio.Event()

        def hear(packet: object) -> None:
            for box in boxes:
                for event in box.hear(packet.decoded.payload):  # type: ignore[attr-defined]
                    if type(event).__name__ == "StageChanged":
                        heard.add((box.node_num, event.counter))
            changed.set()

        radio.on_packet = hear
        gateway = GatewayProcess(deployment)
        await gateway.start()
        await radio.wait_for(lambda: radio.configured_clients > 0)
        await asyncio.sleep(0.5)

        async def wait_for(wanted: set[tuple[int, int]]) -> None:
            while not wanted <= heard:
                changed.clear()
                await changed.wait()

        alone_ms = []
        for number in range(ALONE):
            key, payloads = _call(boxes[0], number)
            begun_s = time.perf_counter()
            _deliver(radio, boxes[0], payloads)
            await asyncio.wait_for(wait_for({key}), 30)
            alone_ms.append((time.perf_counter() - begun_s) * 1000)
        made = [(boxes[number % BOXES], *_call(boxes[number % BOXES], 100 + number)) for number in range(CALLS)]
        begun_s = time.perf_counter()
        for box, _, payloads in made:
            _deliver(radio, box, payloads)
        await asyncio.wait_for(wait_for({key for _, key, _ in made}), 120)
        rate = CALLS / (time.perf_counter() - begun_s)
        await gateway.stop()
        return rate, statistics.median(alone_ms)


def _call(box: Box, number: int) -> tuple[tuple[int, int], list[bytes]]:
    counter, payloads = box.send("emergency", emergency(f"Notruf {number}", f"C{number}"))
    box.endpoint.cancel(counter)
    return (box.node_num, counter), payloads


def _deliver(radio: RadioPeer, box: Box, payloads: list[bytes]) -> None:
    for payload in payloads:
        radio.deliver(box.node_num, envelope.PORTNUM, payload)
