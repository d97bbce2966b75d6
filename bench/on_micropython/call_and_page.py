# SPDX-License-Identifier: Apache-2.0
"""What one call costs on flash and one page in time, on MicroPython: `call_and_page.py CONFIG.json`. Started by
bench/firmware.py; prints lines `name value`."""

import asyncio
import gc
import json
import sys
import time

import vfs
from file_flash import FileFlash
from loaded_ports import ROOT, LoadedPorts

from kiezbox.box.box import Box
from kiezbox.box.supervisor import Supervisor
from kiezbox.portal.language import Texts
from kiezbox.portal.request import Request
from kiezbox.portal.routes import Routes
from kiezbox.protocol.events import Persist

CALLS = 16
ROUNDS = 9
LANGUAGES = ("de", "ar", "vi")


class CountedFlash(FileFlash):
    """Counts what is programmed."""

    programmed = 0

    def writeblocks(self, block, buffer, offset=0):
        self.programmed += len(buffer)
        FileFlash.writeblocks(self, block, buffer, offset)


def page_us(routes, path, form):
    """Fastest of some rounds: a request parsed, its page written, the text thrown away."""
    body = "&".join(name + "=" + form[name] for name in form).encode() if form else b""
    head = "%s %s HTTP/1.1\r\nHost: box\r\nAccept-Language: de\r\n" % ("POST" if form else "GET", path)
    if form:
        head += "Content-Length: %d\r\n" % len(body)
    wire = head.encode() + b"\r\n" + body
    fastest = length = 0
    for _ in range(ROUNDS):
        gc.collect()
        started = time.ticks_us()
        request = Request()
        request.feed(wire)
        texts = Texts(path[1:3])
        _, pieces, _ = run(routes.answer(request, "a phone", texts))
        length = 0
        for piece in pieces:
            length += len(piece if isinstance(piece, bytes) else piece.encode())
        texts.close()
        took = time.ticks_diff(time.ticks_us(), started)
        if not fastest or took < fastest:
            fastest = took
    return fastest, length


def run(coroutine):
    """A coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value
    raise RuntimeError("it waits")


async def main():
    with open(sys.argv[1]) as file:
        given = json.load(file)
    flash = CountedFlash(given["flash_path"], 1 << 20)
    vfs.VfsLfs2.mkfs(flash)
    vfs.mount(vfs.VfsLfs2(flash), ROOT)
    ports = LoadedPorts(given)
    box = Box(ports, Supervisor(ports, ROOT))
    for action in box._node.poll(0):
        if isinstance(action, Persist):
            box._node.persisted(action.name, action.value)
    programmed, erases = flash.programmed, flash.erases
    code = ""
    for number in range(CALLS):
        code = run(box.submit(dict(given["form"], client=str(number), people=str(number), language="ar")))
    print("flash_programmed_per_call", (flash.programmed - programmed) / CALLS)
    print("flash_erases_per_call", (flash.erases - erases) / CALLS)
    routes = Routes(box, "box", ports.entropy)
    for language in LANGUAGES:
        for name, path, form in (
            ("start", "/%s/" % language, None),
            ("stages", "/%s/status" % language, {"code": code}),
            ("help", "/%s/help" % language, None),
        ):
            took_us, length = page_us(routes, path, form)
            print("page_%s_%s" % (name, language), took_us / 1000)
            print("length_%s_%s" % (name, language), length)


asyncio.run(main())
