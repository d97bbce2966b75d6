# SPDX-License-Identifier: Apache-2.0
"""The supervisor on real sockets and a real pseudo terminal: what field radios do, healed in seconds."""

import asyncio
import contextlib
import os
import time
import tty
from collections.abc import AsyncIterator

import pytest

from kiezbox_gateway.radio import session
from kiezbox_gateway.radio.link import RadioLink
from kiezbox_gateway.radio.send_queue import Outgoing
from kiezbox_gateway.radio.setup import Wanted
from kiezbox_gateway.radio.stream import LinkError, open_stream
from tests.gateway.radio_peer import RadioPeer
from tests.gateway.waiting import until

KEY = bytes(range(32))
WANTED = Wanted("EU_868", "MEDIUM_FAST", "Kiezbox", KEY, 5)


class Taker:
    """Runs a link and keeps what it brings."""

    def __init__(self, address: str) -> None:
        self.payloads: list[bytes] = []
        self.link = RadioLink(address, WANTED, self._take)

    async def _take(self, event: session.Event) -> None:
        if isinstance(event, session.PacketArrived):
            self.payloads.append(event.packet.decoded.payload)

    async def wait_for(self, count: int, timeout_s: float = 15.0) -> None:
        await until(lambda: len(self.payloads) >= count, timeout_s)

    async def wait_ready(self, timeout_s: float = 15.0) -> None:
        await until(lambda: self.link.status.state == "ready", timeout_s)


@contextlib.asynccontextmanager
async def running(address: str) -> AsyncIterator[Taker]:
    taker = Taker(address)
    task = asyncio.create_task(taker.link.run())
    try:
        yield taker
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def healed_within(radio: RadioPeer, taker: Taker, seconds: float, text: bytes = b"after") -> None:
    """From now a packet delivered as soon as the radio has a client again arrives within so many seconds."""
    begun_s = time.monotonic()
    before = len(taker.payloads)
    async with asyncio.timeout(seconds):
        while len(taker.payloads) == before:
            if taker.link.status.state == "ready" and radio.connected:
                radio.deliver(9, 256, text)
            await asyncio.sleep(0.1)
    assert time.monotonic() - begun_s < seconds


async def test_packets_both_ways() -> None:
    async with RadioPeer(KEY) as radio, running(radio.address) as taker:
        await taker.wait_ready()
        radio.deliver(5, 256, b"up")
        await taker.wait_for(1)
        taker.link.send(Outgoing(77, 256, b"down", 2))
        await radio.wait_for(lambda: len(radio.received) == 1)
        assert radio.received[0].id == 77
        assert radio.received[0].to == 0xFFFFFFFF


async def test_half_open_connection_is_noticed_in_seconds() -> None:
    async with RadioPeer(KEY) as radio, running(radio.address) as taker:
        await taker.wait_ready()
        # The socket stays open and takes our bytes, but nothing comes back: a router that forgot the connection.
        radio.mute = True
        await radio.wait_for(lambda: taker.link.status.counters.get("given_up_silent", 0) > 0, 10)
        radio.mute = False
        await healed_within(radio, taker, 5)


async def test_half_frame_before_the_break_does_not_reach_the_next_connection() -> None:
    async with RadioPeer(KEY) as radio, running(radio.address) as taker:
        await taker.wait_ready()
        radio.raw(b"\x94\xc3\x01\xff" + b"half")
        await asyncio.sleep(0.1)
        radio.kick()
        await healed_within(radio, taker, 5)


async def test_half_frame_without_a_break_is_given_up() -> None:
    async with RadioPeer(KEY) as radio, running(radio.address) as taker:
        await taker.wait_ready()
        radio.raw(b"\x94\xc3\x01\xff" + b"half")
        await healed_within(radio, taker, 5)
        assert taker.link.status.connections == 1


async def test_garbage_and_debug_text_in_the_handshake() -> None:
    async with RadioPeer(KEY) as radio:
        radio.handshake_garbage = b"BOOT\r\n\x94\xc3\x00\x09garbage!!\x94\xc3\xff\xff" + os.urandom(300)
        async with running(radio.address) as taker:
            await healed_within(radio, taker, 8)


async def test_own_slowness_is_not_the_radios_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that stalls holds the taker up; what the radio sent meanwhile waits in the socket and is not lost."""
    monkeypatch.setattr(session, "SILENCE_MS", 600)
    monkeypatch.setattr(session, "HEARTBEAT_MS", 200)
    async with RadioPeer(KEY) as radio, running(radio.address) as taker:
        await taker.wait_ready()
        real, stalls = taker._take, 1

        async def stall(event: session.Event) -> None:
            nonlocal stalls
            if stalls and isinstance(event, session.PacketArrived):
                stalls -= 1
                await asyncio.sleep(1.5)
            await real(event)

        taker.link._on_event = stall
        for number in range(300):
            radio.deliver(9, 256, number.to_bytes(2, "big"))
            if number == 0:
                await asyncio.sleep(0.3)
        await taker.wait_for(300)
        assert taker.payloads == [number.to_bytes(2, "big") for number in range(300)]
        assert taker.link.status.connections == 1


async def test_radio_that_reboots() -> None:
    async with RadioPeer(KEY) as radio, running(radio.address) as taker:
        await taker.wait_ready()
        radio.reboot_after_lora_s = 2.0
        await radio.reboot()
        await healed_within(radio, taker, 8)


async def test_second_client_that_steals_the_connection() -> None:
    async with RadioPeer(KEY) as radio, running(radio.address) as taker:
        await taker.wait_ready()
        for _ in range(5):
            thief_reader, thief_writer = await asyncio.open_connection("127.0.0.1", radio.port)
            # Ours comes back and puts the thief out.
            async with asyncio.timeout(10):
                while await thief_reader.read(1000):
                    pass
            thief_writer.close()
            await taker.wait_ready()
        assert taker.link.status.contended
        await healed_within(radio, taker, 8)


async def test_full_radio_is_waited_for() -> None:
    async with RadioPeer(KEY) as radio, running(radio.address) as taker:
        radio.free = 0
        await taker.wait_ready()
        await radio.wait_for(lambda: radio.heartbeats > 0)
        for number in range(1, 6):
            taker.link.send(Outgoing(number, 256, b"down", 2))
        await asyncio.sleep(1.5)
        assert len(radio.received) <= 1
        radio.free = 16
        await radio.wait_for(lambda: len(radio.received) == 5, 5)
        assert taker.link.status.connections == 1


async def test_burst_of_a_thousand_frames() -> None:
    async with RadioPeer(KEY) as radio, running(radio.address) as taker:
        await taker.wait_ready()
        for number in range(1000):
            radio.deliver(9, 256, number.to_bytes(2, "big"))
        await taker.wait_for(1000)
        assert taker.payloads == [number.to_bytes(2, "big") for number in range(1000)]
        assert taker.link.status.connections == 1


async def test_new_radio_is_set_up_and_verified() -> None:
    async with RadioPeer(KEY, configured=False) as radio, running(radio.address) as taker:
        await radio.wait_for(lambda: taker.link.status.state == "ready" and not taker.link.status.differences, 25)
        assert radio.channels[0].settings.psk == KEY
        assert radio.lora.hop_limit == 5
        assert radio.admin_lost == 0
        taker.link.send(Outgoing(1, 256, b"down", 2))
        await radio.wait_for(lambda: len(radio.received) == 1)


async def test_radio_that_is_away_at_the_start() -> None:
    async with RadioPeer(KEY) as radio:
        port = radio.port
        await radio.stop()
        async with running(f"tcp://127.0.0.1:{port}") as taker:
            await asyncio.sleep(1.0)
            assert taker.link.status.last_error is not None
            assert "Connection refused" in taker.link.status.last_error
            await radio.listen(port)
            await healed_within(radio, taker, 10)


async def test_packet_without_queue_status_is_not_lost() -> None:
    async with RadioPeer(KEY) as radio, running(radio.address) as taker:
        await taker.wait_ready()
        radio.answer_queue_status = False
        taker.link.send(Outgoing(42, 256, b"down", 2))
        await radio.wait_for(lambda: len(radio.received) == 1)
        radio.kick()
        radio.answer_queue_status = True
        await radio.wait_for(lambda: taker.link.status.connections > 1 and taker.link.status.state == "ready", 10)
        await asyncio.sleep(0.3)
        # Sent again with the same id, which the radio recognises.
        assert [packet.id for packet in radio.received] == [42]


@contextlib.asynccontextmanager
async def serial_line(radio: RadioPeer) -> AsyncIterator[str]:
    """A pseudo terminal whose other end is joined to the peer's socket."""
    main, secondary = os.openpty()
    tty.setraw(secondary)
    path = os.ttyname(secondary)
    os.set_blocking(main, False)
    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection("127.0.0.1", radio.port)

    def from_line() -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            writer.write(os.read(main, 4096))

    async def to_line() -> None:
        while data := await reader.read(512):
            while data:
                try:
                    data = data[os.write(main, data) :]
                except BlockingIOError:
                    await asyncio.sleep(0.005)

    loop.add_reader(main, from_line)
    task = asyncio.create_task(to_line())
    try:
        yield path
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        loop.remove_reader(main)
        writer.close()
        os.close(main)
        with contextlib.suppress(OSError):
            os.close(secondary)


async def test_serial_line() -> None:
    async with RadioPeer(KEY) as radio, serial_line(radio) as path, running(f"serial:{path}") as taker:
        await taker.wait_ready()
        for number in range(200):
            radio.deliver(9, 256, bytes([number]) * 200)
        await taker.wait_for(200)
        assert taker.payloads == [bytes([number]) * 200 for number in range(200)]
        for number in range(1, 9):
            taker.link.send(Outgoing(number, 256, b"d" * 200, 2))
        await radio.wait_for(lambda: len(radio.received) == 8)


async def test_serial_port_taken_or_missing_gives_one_sentence() -> None:
    with pytest.raises(LinkError, match="is the radio plugged in"):
        await open_stream("serial:/dev/no-such-port")
    async with RadioPeer(KEY) as radio, serial_line(radio) as path:
        first = await open_stream(f"serial:{path}")
        with pytest.raises(LinkError, match="another program has it open"):
            await open_stream(f"serial:{path}")
        await first.close()
