# SPDX-License-Identifier: Apache-2.0
"""A station's noise and what follows from it; when a frame holds a receiver."""

from kiezbox_simulator.virtual.modulation import modulation
from kiezbox_simulator.virtual.station import Reception, Station, Transmission
from kiezbox_simulator.world.link import Site

NOISE_DBM = -114.0


def station(number=1, preset="MEDIUM_FAST"):
    return Station(number, 0x0B00_0000 + number, Site(f"n{number}", 0, 0), modulation(preset), NOISE_DBM, 22.0, 1)


def test_the_limit_follows_the_noise():
    one = station()
    assert (one.noise_dbm, one.limit_dbm) == (NOISE_DBM, NOISE_DBM - 12.5)
    one.set_noise(-90.0)
    assert (one.noise_dbm, one.limit_dbm, one.quiet_noise_dbm) == (-90.0, -102.5, NOISE_DBM)
    assert one.name == "n1"


def test_a_draw_belongs_to_the_node_number_and_the_seed():
    assert station(1).salt == station(1).salt != station(2).salt
    site, used = Site("n1", 0, 0), modulation("MEDIUM_FAST")
    assert Station(1, 0x0B00_0001, site, used, NOISE_DBM, 22.0, 2).salt != station(1).salt


def test_a_frame_holds_who_can_demodulate_it_and_nobody_else():
    sender, receiver = station(1), station(2)
    transmission = Transmission(sender, b"frame", 0, 1000, 0)
    receiver.modulation = sender.modulation
    assert Reception(receiver, transmission, receiver.limit_dbm).holds
    assert not Reception(receiver, transmission, receiver.limit_dbm - 0.1).holds
    other = station(3, "LONG_FAST")
    assert not Reception(other, transmission, 0.0).holds
