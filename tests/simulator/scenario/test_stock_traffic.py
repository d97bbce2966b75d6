# SPDX-License-Identifier: Apache-2.0
"""Stock radios in the place of boxes: a reading counts when its last packet is there, and once."""

STOCK = {"kind": "stock", "count": 4}


def test_readings_of_stock_radios_arrive_and_none_twice(ran):
    simulation = ran(boxes=STOCK, duration_h=2, people={"calls_per_box_day": 0}, readings={"interval_s": 600})
    made = 4 * 2 * 6
    assert 0.5 * made < simulation.readings_delivered <= made + 4


def test_a_packet_that_nobody_sent_completes_nothing(ran):
    simulation = ran(boxes=STOCK, duration_h=1, people={"calls_per_box_day": 0})
    assert not simulation.stock_traffic.completes_reading(1, 2)
    assert not simulation.stock_traffic.completes_reading(1, 2)


def test_strangers_chatter_at_their_own_pace(ran):
    quiet = ran(duration_h=1, people={"calls_per_box_day": 0})
    loud = ran(duration_h=1, people={"calls_per_box_day": 0}, strangers={"count": 5, "period_s": 60})
    stranger_frames = loud.referee.frames - quiet.referee.frames
    assert stranger_frames > 100
