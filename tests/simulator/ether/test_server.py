# SPDX-License-Identifier: Apache-2.0
"""The ether over TCP: frames reach the neighbours after their time on air, and nonsense is answered with one
sentence."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from kiezbox.protocol.airtime import PRESETS, time_on_air_us
from kiezbox_simulator.ether.connection import EtherError, EtherRadio, watch
from kiezbox_simulator.ether.server import EtherServer, on_street
from kiezbox_simulator.ether.street import Link, Place, Street, StreetError
from kiezbox_simulator.virtual.ether import SNR_REPORTED_MAX_DB

FRAME = bytes(range(100))
LINE = Street(
    "MEDIUM_FAST",
    (Place(1, "left"), Place(2, "middle"), Place(3, "right")),
    (Link("left", "middle", -110.0), Link("middle", "right", -70.0)),
)


@asynccontextmanager
async def ether(street: Street = LINE) -> AsyncIterator[tuple[EtherServer, int]]:
    server = on_street(street)
    port = await server.start(0)
    try:
        yield server, port
    finally:
        await server.stop()


async def test_a_frame_reaches_neighbours_after_its_time_on_air_and_nobody_else() -> None:
    async with ether() as (server, port):
        left, middle, right = [await EtherRadio.join(port, number, "x") for number in (1, 2, 3)]
        started_s = time.monotonic()
        assert await left.transmit(FRAME)
        took_s = time.monotonic() - started_s
        assert took_s >= time_on_air_us(PRESETS["MEDIUM_FAST"], len(FRAME)) / 1e6
        frame, rssi_dbm, snr_db = await asyncio.wait_for(middle.receive(), 5)
        # -174 dBm/Hz over 250 kHz with 6 dB of noise figure.
        assert (frame, rssi_dbm) == (FRAME, -110)
        assert snr_db == pytest.approx(-110 - (-174 + 53.98 + 6), abs=0.3)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(right.receive(), 0.2)
        for radio in (left, middle, right):
            await radio.close()
        assert server.counters == {}


async def test_a_strong_frame_is_reported_as_a_receiver_does() -> None:
    async with ether() as (_, port):
        middle, right = await EtherRadio.join(port, 2, "m"), await EtherRadio.join(port, 3, "r")
        await middle.transmit(FRAME)
        assert (await asyncio.wait_for(right.receive(), 5))[1:] == (-70, SNR_REPORTED_MAX_DB)
        await middle.close()
        await right.close()


async def test_a_busy_channel_is_heard_and_nothing_is_sent() -> None:
    async with ether() as (_, port):
        left, middle = await EtherRadio.join(port, 1, "l"), await EtherRadio.join(port, 2, "m")
        sending = asyncio.ensure_future(left.transmit(FRAME))
        await asyncio.sleep(0.1)
        assert await middle.transmit(FRAME[:50]) is False
        assert await sending is True
        assert await middle.transmit(FRAME[:50]) is True
        await left.close()
        await middle.close()


async def test_two_that_do_not_hear_each_other_collide_in_the_middle_and_a_watcher_is_told() -> None:
    street = Street(LINE.preset, LINE.places, (Link("left", "middle", -100.0), Link("middle", "right", -100.0)))
    async with ether(street) as (_, port):
        left, middle, right = [await EtherRadio.join(port, number, "x") for number in (1, 2, 3)]
        seen: list[tuple[str, list[str], dict[str, str]]] = []

        async def look() -> None:
            async for watched in watch(port):
                seen.append((watched.sender, watched.heard, watched.lost))
                if len(seen) == 2:
                    return

        looking = asyncio.ensure_future(look())
        await asyncio.sleep(0.1)
        await asyncio.gather(left.transmit(FRAME), right.transmit(FRAME))
        await asyncio.wait_for(looking, 5)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(middle.receive(), 0.1)
        assert sorted(seen) == [("left", [], {"middle": "collision"}), ("right", [], {"middle": "collision"})]
        for radio in (left, middle, right):
            await radio.close()


async def test_who_hangs_up_while_sending_is_not_heard() -> None:
    async with ether() as (_, port):
        left, middle = await EtherRadio.join(port, 1, "l"), await EtherRadio.join(port, 2, "m")
        sending = asyncio.ensure_future(left.transmit(FRAME))
        await asyncio.sleep(0.1)
        await left.close()
        sending.cancel()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(middle.receive(), 0.6)
        await middle.close()


async def test_a_second_connection_for_one_number_replaces_the_first() -> None:
    async with ether() as (_, port):
        first = await EtherRadio.join(port, 1, "l")
        second, middle = await EtherRadio.join(port, 1, "l"), await EtherRadio.join(port, 2, "m")
        with pytest.raises(EtherError):
            await asyncio.wait_for(first.receive(), 5)
        assert await second.transmit(FRAME)
        assert (await asyncio.wait_for(middle.receive(), 5))[0] == FRAME
        for radio in (first, second, middle):
            await radio.close()


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"TX 00\n", "expected HELLO"),
        (b"HELLO zz x\n", "no station zz stands"),
        (b"HELLO 00000009 x\n", "no station 00000009"),
        (b"HELLO 00000001 x\nTX 0011\n", "a frame has 16 to 255 bytes, not 2"),
        (b"HELLO 00000001 x\nTX hello\n", "hexadecimal"),
        (b"HELLO 00000001 x\nTX " + FRAME.hex().encode() + b"\nTX " + FRAME.hex().encode() + b"\n", "wait for DONE"),
        (b"\n", "empty line"),
        (b"\xff\xfe\n", "ASCII"),
        (b"x" * 5000 + b"\n", "at most 1024 bytes"),
    ],
)
async def test_nonsense_gets_one_sentence_and_the_connection_closed(said: bytes, answer: str) -> None:
    async with ether() as (server, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        heard = (await asyncio.wait_for(reader.read(), 5)).decode()
        assert f"ERROR {answer}" in heard or answer in heard.split("ERROR", 1)[1]
        assert server.counters == {"protocol_error": 1}
        writer.close()


async def test_an_ether_that_goes_is_noticed() -> None:
    async with ether() as (_, port):
        radio = await EtherRadio.join(port, 1, "l")
    with pytest.raises(EtherError, match="gone"):
        await asyncio.wait_for(radio.receive(), 5)
    await radio.close()
    with pytest.raises(EtherError, match="no ether at"):
        await EtherRadio.join(port, 1, "l")


def test_an_unknown_preset_is_named() -> None:
    with pytest.raises(StreetError, match="FAST_LONG is not a preset"):
        on_street(Street("FAST_LONG", LINE.places, ()))
