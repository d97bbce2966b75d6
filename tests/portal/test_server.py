# SPDX-License-Identifier: Apache-2.0
"""The web server against crowds, slow phones and broken or hostile requests, on the real MicroPython."""

import os
import random
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kiezbox_simulator.interpreter import interpreter
from tests.portal.box_process import BoxProcess, parse, read_all

PLACES = 15
LITTLE_KIB = {64: 66, 32: 52}
"""By the interpreter's word size: the portal alone, and as much as the whole firmware leaves."""


def own(box: BoxProcess) -> bytes:
    return b"Host: 127.0.0.1:%d\r\n" % box.port


def test_fifteen_idle_phones_and_a_sixteenth_that_calls_for_help(box: BoxProcess) -> None:
    idle = [box.connect(f"127.0.1.{number + 1}") for number in range(PLACES)]
    for stream in idle[:8]:
        stream.sendall(b"GET / HTTP/1.1\r\nHost: a")
    time.sleep(0.6)
    started = time.monotonic()
    assert box.call().status == 200
    assert time.monotonic() - started < 2.0
    assert box.tell("counters")["gave_way"] >= 1
    for stream in idle:
        stream.close()


def test_one_phone_with_many_connections_does_not_push_out_another(box: BoxProcess) -> None:
    honest = box.connect("127.0.2.1")
    honest.sendall(b"GET /de/ HTTP/1.1\r\n")
    greedy = [box.connect("127.0.2.2") for _ in range(PLACES - 1)]
    time.sleep(0.6)
    for _ in range(4):
        greedy.append(box.connect("127.0.2.2"))
        time.sleep(0.1)
    honest.sendall(own(box) + b"\r\n")
    assert parse(read_all(honest)).status == 200
    for stream in [*greedy, honest]:
        stream.close()


def test_fifteen_phones_at_once_are_all_served_within_the_heap(box: BoxProcess) -> None:
    streams = [box.connect(f"127.0.3.{number + 1}") for number in range(PLACES)]
    for stream in streams:
        stream.sendall(b"GET /ar/ HTTP/1.1\r\n" + own(box))
    deadline = time.monotonic() + 10
    while box.tell("counters")["open"] < PLACES and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    before = box.tell("heap")["used"]
    assert box.tell("counters")["open"] == PLACES
    for stream in streams:
        stream.sendall(b"\r\n")
    bodies = {parse(read_all(stream)).body for stream in streams}
    assert len(bodies) == 1
    for stream in streams:
        stream.close()
    after = box.tell("heap")["used"]
    assert (before - after) / PLACES < 2048, "bytes of heap for an open connection, on 64 bits"


def test_with_little_memory_phones_wait_for_each_other_and_all_are_served(rom: Path) -> None:
    with BoxProcess(rom, heap_kib=LITTLE_KIB[interpreter().word_bits]) as box:
        free = box.tell("heap")["free"]
        assert 16_000 < free < 32_000, "about what the whole firmware leaves"
        requests = []
        for number in range(PLACES):
            body = b"mode=emergency&people=many&text=" + b"x" * 400 + str(number).encode()
            head = b"POST /ru/call HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n" % (own(box), len(body))
            requests.append(head + body)
        sources = [f"127.0.4.{number + 1}" for number in range(PLACES)]
        with ThreadPoolExecutor(PLACES) as phones:
            answers = list(phones.map(box.raw, requests, sources))
        counters = box.tell("counters")
        assert [answer[:12] for answer in answers] == [b"HTTP/1.1 422"] * PLACES, counters
        assert counters["failed"] == 0


def test_a_slow_loris_is_cut_off_and_nothing_stays_behind(box: BoxProcess) -> None:
    started = time.monotonic()
    with box.connect() as stream:
        stream.settimeout(0.1)
        ended = False
        while not ended and time.monotonic() - started < 20:
            try:
                stream.sendall(b"X")
                ended = stream.recv(10) == b""
            except TimeoutError:
                time.sleep(0.4)
            except OSError:
                ended = True
    assert ended
    assert 8 < time.monotonic() - started < 16
    assert box.tell("counters") == box.tell("counters") | {"open": 0, "timed_out": 1}


def test_who_is_idle_is_cut_off_although_the_clock_begins_anew(box: BoxProcess) -> None:
    box.tell("turn 5")
    with box.connect("127.0.4.9") as idle:
        idle.sendall(b"GET /de/ HTTP/1.1\r\n")
        deadline = time.monotonic() + 10
        while box.tell("counters")["open"] < 1 and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.2)
        box.tell("later 14")
        while not box.tell("counters")["timed_out"] and time.monotonic() < deadline:
            time.sleep(0.05)
        assert box.tell("counters")["timed_out"] == 1
    assert box.call().status == 200


def test_phones_that_do_not_take_their_answer_keep_nobody_waiting(box: BoxProcess) -> None:
    streams = []
    for _ in range(PLACES + 5):
        stream = socket.socket()
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        stream.connect(("127.0.0.1", box.port))
        stream.sendall(b"GET /ar/about HTTP/1.1\r\n" + own(box) + b"\r\n")
        streams.append(stream)
    started = time.monotonic()
    assert box.get("/de/").status == 200
    assert time.monotonic() - started < 2.0
    for stream in streams:
        stream.close()
    assert box.tell("counters")["failed"] == 0


def test_half_open_and_reset_connections_leave_nothing_behind(box: BoxProcess) -> None:
    for number in range(40):
        stream = box.connect()
        stream.sendall(b"POST /de/call HTTP/1.1\r\nContent-Length: 500\r\n"[: number + 1])
        if number % 2:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            stream.shutdown(socket.SHUT_WR)
        stream.close()
    time.sleep(0.3)
    assert box.tell("counters")["open"] == 0
    assert box.get("/en/").status == 200


WRONG = [
    (b"\r\n\r\n\r\nGET / HTTP/1.1\r\n%s\r\n", 200),
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET /\r\n\r\n", 400),
    (b"GET / HTTP/2.0\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    (b"GET /\xff\xfe HTTP/1.1\r\n%s\r\n", 400),
    (b"GET /de/\0 HTTP/1.1\r\n%s\r\n", 400),
    (b"GET http://127.0.0.1/de/ HTTP/1.1\r\n%s\r\n", 302),
    (b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\n%s\r\n", 404),
    (b"GET /de/?" + b"a" * 3000 + b" HTTP/1.1\r\n%s\r\n", 200),
    (b"GET / HTTP/1.1\r\n%sX: " + b"a" * 3000 + b"\r\n\r\n", 200),
    (b"GET / HTTP/1.1\r\n%sX: " + b"a" * 9000 + b"\r\n\r\n", 431),
    (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 3000 + b"\r\n", 431),
    (b"GET / HTTP/1.1\r\n%sX : y\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n%s folded\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n%sHost: b\r\n\r\n", 400),
    (b"PUT / HTTP/1.1\r\n%s\r\n", 405),
    (b"OPTIONS * HTTP/1.1\r\n%s\r\n", 405),
    (b"CONNECT a:443 HTTP/1.1\r\n%s\r\n", 405),
    (b"POST /de/call HTTP/1.1\r\n%s\r\n", 411),
    (b"POST /de/call HTTP/1.1\r\n%sTransfer-Encoding: chunked\r\n\r\n5\r\nhallo\r\n0\r\n\r\n", 411),
    (b"POST /de/call HTTP/1.1\r\n%sContent-Length: 5\r\nContent-Length: 6\r\n\r\nhallo", 400),
    (b"POST /de/call HTTP/1.1\r\n%sContent-Length: -5\r\n\r\nhallo", 400),
    (b"POST /de/call HTTP/1.1\r\n%sContent-Length: 0x5\r\n\r\nhallo", 400),
    (b"POST /de/call HTTP/1.1\r\n%sContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhallo", 415),
    (b"POST /de/call HTTP/1.1\r\n%sContent-Length: 4294967296\r\n\r\ntext=a", 400),
    (b"POST /de/call HTTP/1.1\r\n%sContent-Length: 999999999\r\n\r\ntext=a", 413),
    (b"POST /de/call HTTP/1.1\r\n%sContent-Length: 60000\r\n\r\n" + b"text=" + b"a" * 59_995, 413),
    (b"GET /de/nowhere HTTP/1.1\r\n%s\r\n", 404),
    (b"GET /../../etc/passwd HTTP/1.1\r\n%s\r\n", 404),
    (b"GET /favicon.ico HTTP/1.1\r\n%s\r\n", 404),
    (b"POST /de/nowhere HTTP/1.1\r\n%sContent-Length: 0\r\n\r\n", 404),
    (b"GET /de/ HTTP/1.1\r\n%sContent-Length: 3\r\n\r\nabc", 200),
    (b"GET /de/ HTTP/1.1\r\n%s\r\nGET /en/ HTTP/1.1\r\n%s\r\n", 200),
    (b"GET /de/ HTTP/1.0\r\n%s\r\n", 200),
]


@pytest.fixture(scope="module")
def shared(rom: Path):
    with BoxProcess(rom) as process:
        yield process
        assert process.tell("calls") == {}
        assert process.tell("counters")["failed"] == 0
        assert "Traceback" not in process.errors(), process.errors()


@pytest.mark.parametrize(("request_bytes", "status"), WRONG, ids=range(len(WRONG)))
def test_a_request_that_is_not_as_it_should_be_gets_one_clear_answer(
    shared: BoxProcess, request_bytes: bytes, status: int
) -> None:
    wire = shared.raw(request_bytes.replace(b"%s", own(shared)))
    answer = parse(wire)
    assert answer.status == status
    assert wire.count(b"HTTP/1.1 ") == 1, "one request a connection"
    if status not in (302, 404) or answer.body:
        assert answer.body.endswith("</html>\n") or answer.status == 302


def test_head_is_get_without_a_body(shared: BoxProcess) -> None:
    answer = shared.get("/de/", method="HEAD")
    assert (answer.status, answer.body) == (200, "")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


def test_headers_keep_the_page_to_itself(shared: BoxProcess) -> None:
    headers = shared.get("/de/").headers
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "form-action 'self'" in policy


@pytest.mark.parametrize(
    "head",
    [
        "Host: evil.example\r\nOrigin: http://evil.example\r\n",
        "{own}Origin: http://evil.example\r\n",
        "{own}Origin: null\r\n",
        "{own}Sec-Fetch-Site: cross-site\r\n",
        "Host: 127.0.0.1\r\n",
    ],
)
def test_a_form_is_taken_only_from_the_boxs_own_page(shared: BoxProcess, head: str) -> None:
    body = b"mode=emergency&category=1&text=x"
    request = b"POST /de/call HTTP/1.1\r\n" + head.replace("{own}", own(shared).decode()).encode()
    answer = parse(shared.raw(request + b"Content-Length: %d\r\n\r\n" % len(body) + body))
    assert answer.status == 403
    assert "Es wurde nichts gesendet" in answer.body


def test_random_requests(shared: BoxProcess) -> None:
    rng = random.Random(7)
    seeds = [wire.replace(b"%s", own(shared)) for wire, _ in WRONG if len(wire) < 300]
    seeds.append(b"POST /de/status HTTP/1.1\r\n" + own(shared) + b"Content-Length: 22\r\n\r\ncode=%41%C3%BC&text=+%")
    before = shared.tell("heap")["used"]
    for _ in range(30_000 if os.environ.get("KIEZBOX_LONG") else 600):
        wire = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(6)):
            at = rng.randrange(len(wire))
            wire[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
            wire = wire or bytearray(b"\0")
        with shared.connect() as stream:
            stream.sendall(bytes(wire))
            stream.shutdown(socket.SHUT_WR)
            answer = read_all(stream)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 "), wire
    assert shared.get("/de/").status == 200
    assert shared.tell("counters")["open"] == 0
    assert shared.tell("heap")["used"] - before < 3000, "a leak"
