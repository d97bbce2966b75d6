# SPDX-License-Identifier: Apache-2.0
"""The portal with a box in memory, on MicroPython: `portal_vm.py MODE HTTP_PORT DNS_PORT`. Started by box_process.py.

Lines on standard input drive the box: `mode NAME`, `advance CODE STATION`, `answer CODE TEXT`, `refuse REASON`,
`time UNIX_S`, `later SECONDS`, `turn SECONDS` (so long before 2^30 ms), `pack` (notices and help points),
`district NAME`, `calls`, `heap`, `narrow BYTES`. Each is answered by one line of JSON.
"""

import asyncio
import gc
import json
import select
import socket
import sys
import time

import portal_testing

from kiezbox.portal.server import serve

PACK = [
    {
        "identifier": "n1",
        "headline": "Trinkwasser abkochen",
        "text": 'Bitte kochen Sie Leitungswasser ab. <b>&"x"</b>',
        "language": "de",
        "severity": "severe",
        "sent_s": 1_794_990_000,
        "expires_s": 1_795_090_000,
        "source": "Bezirksamt Treptow-Köpenick",
    },
    {
        "identifier": "n2",
        "headline": "Boil tap water",
        "text": "Boil it.",
        "language": "en",
        "sent_s": 0,
        "source": "Office",
    },
]
POINTS = [
    {"name": "Rathaus Köpenick", "address": "Alt-Köpenick 21, 12555 Berlin", "kind": "meeting_point"},
    {"name": "Feuerwache Köpenick", "address": "Katzengraben 1", "kind": "fire_station"},
]


class PacedBox(portal_testing.MemoryBox):
    def now_ms(self):
        return time.ticks_ms() + self.ms


def obey(box, server, line):
    verb, _, rest = line.strip().partition(" ")
    if verb == "mode":
        box.mode = rest
    elif verb == "advance":
        code, _, station = rest.partition(" ")
        box.advance(code, station)
    elif verb == "answer":
        code, _, text = rest.partition(" ")
        box.advance(code, "Leitstelle Köpenick", text)
    elif verb == "know":  # A call that another box took, as a gateway's reply makes it known.
        box.calls[rest] = {
            "form": {},
            "stages": [{"stage": 4, "time_s": 0, "station": "S"}],
            "answer": None,
            "exercise": False,
            "cancelled": False,
            "amended": [],
        }
    elif verb == "aged":  # A call that was stored without a clock.
        code, _, age_s = rest.partition(" ")
        box.calls[code]["stages"][0] = {"stage": 1, "time_s": 0, "station": "", "age_s": int(age_s)}
    elif verb == "refuse":
        box.refuse = rest
    elif verb == "narrow":  # A small send buffer (SO_SNDBUF) for connections from now on, as lwIP has one.
        server._listener.setsockopt(socket.SOL_SOCKET, 7, int(rest))
    elif verb == "turn":
        box.ms += (1 << 30) - 1000 * int(rest) - box.now_ms() % (1 << 30)
    elif verb == "later":
        box.ms += int(rest) * 1000
    elif verb == "district":
        box.district, box.points = rest, []
    elif verb == "time":
        box.time_s = int(rest)
    elif verb == "pack":
        box.bulletins, box.points = PACK, POINTS
    elif verb == "no_air":
        box.values = {}
    elif verb == "calls":
        return box.calls
    elif verb == "asked":
        return box.asked
    elif verb == "counters":
        return dict(server.counters, open=server.open_count)
    elif verb == "heap":
        gc.collect()
        return {"used": gc.mem_alloc(), "free": gc.mem_free()}
    else:
        return {"error": verb}
    return {}


async def main():
    box = PacedBox(sys.argv[1])
    server = await serve(box, "127.0.0.1", int(sys.argv[2]), int(sys.argv[3]))
    print("READY http=%d" % server.port)
    poll = select.poll()
    poll.register(sys.stdin, select.POLLIN)
    while True:
        if poll.poll(0):
            line = sys.stdin.readline()
            if not line:
                return
            print(json.dumps(obey(box, server, line)))
        await asyncio.sleep_ms(5)


asyncio.run(main())
