# SPDX-License-Identifier: Apache-2.0
"""Hostile requests and datagrams to the whole firmware in virtual time, as a board runs it, linked. A
board's heap is another test's business (tests/portal/test_server.py): here the stand-ins for sockets hold on it what
lwIP holds outside.

1. Whatever a phone sends: as soon as it is a request, or is none any more, its answer is whole within one virtual
   second. Whether it is, the firmware's own parser says, fed in one piece.
2. Meanwhile other phones leave their requests half done, trickle or only connect; a good request and a good question in
   every round have their answers within one virtual second all the same.
3. At the end the box has neither crashed nor restarted, and its heap holds what it held after the first rounds.

Virtual time stands still while a box computes, so the longest turn is printed in processor time, beside that of a page.
"""

import os
import random
import struct

import pytest

from kiezbox.portal.request import BadRequest, Request
from kiezbox_simulator.virtual.vm_pool import firmware_image
from tests.box.conftest import MakeBox
from tests.box.lone_box import LoneBox

LONG = bool(os.environ.get("KIEZBOX_LONG"))
ROUNDS = 40_000 if LONG else 300
WARM_UP_ROUNDS = ROUNDS // 3
HEAP_DRIFT_BYTES = 2_048 if LONG else 6_144
"""In the sample custody and what is remembered of phones still fill up."""
ANSWER_MS = 1_000
IDLERS_MAX = 8
OWN = b"Host: 192.168.4.1\r\n"
CALL = b"mode=exercise&category=1&people=2&text=Hilfe+%C3%BC%F0%9F%98%80&place=Hof&name=a&contact=b&language=de"
CODE = b"code=AB12-CD34"


def form(path: bytes, body: bytes) -> bytes:
    head = b"POST " + path + b" HTTP/1.1\r\n" + OWN + b"Origin: http://192.168.4.1\r\n"
    return head + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n" % len(body) + body


SEEDS = [
    *(b"GET " + path + b" HTTP/1.1\r\n" + OWN + b"\r\n" for path in (
        b"/", b"/de/", b"/ar/about", b"/vi/air", b"/generate_204", b"/hotspot-detect.html", b"/uk/status",
        b"/favicon.ico", b"/de/status?code=AB12CD34", b"/de/" + b"a" * 2_000, b"/%00%ff/../",
    )),
    b"HEAD /pl/ HTTP/1.0\r\nAccept-Language: tr,ru;q=0.9\r\n\r\n",
    form(b"/de/call", CALL), form(b"/de/call", CALL), form(b"/en/call", CALL + b"&x" * 800), form(b"/de/status", CODE),
    form(b"/ru/status", b"code=%41%4" * 20), form(b"/de/amend", CODE + b"&text=mehr"), form(b"/de/cancel", CODE),
    form(b"/de/safe", CODE), form(b"/de/call", b"&" * 3_000), form(b"/de/call", b"text=" + b"%ff" * 1_800),
    b"GET / HTTP/1.1\r\n" + OWN + b"X: y\r\n" * 1_200 + b"\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    b"POST /de/call HTTP/1.1\r\n" + OWN + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhallo\r\n0\r\n\r\n",
]  # fmt: skip
PIECES = [
    b"\0",
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b" ",
    b"%",
    b"%C3",
    b"&",
    b"=",
    b":",
    b"\xff",
    b"Content-Length: 9\r\n",
    OWN,
    b"?",
]
GOOD = b"GET /de/ HTTP/1.1\r\n" + OWN + b"\r\n"
QUESTION = struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + b"\7captive\5apple\3com\0\0\1\0\1"


def mutated(chance: random.Random, seed: bytes) -> bytes:
    found = bytearray(seed)
    for _ in range(chance.randrange(5)):
        at = chance.randrange(len(found) + 1)
        what = chance.randrange(6)
        if what == 0:
            found[at : at + 1] = chance.randbytes(1)
        elif what == 1:
            del found[at : at + chance.randrange(12)]
        elif what == 2:
            found[at:at] = chance.choice(PIECES)
        elif what == 3:
            found[at:at] = found[at : at + chance.randrange(60)] * chance.randrange(30)
        elif what == 4 and chance.random() < 0.2:
            del found[at:]
        else:
            found[at:at] = chance.randbytes(chance.randrange(8))
    return bytes(found)


def is_done(wire: bytes) -> bool:
    """Whether the box knows all that it needs for an answer."""
    request = Request()
    try:
        request.feed(wire)
    except BadRequest:
        return True
    return request.complete


def in_time(box: LoneBox, number: int, sent_ms: int) -> bytes:
    """The whole answer; fails if it was not there a virtual second after the last byte."""
    assert number in box.closed_ms, "no answer, no end"
    assert box.closed_ms[number] - sent_ms <= ANSWER_MS
    answer = box.answers.pop(number, b"")
    assert answer.startswith(b"HTTP/1.1 "), answer[:80]
    return answer


class Crowd:
    """Phones that mean no good, and one that does."""

    def __init__(self, box: LoneBox) -> None:
        self.box = box
        self.chance = random.Random(11)
        self.requests = self.answered = self.datagrams = self.codes = 0
        self._idlers: list[int] = []

    def round(self) -> None:
        chance, box = self.chance, self.box
        sent: list[tuple[int, bytes, int]] = []
        for _ in range(chance.randint(1, 3)):
            wire = mutated(chance, chance.choice(SEEDS)) or b"\0"
            number = box.connect(f"192.168.4.{chance.randint(20, 60)}", chance.randrange(100))
            at_ms = self._in_pieces(number, wire)
            sent.append((number, wire, at_ms))
        self._loiter()
        for _ in range(chance.randrange(6)):
            junk = bytearray(QUESTION if chance.random() < 0.7 else chance.randbytes(chance.randrange(400)))
            for _ in range(chance.randrange(4) if junk else 0):
                junk[chance.randrange(len(junk))] = chance.randrange(256)
            box.datagram(bytes(junk[: chance.randrange(len(junk) + 1)]), chance.randrange(1_000))
            self.datagrams += 1
        good_at_ms = chance.randrange(600)
        good = box.connect("192.168.4.9", good_at_ms)
        box.send(good, GOOD, good_at_ms + 2)
        question = box.datagram(QUESTION, good_at_ms)
        began_ms = box.now_ms
        box.run((max(good_at_ms, *(at_ms for _, _, at_ms in sent)) + ANSWER_MS) / 1000)
        page = in_time(box, good, began_ms + good_at_ms + 2)
        assert page.startswith(b"HTTP/1.1 200")
        assert page.endswith(b"</html>\n")
        answered_ms, answer = box.replies[question]
        assert answered_ms - began_ms - good_at_ms <= ANSWER_MS
        assert answer.endswith(bytes((192, 168, 4, 1)))
        for number, wire, at_ms in sent:
            self.requests += 1
            if is_done(wire):
                try:
                    self.codes += b"<strong>" in in_time(box, number, began_ms + at_ms)
                except AssertionError as error:
                    raise AssertionError(f"{wire!r}: {error}") from error
                self.answered += 1
            elif len(self._idlers) < IDLERS_MAX:
                self._idlers.append(number)
            else:
                box.hang_up(number)
        box.answers.clear()
        box.frames.clear()
        box.notes.clear()

    def _in_pieces(self, number: int, wire: bytes) -> int:
        """Send it in up to five pieces; when the last one goes out, in ms from now."""
        chance = self.chance
        at_ms, start = 100, 0
        for end in sorted(chance.randrange(len(wire) + 1) for _ in range(chance.randrange(5))):
            self.box.send(number, wire[start:end], at_ms)
            start = end
            at_ms += chance.randrange(200)
        self.box.send(number, wire[start:], at_ms)
        return at_ms

    def _loiter(self) -> None:
        """Connections that are not done: another byte, an end, or nothing until the box has had enough of them."""
        for number in list(self._idlers):
            what = self.chance.randrange(8)
            if number in self.box.closed_ms:
                self._idlers.remove(number)
            elif what == 0:
                self.box.hang_up(number)
                self._idlers.remove(number)
            elif what < 4:
                self.box.send(number, self.chance.choice(PIECES)[:1])
        if len(self._idlers) < IDLERS_MAX and self.chance.random() < 0.3:
            self._idlers.append(self.box.connect(f"192.168.4.{self.chance.randint(61, 90)}"))


@pytest.mark.parametrize("mode", ["exercise", "everyday"])
def test_no_crash_no_leak_and_no_hang_above_a_second_of_virtual_time(lone_box: MakeBox, mode: str) -> None:
    box = lone_box(mode=mode, dns_port=53, flash_blocks=512 if LONG else 64)
    box.image = firmware_image()
    box.run(5)
    crowd = Crowd(box)
    crowd.round()
    box.longest_turn_ns = 0
    box.request(GOOD.decode())
    page_ns = box.longest_turn_ns
    used: list[int] = []
    for number in range(ROUNDS):
        crowd.round()
        if number >= WARM_UP_ROUNDS and number % (ROUNDS // 6) == 0:
            box.run(60)  # Whoever loitered is sent away.
            used.append(box.heap_used_bytes())
    box.run(60)
    used.append(box.heap_used_bytes())
    print(
        f"{mode}: {crowd.requests} requests, {crowd.answered} answered, {crowd.codes} codes;"
        f" {crowd.datagrams} datagrams; heap in use {used} bytes; longest turn {box.longest_turn_ns / 1e6:.1f} ms of"
        f" processor time, a page's {page_ns / 1e6:.1f} ms; {box.now_ms / 3.6e6:.1f} virtual hours"
    )
    assert crowd.answered > crowd.requests / 2
    assert max(used) - used[0] < HEAP_DRIFT_BYTES, used
    assert box.resets == []
    assert [line for line in box.log if "failed" in line or "went on" in line] == []
    assert box.boots == 1
