# SPDX-License-Identifier: Apache-2.0
"""Hostile configurations on the real MicroPython: as a file, as what is on flash, and by message. Started by
test_hostile_configuration.py.

`configuration_fuzz files FOLDER COUNT`: a box's root is FOLDER/N, with what is on its flash (`config.a`, `config.b`)
and the file that a technician brings (`offer`), each or none of them. Prints one line of JSON a case: `values` that
the box runs with, or `says`, why it does not start, or `crash`.

`configuration_fuzz messages FOLDER`: the box in FOLDER gets the messages of FOLDER/messages one after the other, each
of two bytes of length and a body. Prints one line of JSON with what became of them.

In both, `heap` is what is in use after a collection.
"""

import gc
import json
import sys

import box_testing

from kiezbox.box.flash_room import FlashRoom
from kiezbox.box.settings import APPLIED, Settings, Unprovisioned
from kiezbox.protocol import envelope, messages

RESTART_EVERY = 7


class Ports(box_testing.FakePorts):
    def provision(self):
        try:
            return open(self.root + "/offer", "rb")
        except OSError:
            return None


def settings_in(root):
    return Settings(Ports(root), FlashRoom(root))


def heap():
    gc.collect()
    return gc.mem_alloc()


def files(folder, count):
    for number in range(count):
        root = folder + "/" + str(number)
        # A piece at a time: two starts, or a start and its text, are more than a box ever holds.
        print("{", end="")
        try:
            for key in ("values", "values_again"):
                text = json.dumps(settings_in(root).values)
                print('"%s": ' % key, end="")
                print(text, end=", ")
                text = None
        except Unprovisioned as error:
            print('"says": ' + json.dumps(str(error)), end=", ")
        except Exception as error:  # noqa: BLE001  Whatever it is, this box would not start.
            print('"crash": ' + json.dumps(repr(error)), end=", ")
        print('"heap": %d}' % heap())


def send(settings, root, body, told):
    """One message. Returns the settings that go on."""
    try:
        message = messages.decode(envelope.CONFIGURATION, body)
    except messages.MessageError:
        told["malformed"] += 1
        return settings
    before = settings.values
    result, detail, _ = settings.change(message)
    told["applied" if result == APPLIED else "refused"] += 1
    if len(detail) > 64 or (result != APPLIED and settings.values is not before):
        told["wrong"] += 1
    again = settings_in(root)
    if again.values != settings.values or again.faulty:
        print("# on flash: %r, not %r, after %r" % (again.values, settings.values, message))
        told["wrong"] += 1
    return settings


def by_message(folder):
    told = {"applied": 0, "refused": 0, "malformed": 0, "given_back": 0, "wrong": 0, "heap_early": 0, "heap": 0}
    settings = settings_in(folder)
    number = 0
    with open(folder + "/messages", "rb") as file:
        while True:
            head = file.read(2)
            if len(head) < 2:
                break
            settings = send(settings, folder, file.read(int.from_bytes(head, "little")), told)
            number += 1
            if number % RESTART_EVERY == 0:
                settings = None
                settings = settings_in(folder)
                if number % (2 * RESTART_EVERY) and settings.give_back():
                    told["given_back"] += 1
                    settings = settings_in(folder)
                settings.heard()
            if number == 100:
                told["heap_early"] = heap()
    told["heap"] = heap()
    print(json.dumps(told))


if sys.argv[1] == "files":
    files(sys.argv[2], int(sys.argv[3]))
else:
    by_message(sys.argv[2])
