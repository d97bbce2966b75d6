# SPDX-License-Identifier: Apache-2.0
"""Times the protocol core on MicroPython; prints one line `name microseconds bytes_allocated` for each figure."""

import gc
import time

from kiezbox.protocol import priority
from kiezbox.protocol.airtime import PRESETS
from kiezbox.protocol.box_keys import BoxKeys
from kiezbox.protocol.channel import Channel
from kiezbox.protocol.ed25519 import verify
from kiezbox.protocol.frame import BROADCAST
from kiezbox.protocol.hkdf import Hmac
from kiezbox.protocol.mesh import MeshNode, Transmit
from kiezbox.protocol.packet import Data

CHANNEL = Channel("Kiezbox", bytes(range(32)))
PRESET = PRESETS["MEDIUM_FAST"]
FRAMES = 64


def frames():
    """Frames of one sender, as they come from the radio."""
    sender = MeshNode(0x11, [CHANNEL], PRESET, "CLIENT", 5, b"sender")
    made = []
    for index in range(FRAMES):
        sender.send(Data(256, b"\x11\x01" + bytes(90)), BROADCAST, priority.READING, index * 10_000)
        for now_ms in range(index * 10_000, index * 10_000 + 9_000, 100):
            for action in sender.poll(now_ms):
                if isinstance(action, Transmit):
                    made.append(action.frame)
                    sender.transmitted(now_ms)
    return made


def measure(name, count, prepare, step):
    """Time `count` steps; allocation is measured in a second round with collection off."""
    prepared = prepare()
    gc.collect()
    started_us = time.ticks_us()
    for index in range(count):
        step(prepared, index)
    took_us = time.ticks_diff(time.ticks_us(), started_us)
    prepared = prepare()
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    step(prepared, 0)
    allocated = gc.mem_alloc() - before
    gc.enable()
    print(name, took_us / count, allocated)


def relay_and_send(prepared, index):
    """Receive, decide, schedule the relay, and take it out when its time has come."""
    node, received = prepared
    node.receive(received[index], -100, 3, index * 10_000)


def main():
    received = frames()
    measure(
        "judge_and_schedule_relay",
        FRAMES,
        lambda: (MeshNode(0x12, [CHANNEL], PRESET, "CLIENT", 5, b"relay"), received),
        relay_and_send,
    )
    keys = Hmac(b"k" * 32)
    measure("hmac_200_bytes", 200, lambda: bytes(200), lambda data, _: keys.digest(data))
    measure("box_key_of_one_kind", 50, lambda: None, lambda _, __: BoxKeys(b"r" * 32).mac(3))
    # RFC 8032, section 7.1, test 3.
    public = bytes.fromhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")
    signature = bytes.fromhex(
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
    )
    assert verify(public, b"\xaf\x82", signature)
    measure("ed25519_verify", 10, lambda: None, lambda _, __: verify(public, b"\xaf\x82", signature))


main()
