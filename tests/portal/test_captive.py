# SPDX-License-Identifier: Apache-2.0
"""What makes a phone open the page by itself: probes of operating systems, and the name server."""

import os
import random
import socket
import struct
from pathlib import Path

import pytest

from tests.portal.box_process import BoxProcess, parse

PROBES = sorted((Path(__file__).parents[1] / "vectors/probes").glob("*.http"))


def test_there_are_probes() -> None:
    assert len(PROBES) >= 12


@pytest.fixture(scope="module")
def box(rom: Path):
    with BoxProcess(rom) as process:
        yield process
        assert "Traceback" not in process.errors(), process.errors()


@pytest.mark.parametrize("probe", PROBES, ids=lambda path: path.stem)
def test_a_probe_is_sent_to_the_page(box: BoxProcess, probe: Path) -> None:
    answer = parse(box.raw(probe.read_bytes()))
    assert answer.status == 302
    assert answer.headers["location"] == f"http://127.0.0.1:{box.port}/"
    assert answer.body == ""
    assert "Success" not in answer.body
    assert box.get("/").status == 200


def ask(box: BoxProcess, query: bytes, timeout_s: float = 2.0) -> bytes | None:
    with socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.settimeout(timeout_s)
        udp.sendto(query, ("127.0.0.1", box.dns_port))
        try:
            return udp.recv(1000)
        except TimeoutError:
            return None


def query(name: str, kind: int = 1, flags: int = 0x0100, number: int = 0x1234) -> bytes:
    labels = b"".join(bytes((len(part),)) + part.encode() for part in name.split(".") if part)
    return struct.pack(">6H", number, flags, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", kind, 1)


@pytest.mark.parametrize("name", ["captive.apple.com", "connectivitycheck.gstatic.com", "a", "x" * 63 + ".de", ""])
def test_every_name_is_this_box(box: BoxProcess, name: str) -> None:
    question = query(name)
    reply = ask(box, question)
    assert reply
    assert struct.unpack(">6H", reply[:12]) == (0x1234, 0x8500, 1, 1, 0, 0)
    assert reply[12:] == question[12:] + b"\xc0\x0c\0\1\0\1\0\0\0\x0a\0\4" + bytes((127, 0, 0, 1))


@pytest.mark.parametrize("kind", [28, 65, 15, 12])
def test_other_questions_have_an_answer_without_records(box: BoxProcess, kind: int) -> None:
    reply = ask(box, query("example.org", kind))
    assert reply
    assert struct.unpack(">6H", reply[:12])[2:] == (1, 0, 0, 0)
    assert reply[3] & 15 == 0, "no error, or a phone would give up the name"


def test_additional_records_of_a_question_do_not_disturb(box: BoxProcess) -> None:
    question = bytearray(query("example.org"))
    question[11] = 1
    reply = ask(box, bytes(question) + b"\0\0\x29\x10\0\0\0\0\0\0\0")
    assert reply
    assert reply.endswith(bytes((127, 0, 0, 1)))


JUNK = [
    b"",
    b"\0" * 11,
    b"\0" * 12,
    b"\xff" * 300,
    query("a.b")[:-3],
    query("a.b", flags=0x8180),  # A response.
    query("a.b", flags=0x2800),  # An update.
    struct.pack(">6H", 1, 0x100, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1",  # A name that points to itself.
    struct.pack(">6H", 1, 0x100, 1, 0, 0, 0) + b"\x3fabc\0\0\1\0\1",  # A label longer than the datagram.
    struct.pack(">6H", 1, 0x100, 9, 0, 0, 0) + b"\1a\0\0\1\0\1",
    query("a" * 60 + "." + "b" * 60 + "." + "c" * 60 + "." + "d" * 60 + "." + "e" * 60),
]


@pytest.mark.parametrize("datagram", JUNK)
def test_junk_gets_nothing_and_the_next_question_gets_its_answer(box: BoxProcess, datagram: bytes) -> None:
    assert ask(box, datagram, 0.15) is None
    assert ask(box, query("a.b"))


def test_random_datagrams(box: BoxProcess) -> None:
    rng = random.Random(20)
    assert ask(box, query("a.b"))
    before = box.tell("heap")["used"]
    good = query("captive.apple.com")
    for number in range(200_000 if os.environ.get("KIEZBOX_LONG") else 2_000):
        if number % 50 == 0:
            assert ask(box, query("a.b"), 10.0)
        datagram = bytearray(good if rng.random() < 0.7 else rng.randbytes(rng.randrange(600)))
        for _ in range(rng.randrange(4)):
            if datagram:
                datagram[rng.randrange(len(datagram))] = rng.randrange(256)
        with socket.socket(type=socket.SOCK_DGRAM) as udp:
            udp.sendto(bytes(datagram[: rng.randrange(len(datagram) + 1)] or b"\0"), ("127.0.0.1", box.dns_port))
    assert ask(box, query("a.b"), 10.0)
    assert box.tell("heap")["used"] - before < 1000, "a leak"
