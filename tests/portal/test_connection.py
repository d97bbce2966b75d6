# SPDX-License-Identifier: Apache-2.0
"""One phone's connection, on the real MicroPython: what it costs in memory at each moment of its life, and a phone that
takes its page slowly."""

import socket
import time
from collections.abc import Iterator

import pytest

from tests.portal.box_process import BoxProcess, parse, read_all

PHONES = 15
SEND_BUFFER = 2304
FORM = b"mode=emergency&category=1&text=" + b"%D8%A7" * 120


@pytest.fixture
def streams(box: BoxProcess) -> Iterator[list[socket.socket]]:
    """Fifteen connected phones with small buffers, as on a box."""
    box.get("/ar/")
    box.tell(f"narrow {SEND_BUFFER}")
    opened = []
    for number in range(PHONES):
        stream = socket.socket()
        stream.settimeout(10)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        stream.bind((f"127.0.5.{number + 1}", 0))
        stream.connect(("127.0.0.1", box.port))
        opened.append(stream)
    time.sleep(0.2)
    yield opened
    for stream in opened:
        stream.close()


def heap_each(box: BoxProcess, streams: list[socket.socket]) -> float:
    """Heap bytes that one of them takes; ends them."""
    time.sleep(0.3)
    assert box.tell("counters")["open"] == PHONES
    used = box.tell("heap")["used"]
    for stream in streams:
        stream.close()
    time.sleep(0.3)
    assert box.tell("counters")["open"] == 0
    assert box.tell("counters")["failed"] == 0
    return (used - box.tell("heap")["used"]) / PHONES


def test_a_phone_that_only_connects_takes_little(box: BoxProcess, streams: list[socket.socket]) -> None:
    assert heap_each(box, streams) < 800


def test_a_phone_with_half_a_form_takes_little(box: BoxProcess, streams: list[socket.socket]) -> None:
    for stream in streams:
        stream.sendall(
            b"POST /ar/call HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept-Language: ar\r\nUser-Agent: %s\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (box.port, b"Mozilla/5.0 " * 15, len(FORM) + 10, FORM)
        )
    assert heap_each(box, streams) < 1700


def test_a_phone_that_does_not_take_its_page_takes_little(box: BoxProcess, streams: list[socket.socket]) -> None:
    for stream in streams:
        stream.sendall(b"GET /ar/ HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % box.port)
    assert heap_each(box, streams) < 2200


def test_a_phone_that_takes_its_page_slowly_gets_all_of_it(box: BoxProcess, streams: list[socket.socket]) -> None:
    for stream in streams:
        stream.sendall(b"GET /ar/ HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % box.port)
    received = [b""] * PHONES
    for _ in range(12):
        for number, stream in enumerate(streams):
            received[number] += stream.recv(100 + 40 * number)
        time.sleep(0.02)
    bodies = [parse(received[number] + read_all(stream)).body for number, stream in enumerate(streams)]
    assert set(bodies) == {box.get("/ar/").body}
    assert box.tell("counters")["failed"] == 0


def test_while_others_do_not_take_their_pages_a_call_is_stored(box: BoxProcess, streams: list[socket.socket]) -> None:
    for stream in streams:
        stream.sendall(b"GET /ar/about HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % box.port)
    started_s = time.monotonic()
    assert box.call(text="Hilfe").status == 200
    assert time.monotonic() - started_s < 4.0, "one of them gives way"


@pytest.mark.parametrize("rest", [b"", b"GET /en/ HTTP/1.1\r\nHost: a\r\n\r\n" * 20, b"\0" * 20_000])
def test_what_follows_a_request_is_dropped_and_its_answer_arrives_whole(box: BoxProcess, rest: bytes) -> None:
    wire = box.raw(b"GET /de/ HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % box.port + rest)
    assert wire.count(b"HTTP/1.1 ") == 1
    assert wire.endswith(b"</html>\n")
