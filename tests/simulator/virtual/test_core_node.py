# SPDX-License-Identifier: Apache-2.0
"""Driving a sans-IO node in virtual time: woken when it asks, never after its power is gone, no endless loop."""

import pytest

from kiezbox.protocol.events import Persist
from kiezbox.protocol.mesh import Transmit
from kiezbox_simulator.virtual.core_node import POLLS_MAX, CoreNode
from kiezbox_simulator.virtual.ether import Ether
from kiezbox_simulator.virtual.modulation import modulation, on_air_us
from kiezbox_simulator.virtual.schedule import Schedule
from kiezbox_simulator.world.link import Channel, Site


class ScriptedNode:
    """Sends at given times, and remembers what it was told and when."""

    def __init__(self, *times_ms):
        self.times_ms = list(times_ms)
        self.told = []
        self.polls = 0

    def receive(self, frame, rssi_dbm, snr_db, now_ms):
        assert isinstance(snr_db, int)
        self.told.append((now_ms, frame))
        return [frame]

    def next_wakeup_ms(self, now_ms):
        return max(self.times_ms[0], now_ms) if self.times_ms else None

    def poll(self, now_ms):
        self.polls += 1
        if self.times_ms and self.times_ms[0] <= now_ms:
            self.times_ms.pop(0)
            return [Persist("counter", self.polls), Transmit(b"%d" % now_ms, 1, 1, 0)]
        return []

    def transmitted(self, now_ms):
        self.told.append((now_ms, "sent"))

    def channel_busy(self, now_ms):
        self.told.append((now_ms, "busy"))

    def persisted(self, name, value):
        self.told.append((name, value))


@pytest.fixture
def pair():
    def make(first, second):
        ether = Ether(Schedule(), Channel(1, model="log_distance", shadowing_db=0, fading_db=0), on_air_us)
        used = modulation("SHORT_FAST")
        stations = [ether.add(number, Site(f"n{number}", 100.0 * number, 0), used, 14.0) for number in (1, 2)]
        ether.connect()
        return ether, CoreNode(ether, stations[0], first), CoreNode(ether, stations[1], second)

    return make


def test_a_node_sends_when_it_is_due_and_the_other_hears_it(pair):
    one, other = ScriptedNode(100, 500), ScriptedNode()
    ether, first, second = pair(one, other)
    first.start()
    second.start()
    ether.schedule.run(2_000_000)
    assert [what for _, what in other.told] == [b"100", b"500"]
    assert one.told[0] == ("counter", 2)
    assert [what for _, what in one.told if what == "sent"] == ["sent", "sent"]
    # Once at the start, then only when it was due.
    assert one.polls == 3


def test_an_earlier_wish_replaces_a_later_one_and_nobody_is_woken_twice(pair):
    one = ScriptedNode(1000)
    ether, first, _ = pair(one, ScriptedNode())
    first.start()
    one.times_ms = [200]
    first.plan()
    ether.schedule.run(2_000_000)
    assert one.polls == 2
    assert one.times_ms == []


def test_without_power_nobody_is_woken(pair):
    one = ScriptedNode(100)
    ether, first, _ = pair(one, ScriptedNode())
    first.start()
    ether.switch(first.station, False)
    ether.schedule.run(1_000_000)
    assert (one.polls, first.station.sent) == (1, 0)


def test_a_busy_channel_is_told(pair):
    one, other = ScriptedNode(100), ScriptedNode(110)
    ether, first, second = pair(one, other)
    first.start()
    second.start()
    ether.schedule.run(1_000_000)
    assert [what for _, what in other.told if isinstance(what, str)] == ["busy"]


def test_a_node_that_is_always_due_is_an_error_with_its_name(pair):
    class Restless(ScriptedNode):
        def next_wakeup_ms(self, now_ms):
            return now_ms

        def poll(self, now_ms):
            self.polls += 1
            return []

    node = Restless()
    _, first, _ = pair(node, ScriptedNode())
    with pytest.raises(RuntimeError, match="n1 is due again and again at 0 ms"):
        first.start()
    assert node.polls == 1 + POLLS_MAX
