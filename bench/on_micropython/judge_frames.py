# SPDX-License-Identifier: Apache-2.0
"""Measures the protocol core on MicroPython, one line `name value` for each figure.

Argument `time`: microseconds per step, the collector at work as on a board. Argument `memory`: bytes of heap that one
step takes; argument `alone`: microseconds without the collector. Both need a heap that holds a round without it.
"""

import gc
import sys
import time

from kiezbox.protocol import priority
from kiezbox.protocol.airtime import PRESETS
from kiezbox.protocol.box_keys import BoxKeys
from kiezbox.protocol.channel import Channel
from kiezbox.protocol.ed25519 import verify
from kiezbox.protocol.frame import BROADCAST, Header, encode_header
from kiezbox.protocol.history import SIZE_DEFAULT
from kiezbox.protocol.hkdf import Hmac
from kiezbox.protocol.mesh import MeshNode, Transmit
from kiezbox.protocol.packet import Data

CHANNEL = Channel("Kiezbox", bytes(range(32)))
PRESET = PRESETS["MEDIUM_FAST"]
FRAMES = 64
ROUNDS = 15
ON_SINCE_MS = 40 * 86_400_000
"""On 32 bits milliseconds are objects from the thirteenth day on."""


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
    """The fastest of several rounds of `count` steps: what else the host does can only make a round slower."""
    if sys.argv[1] == "memory":
        prepared = prepare()
        gc.collect()
        gc.disable()
        before_bytes = gc.mem_alloc()
        step(prepared, 0)
        print(name, gc.mem_alloc() - before_bytes)
        gc.enable()
        return
    fastest_us = None
    for _ in range(ROUNDS):
        prepared = prepare()
        gc.collect()
        if sys.argv[1] == "alone":
            gc.disable()
        started_us = time.ticks_us()
        for index in range(count):
            step(prepared, index)
        took_us = time.ticks_diff(time.ticks_us(), started_us)
        gc.enable()
        if fastest_us is None or took_us < fastest_us:
            fastest_us = took_us
    print(name, fastest_us / count)


def judge(prepared, index):
    """Receive, decide, and schedule what is to be relayed."""
    node, received = prepared
    node.receive(received[index], -100, 3, ON_SINCE_MS + index * 10_000)


def relay(channels=(CHANNEL,)):
    """A relay in the middle of its life: its history is full."""
    node = MeshNode(0x12, list(channels), PRESET, "CLIENT", 5, b"relay")
    for number in range(SIZE_DEFAULT):
        frame = encode_header(Header(BROADCAST, 0x7C000000 + number, 1 + number, 0, 3))
        node.receive(frame, -100, 3, ON_SINCE_MS)
    return node


def relay_that_has_heard(received):
    """A relay that has heard them all, and those frames as another relay sends them."""
    node = relay()
    for frame in received:
        node.receive(frame, -100, 3, ON_SINCE_MS)
    return node, [frame[:12] + bytes((frame[12] - 1,)) + frame[13:] for frame in received]


def main():
    received = frames()
    strange = [frame[:13] + b"\x00" + frame[14:] for frame in received]
    measure("judge_and_schedule_relay", FRAMES, lambda: (relay(), received), judge)
    measure("judge_and_schedule_relay_of_another_channel", FRAMES, lambda: (relay(), strange), judge)
    measure("judge_duplicate", FRAMES, lambda: relay_that_has_heard(received), judge)
    measure("judge_malformed", FRAMES, lambda: (relay(), [bytes(10)] * FRAMES), judge)
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
    measure("ed25519_verify", 4, lambda: None, lambda _, __: verify(public, b"\xaf\x82", signature))


main()
