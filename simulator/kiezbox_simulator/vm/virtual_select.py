# SPDX-License-Identifier: Apache-2.0
"""The module `select` of a box in virtual time: waiting for streams is what hands control to the simulator.

Polls anything with `ioctl(3, flags)`, as the built-in poll does: virtual sockets and asyncio.ThreadSafeFlag.
"""

from virtual_link import link

POLLIN = 1
POLLOUT = 4
POLLERR = 8
POLLHUP = 16
_STREAM_POLL = 3


class poll:  # noqa: N801  The built-in name.
    """Entries keep the order of registration, so readiness is reported in that order."""

    def __init__(self):
        self._entries = []
        # Nothing was ready when so much had happened to streams; -1: look each time.
        self._unready_at = -1
        self._writing = self._silent = False

    def register(self, stream, flags=POLLIN | POLLOUT):
        """Watch a stream; a second time changes the flags."""
        for entry in self._entries:
            if entry[0] is stream:
                entry[1] = flags
                break
        else:
            self._entries.append([stream, flags])
        self._changed()

    modify = register

    def unregister(self, stream):
        """Watch it no longer."""
        for place, entry in enumerate(self._entries):
            if entry[0] is stream:
                del self._entries[place]
                self._changed()
                return

    def _changed(self):
        self._unready_at = -1
        self._writing = self._silent = False
        for stream, flags in self._entries:
            self._writing = self._writing or bool(flags & POLLOUT)
            self._silent = self._silent or not hasattr(stream, "tells_news")

    def poll(self, timeout_ms=-1, _flags=0):
        """Pairs (stream, events). Time passes only if nothing is ready and the timeout is not 0."""
        ready = self._ready()
        if not ready and timeout_ms:
            wake_ms = None if timeout_ms < 0 else link.now_ms + timeout_ms
            # A full send buffer is free again a millisecond later, and nobody else would say so.
            if self._writing:
                wake_ms = link.now_ms + 1
            link.suspend(wake_ms)
            ready = self._ready()
        return ready

    def ipoll(self, timeout_ms=-1, flags=0):
        """As poll."""
        return self.poll(timeout_ms, flags)

    def _ready(self):
        # Sockets change only when the simulator or the firmware does something to them, and that is rare.
        if self._unready_at == link.stream_news:
            return ()
        ready = []
        for stream, flags in self._entries:
            events = stream.ioctl(_STREAM_POLL, flags)
            if events:
                ready.append((stream, events))
        if not ready and not self._writing and not self._silent:
            self._unready_at = link.stream_news
        return ready
