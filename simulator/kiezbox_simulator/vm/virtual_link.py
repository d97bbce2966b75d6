# SPDX-License-Identifier: Apache-2.0
"""The box's end of the lock-step: one stream to the simulator, on file descriptor 0, and the virtual clock it keeps.

A turn of the box ends with `suspend`: everything it wants done goes out with the time it wants to wake, then it
reads what happened. Nothing else makes time pass, with two exceptions. The simulator says until when nothing can reach
this box, and until then a box that has nothing to say goes on by itself. And it wakes no box for what makes none act
(virtual/repetition.py): that comes later, each with its moment (AT), and the box goes through it as if it had been
woken each time. Little endian.

    box -> simulator   length u32, then records (type u8, length u16, payload) ..., the last one SLEEP (wake_ms u64,
                       FOREVER for none; now_ms u64, how far this box has come)
    simulator -> box   length u32, now_ms u64, alone_until_ms u64, busy_until_us u64, then records of the same form; up
                       to BLOCK_LENGTH bytes are filled up to it, so that mostly one read is enough

Record types are below; `kiezbox_simulator/virtual/vm_link.py` is the other end. Not here: what the records mean to a
port.
"""

import struct

SLEEP = 0  # wake_ms u64, now_ms u64
TRANSMIT = 1  # frame
LOG = 2  # text
SEND = 3  # connection u16, bytes
CLOSE = 4  # connection u16
RESET = 5  # reason text; the process ends
CONSUMERS = 6  # bit mask u16 of what is switched on
NOTE = 7  # name, '=', value: what a test or the referee wants to know
REPLY = 8  # peer u16, datagram

RECEIVED = 32  # rssi_dbm i16, snr quarter dB i8, frame
SENT = 33
BUSY = 34
OPEN = 35  # connection u16, port u16, client address text
DATA = 36  # connection u16, bytes
HANGUP = 37  # connection u16
SENSORS = 38  # index u8, value i32 (NO_VALUE = the sensor is silent), repeated
CUT = 39  # block operations u32 until the power fails, bytes of the last one that still arrive u16
CLOCK = 40  # unix_s u32 of the battery-backed clock, quality u8
FAULT = 41  # name text
BUTTON = 42  # 1 down, 0 up, u8
GRID = 43  # 1 there, 0 lost, u8
DATAGRAM = 44  # peer u16, port u16, bytes
AT = 45  # time_us u64: what follows happened at that moment

FOREVER = 0xFFFF_FFFF_FFFF_FFFF
NO_VALUE = -0x8000_0000
BLOCK_LENGTH = 320  # A longest frame and what stands before it.
_HEAD_LENGTH = 28
_AT_LENGTH = 11


class Link:
    """`handlers` maps a record type to a function of its payload; a record nobody handles is an error. Until
    `busy_until_us` the channel is taken for certain, as this box hears it."""

    def __init__(self, stream):
        self.stream = stream
        self.now_ms = 0
        self.boot_ms = 0
        self.handlers = {}
        self.watchdog = None
        self.busy_until_us = 0
        self.stream_news = 0  # How often something happened to a socket (virtual_socket.py, virtual_select.py).
        self._alone_until_ms = 0
        self._out = bytearray(4)
        self._block = memoryview(bytearray(BLOCK_LENGTH))
        # What happened before the simulator's moment and is not dealt with yet: records, and where the next AT stands.
        self._past = b""
        self._past_at = 0
        self._late = False
        # The turn with nothing to say, ready made but for its times: most turns are that.
        self._idle = bytearray(struct.pack("<IBHQQ", 19, SLEEP, 16, 0, 0))

    def put(self, kind, payload=b""):
        """Something for the simulator, sent with the next suspension. At most 65,535 bytes (ValueError)."""
        if len(payload) > 65535:
            raise ValueError("record too long")
        self._out += struct.pack("<BH", kind, len(payload))
        self._out += payload

    def suspend(self, wake_ms):
        """End the turn; return when time has passed, as far as it was asked for or until something came in."""
        if wake_ms is None:
            wake_ms = FOREVER
        if self._past:
            self._catch_up(wake_ms)
            return
        if len(self._out) == 4:
            if wake_ms <= self._alone_until_ms:
                self.now_ms = wake_ms
                if self.watchdog is not None:
                    self.watchdog.check()
                return
            struct.pack_into("<QQ", self._idle, 7, wake_ms, self.now_ms)
            self.stream.write(self._idle)
        else:
            self.put(SLEEP, struct.pack("<QQ", wake_ms, self.now_ms))
            struct.pack_into("<I", self._out, 0, len(self._out) - 4)
            self.stream.write(self._out)
            self._out = bytearray(4)
        block = self._block
        if self.stream.readinto(block) != BLOCK_LENGTH:
            raise SystemExit  # The simulator has ended.
        length, now_ms, self._alone_until_ms, self.busy_until_us = struct.unpack_from("<IQQQ", block)
        length += 4
        records = bytes(block[_HEAD_LENGTH:length])
        if length > BLOCK_LENGTH:
            records += self.stream.read(length - BLOCK_LENGTH)
        if records and records[0] == AT:
            self._past, self._past_at, self._late = records, 0, False
            self._catch_up(wake_ms)
            return
        self.now_ms = now_ms
        if records:
            self._dispatch(records, 0)
        if self.watchdog is not None:
            self.watchdog.check()

    def _catch_up(self, wake_ms):
        """As `suspend`, in the past: on to the next moment of what happened, or to `wake_ms` if that is sooner."""
        if len(self._out) > 4:
            self._tell_late()
        (time_us,) = struct.unpack_from("<Q", self._past, self._past_at + 3)
        if wake_ms * 1000 < time_us:
            self.now_ms = wake_ms
        else:
            self.now_ms = time_us // 1000
            self._past_at = self._dispatch(self._past, self._past_at + _AT_LENGTH)
            if self._past_at == len(self._past):
                self._past = b""
        if self.watchdog is not None:
            self.watchdog.check()

    def _tell_late(self):
        """This box wanted something in the past, which nobody can do any more: a mistake of the simulator."""
        if not self._late:
            self._late = True
            self.put(NOTE, b"late=%d" % self.now_ms)

    def reset(self, reason):
        """Tell the simulator that this box restarts now, and end the process."""
        if self._past:
            self._tell_late()
        self.put(RESET, reason.encode())
        self.put(SLEEP, struct.pack("<QQ", FOREVER, self.now_ms))
        struct.pack_into("<I", self._out, 0, len(self._out) - 4)
        self.stream.write(self._out)
        raise SystemExit

    def _dispatch(self, records, at):
        """Hand over what happened at one moment; returns where the next one's AT stands, or the end."""
        while at < len(records):
            kind, length = struct.unpack_from("<BH", records, at)
            if kind == AT:
                break
            at += 3 + length
            self.handlers[kind](records[at - length : at])
        return at


link = Link(open(0, "r+b"))
