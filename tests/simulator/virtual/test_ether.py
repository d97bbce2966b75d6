# SPDX-License-Identifier: Apache-2.0
"""The ether: in range, out of range, hidden terminals, capture, half duplex, channel activity. Radios are scripted
here."""

import pytest

from kiezbox_simulator.virtual.ether import Ether, heard_margin_db
from kiezbox_simulator.virtual.modulation import Modulation, modulation, on_air_us
from kiezbox_simulator.virtual.schedule import Schedule
from kiezbox_simulator.virtual.station import COLLISION, HALF_DUPLEX, HELD, OFF, OTHER_PRESET, RECEIVED, WEAK
from kiezbox_simulator.world import reception
from kiezbox_simulator.world.link import Channel, Site

MEDIUM = Modulation("MEDIUM_FAST", 9, 250_000, 5)
LONG = Modulation("LONG_FAST", 11, 250_000, 5)
AIR_US = 200_000


class Radio:
    """Remembers what the ether told it, and when."""

    def __init__(self, air, station):
        self.air, self.station = air, station
        self.heard, self.sent, self.busy = [], [], []
        station.owner = self

    def receive(self, frame, rssi_dbm, snr_db):
        self.heard.append((self.air.schedule.now_us, frame, rssi_dbm, snr_db))

    def transmitted(self):
        self.sent.append(self.air.schedule.now_us)

    def channel_busy(self):
        self.busy.append(self.air.schedule.now_us)

    @property
    def frames(self):
        return [frame for _, frame, _, _ in self.heard]


def air(*places, fading_db=0.0, modulations=None, power_dbm=22.0, **channel):
    """Radios at these distances (metres) along a street, without shadowing."""
    ether = Ether(
        Schedule(),
        Channel(1, model="log_distance", shadowing_db=0.0, fading_db=fading_db, **channel),
        lambda *_: AIR_US,
    )
    radios = []
    for number, x_m in enumerate(places):
        modulation = modulations[number] if modulations else MEDIUM
        radios.append(Radio(ether, ether.add(number + 1, Site(f"n{number}", x_m, 0.0), modulation, power_dbm)))
    ether.connect()
    return ether, radios


def send(ether, radio, frame, at_us=0):
    ether.schedule.at(at_us, lambda _: ether.request(radio.station, frame))


def test_in_range_a_frame_arrives_after_its_time_on_air():
    ether, (a, b) = air(0, 500)
    send(ether, a, b"hello", 1000)
    ether.schedule.run(1_000_000)
    end_us = 1000 + MEDIUM.cad_us + AIR_US
    assert a.sent == [end_us]
    ((when_us, frame, rssi_dbm, snr_db),) = b.heard
    assert (when_us, frame) == (end_us, b"hello")
    # 22 + 2 + 2 dBm - (63.3 + 35 log10(500/40)) = -75.7; noise -114
    assert rssi_dbm == -76
    assert snr_db == 12.0  # 38 dB on the air; chips report no more.


def test_out_of_range_nothing_arrives():
    ether, (a, b) = air(0, 40_000)
    send(ether, a, b"hello")
    ether.schedule.run(1_000_000)
    assert len(a.sent) == 1
    assert b.heard == []


def test_at_the_edge_frames_are_lost_by_the_frame_error_curve():
    """With 2 dB of fading the delivery falls gradually, not at one distance."""
    delivered = []
    for distance_m in (9000, 14_000, 16_000, 18_000, 23_000):
        ether, (a, b) = air(0, distance_m, fading_db=2.0)
        for number in range(300):
            send(ether, a, b"%d" % number, number * 1_000_000)
        ether.schedule.run(301_000_000)
        delivered.append(len(b.heard) / 300)
    assert delivered[0] == 1.0
    assert delivered == sorted(delivered, reverse=True)
    assert delivered[-1] < 0.1
    assert sum(0.1 < share < 0.98 for share in delivered) >= 2


def test_neighbours_hear_each_other_and_the_second_waits():
    ether, (a, b, c) = air(0, 100, 200)
    send(ether, a, b"first", 0)
    send(ether, b, b"second", 50_000)
    ether.schedule.run(1_000_000)
    assert b.busy == [50_000 + MEDIUM.cad_us]
    assert b.sent == []
    assert c.frames == [b"first"]


def test_two_that_begin_within_one_activity_detection_collide():
    ether, (a, b, c) = air(0, 200, 100)
    send(ether, a, b"first", 0)
    send(ether, b, b"second", MEDIUM.cad_us - 100)
    ether.schedule.run(1_000_000)
    assert len(a.sent) == len(b.sent) == 1
    assert c.frames == []
    # At a and b, which send themselves, it is half duplex; at c a collision.
    assert (ether.fates[COLLISION], ether.fates[HALF_DUPLEX]) == (2, 2)


def test_hidden_terminals_destroy_each_other_in_the_middle():
    ether, (a, b, middle) = air(0, 16_000 * 2, 16_000, power_dbm=27.0)
    send(ether, a, b"left", 0)
    send(ether, b, b"right", 60_000)
    ether.schedule.run(1_000_000)
    assert (a.busy, b.busy) == ([], [])
    assert middle.frames == []


def test_the_stronger_frame_captures_the_receiver_during_the_preamble():
    ether, (far, near, receiver) = air(0, 4900, 5000)
    send(ether, far, b"weak", 0)
    ether.schedule.at(MEDIUM.lock_us // 2, lambda _: ether.send_unheard(near.station, b"strong"))
    ether.schedule.run(1_000_000)
    assert receiver.frames == [b"strong"]


def test_a_stronger_frame_after_the_preamble_destroys_the_first_and_is_not_heard():
    ether, (far, near, receiver) = air(0, 4900, 5000)
    send(ether, far, b"weak", 0)
    ether.schedule.at(MEDIUM.lock_us + 20_000, lambda _: ether.send_unheard(near.station, b"strong"))
    ether.schedule.run(1_000_000)
    assert receiver.frames == []


def test_a_weaker_late_frame_does_no_harm():
    ether, (near, far, receiver) = air(4900, 0, 5000)
    send(ether, near, b"strong", 0)
    ether.schedule.at(MEDIUM.lock_us + 20_000, lambda _: ether.send_unheard(far.station, b"weak"))
    ether.schedule.run(1_000_000)
    assert receiver.frames == [b"strong"]


def test_a_frame_whose_disturber_ends_in_its_early_preamble_survives():
    ether, (a, b, receiver) = air(0, 200, 100)
    send(ether, a, b"first", 0)
    start_us = MEDIUM.cad_us + AIR_US - MEDIUM.grace_us + 5000
    ether.schedule.at(start_us, lambda _: ether.send_unheard(b.station, b"second"))
    ether.stations[2].limit_dbm = 0.0  # Too weak to hold the receiver, so that timing alone decides.
    ether.schedule.run(1_000_000)
    assert receiver.frames == [b"second"]


def test_half_duplex():
    ether, (a, b) = air(0, 100)
    ether.schedule.at(0, lambda _: ether.send_unheard(a.station, b"one"))
    ether.schedule.at(1000, lambda _: ether.send_unheard(b.station, b"two"))
    ether.schedule.run(1_000_000)
    assert a.heard == b.heard == []
    assert ether.fates[HALF_DUPLEX] == 2


def test_other_presets_do_not_hear_each_other_and_do_not_disturb_at_like_power():
    ether, (a, b, medium, long) = air(0, 200, 100, 110, modulations=[MEDIUM, LONG, MEDIUM, LONG])
    send(ether, a, b"medium", 0)
    send(ether, b, b"long", 1000)
    ether.schedule.run(1_000_000)
    assert (medium.frames, long.frames) == ([b"medium"], [b"long"])


def test_a_much_stronger_frame_of_another_preset_does_disturb():
    ether, (a, b, receiver) = air(0, 4990, 5000, modulations=[MEDIUM, LONG, MEDIUM])
    send(ether, a, b"medium", 0)
    ether.schedule.at(10_000, lambda _: ether.send_unheard(b.station, b"long"))
    ether.schedule.run(1_000_000)
    assert receiver.frames == []


def test_a_radio_without_power_hears_and_says_nothing():
    ether, (a, b) = air(0, 100)
    ether.switch(b.station, False)
    send(ether, a, b"one", 0)
    ether.schedule.run(1_000_000)
    ether.switch(b.station, True)
    send(ether, a, b"two", 1_000_000)
    send(ether, b, b"never", 2_000_000)
    ether.schedule.at(2_001_000, lambda _: ether.switch(b.station, False))
    ether.schedule.run(3_000_000)
    assert b.frames == [b"two"]
    assert a.heard == []


def test_power_lost_in_the_middle_of_a_frame_loses_the_frame():
    ether, (a, b) = air(0, 100)
    send(ether, a, b"one", 0)
    ether.schedule.at(50_000, lambda _: ether.switch(a.station, False))
    ether.schedule.run(1_000_000)
    assert b.heard == []


@pytest.mark.parametrize("preset", ["SHORT_FAST", "MEDIUM_FAST", "LONG_FAST"])
def test_delivery_over_snr_follows_the_frame_error_curve_and_is_no_threshold(preset):
    """One link, no fading: the share that arrives is the closed form's, for each spreading factor."""
    used = modulation(preset)
    frame = bytes(48)
    for below_db in (1.0, 1.8, 2.6):
        snr_db = reception.SNR_LIMIT_DB[used.spreading_factor] - below_db
        ether, (a, b) = air(0, 100, modulations=[used, used])
        power_dbm = b.station.noise_dbm + snr_db
        ether.links[0] = [(b.station, power_dbm)]
        for number in range(1500):
            send(ether, a, frame, number * 2_000_000)
        ether.schedule.run(3_001_000_000)
        expected = 1 - reception.frame_error(snr_db, used.spreading_factor, len(frame))
        assert len(b.heard) / 1500 == pytest.approx(expected, abs=0.04)
        assert ether.fates[WEAK] == 1500 - len(b.heard)


def test_the_air_is_taken_for_the_protocols_time_on_air():
    # 56 bytes at LongFast: 682 ms by the formula of the SX1261/2 data sheet, as the firmware has it.
    ether = Ether(Schedule(), Channel(1), on_air_us)
    radio = Radio(ether, ether.add(1, Site("n0", 0, 0), LONG, 22.0))
    ether.connect()
    send(ether, radio, bytes(56))
    ether.schedule.run(1_000_000)
    assert radio.station.airtime_us == 681_984
    assert ether.time_on_air_us(MEDIUM, 255) == pytest.approx(642_000, abs=500)


def test_capture_takes_six_db_and_not_less():
    """Two frames begin within the preamble; the second one is stronger by so much."""
    for gain_db, arrived in ((5.9, []), (6.1, [b"second"]), (-5.9, []), (-6.1, [b"first"])):
        ether, (a, b, receiver) = air(0, 100, 50)
        ether.links[0] = [(receiver.station, -100.0)]
        ether.links[1] = [(receiver.station, -100.0 + gain_db)]
        ether.schedule.at(0, lambda _, of=a: of.air.send_unheard(of.station, b"first"))
        ether.schedule.at(1000, lambda _, of=b: of.air.send_unheard(of.station, b"second"))
        ether.schedule.run(1_000_000)
        assert receiver.frames == arrived, gain_db


def test_a_held_receiver_loses_the_second_frame_whatever_its_power():
    for gain_db, arrived, fate in ((-10.0, [b"first"], HELD), (10.0, [], HELD)):
        ether, (a, b, receiver) = air(0, 100, 50)
        ether.links[0] = [(receiver.station, -100.0)]
        ether.links[1] = [(receiver.station, -100.0 + gain_db)]
        ether.schedule.at(0, lambda _, of=a: of.air.send_unheard(of.station, b"first"))
        ether.schedule.at(MEDIUM.lock_us, lambda _, of=b: of.air.send_unheard(of.station, b"second"))
        ether.schedule.run(1_000_000)
        assert receiver.frames == arrived
        assert ether.fates[fate] == 1


def test_hidden_terminals_hear_nothing_of_each_other_and_visible_ones_take_turns():
    """The same load over the same receiver: what differs is only whether the two senders hear each other."""
    arrived = {}
    for what, apart in (("visible", True), ("hidden", False)):
        ether, (a, b, middle) = air(0, 200, 100)
        if not apart:
            ether.links[0] = [link for link in ether.links[0] if link[0] is not b.station]
            ether.links[1] = [link for link in ether.links[1] if link[0] is not a.station]
        for number in range(100):
            send(ether, a, b"a", number * 1_000_000)
            send(ether, b, b"b", number * 1_000_000 + 30_000 + 2000 * number)
        ether.schedule.run(101_000_000)
        arrived[what] = (len(middle.heard), len(a.busy) + len(b.busy))
    assert arrived["visible"][1] > 80
    assert arrived["hidden"][1] == 0
    assert arrived["hidden"][0] < arrived["visible"][0]


def test_activity_is_found_below_the_demodulators_limit_and_no_deeper():
    for below_db, busy in ((2.9, 1), (3.1, 0)):
        ether, (a, b) = air(0, 100)
        ether.links[0] = [(b.station, b.station.limit_dbm - below_db)]
        send(ether, a, b"one", 0)
        send(ether, b, b"two", 50_000)
        ether.schedule.run(1_000_000)
        assert len(b.busy) == busy


def test_a_jammed_receiver_needs_more_and_hears_less():
    ether, (a, b) = air(0, 5000)
    send(ether, a, b"one", 0)
    ether.schedule.run(1_000_000)
    quiet_limit_dbm = b.station.limit_dbm
    b.station.set_noise(b.station.quiet_noise_dbm + 40)
    assert b.station.limit_dbm == quiet_limit_dbm + 40
    send(ether, a, b"two", 1_000_000)
    ether.schedule.run(2_000_000)
    b.station.set_noise(b.station.quiet_noise_dbm)
    send(ether, a, b"three", 2_000_000)
    ether.schedule.run(3_000_000)
    assert b.frames == [b"one", b"three"]
    assert ether.fates[WEAK] == 1


def test_a_radio_that_starts_in_the_middle_of_a_frame_does_not_hear_it():
    ether, (a, b) = air(0, 100)
    ether.switch(b.station, False)
    send(ether, a, b"one", 0)
    ether.schedule.at(50_000, lambda _: ether.switch(b.station, True))
    ether.schedule.run(1_000_000)
    assert b.heard == []
    assert ether.fates[OFF] == 1


def test_links_that_are_left_out_could_neither_be_heard_nor_disturb():
    for fading_db in (0.0, 2.0, 6.0):
        margin_db = heard_margin_db(fading_db)
        best_db = reception.SNR_LIMIT_DB[9] - margin_db + 3.3 * fading_db
        assert best_db <= reception.SNR_LIMIT_DB[9] - 0.97
        assert margin_db >= 7.0
    ether, (_, near, far) = air(0, 1000, 100_000)
    assert [receiver for receiver, _ in ether.links[0]] == [near.station]
    assert far.station.index == 2


def test_equal_settings_are_one_modulation_whoever_made_them():
    ether, (a, b) = air(0, 100, modulations=[MEDIUM, Modulation("MEDIUM_FAST", 9, 250_000, 5)])
    send(ether, a, b"one", 0)
    ether.schedule.run(1_000_000)
    assert b.frames == [b"one"]
    assert ether.fates[OTHER_PRESET] == 0


def test_every_frame_at_every_receiver_has_one_fate():
    ether, radios = air(0, 300, 600, 9000, 14_000, fading_db=2.0)
    seen = []
    ether.on_end.append(lambda transmission: seen.extend(r.fate for r in transmission.receptions))
    for number in range(60):
        for place, radio in enumerate(radios):
            send(ether, radio, b"x" * 40, number * 400_000 + place * 90_000)
    ether.schedule.run(30_000_000)
    assert [seen.count(fate) for fate in range(len(ether.fates))] == ether.fates
    assert sum(ether.fates) == sum(len(ether.links[r.station.index]) * r.station.sent for r in radios)
    assert ether.fates[RECEIVED] == sum(len(radio.heard) for radio in radios)


def test_asking_twice_is_an_error_of_the_asker():
    ether, (a, _) = air(0, 100)
    ether.request(a.station, b"one")
    with pytest.raises(RuntimeError, match="n0"):
        ether.request(a.station, b"two")


def test_another_node_far_away_changes_no_draw():
    """Chance belongs to sender and receiver, so a city next door does not change who hears whom here."""
    heard = []
    for places in ((0, 15_000), (0, 15_000, 90_000)):
        ether, radios = air(*places, fading_db=2.0)
        for number in range(100):
            send(ether, radios[0], b"%d" % number, number * 1_000_000)
            if len(radios) == 3:
                send(ether, radios[2], b"x", number * 1_000_000 + 300)
        ether.schedule.run(101_000_000)
        heard.append(radios[1].heard)
    assert heard[0] == heard[1]
    assert 0 < len(heard[0]) < 100
