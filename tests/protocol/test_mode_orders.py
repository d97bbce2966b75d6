# SPDX-License-Identifier: Apache-2.0
from kiezbox.protocol.command_results import APPLIED, EXPIRED, REFUSED, SUPERSEDED
from kiezbox.protocol.mode_orders import ModeOrders
from kiezbox.protocol.wall_clock import WallClock

NODE = 7
NOW_S = 1_790_000_000


def orders(epoch=0):
    return ModeOrders(NODE, "mitte", epoch)


def clock(quality=2):
    told = WallClock()
    told.set(NOW_S, quality, 0)
    return told


def judge(one, quality=2, **message):
    return one.judge(message, clock(quality), 0)


def test_the_higher_epoch_wins_and_the_same_is_in_force() -> None:
    one = orders()
    assert judge(one, mode=2, epoch=5) == APPLIED
    assert (one.mode, one.epoch) == (2, 5)
    assert judge(one, mode=1, epoch=4) == SUPERSEDED
    assert judge(one, mode=1, epoch=0) == SUPERSEDED
    assert judge(one, mode=1, epoch=5) == APPLIED
    assert (one.mode, one.epoch) == (2, 5)  # Another mode under the same epoch is not obeyed, and not told as if.
    assert judge(one, mode=1, epoch=6) == APPLIED
    assert (one.mode, one.epoch) == (1, 6)


def test_scope() -> None:
    one = orders()
    assert judge(one, mode=2, epoch=1, scope=2, box=NODE + 1) is None
    assert judge(one, mode=2, epoch=1, scope=1, district="pankow") is None
    assert one.epoch == 0
    assert judge(one, mode=2, epoch=1, scope=2, box=NODE) == APPLIED
    assert judge(one, mode=2, epoch=2, scope=1, district="mitte") == APPLIED
    assert judge(one, mode=2, epoch=3) == APPLIED


def test_what_is_no_mode_is_refused() -> None:
    one = orders()
    for mode in (0, 5, 999, None):
        assert judge(one, mode=mode, epoch=9) == REFUSED
    assert judge(one, epoch=9) == REFUSED
    assert one.epoch == 0


def test_an_expired_order_is_not_obeyed_where_the_time_is_known() -> None:
    one = orders()
    assert judge(one, mode=2, epoch=3, expires_s=NOW_S) == EXPIRED
    assert one.epoch == 0
    assert judge(one, mode=2, epoch=3, expires_s=NOW_S + 1) == APPLIED
    assert judge(orders(), quality=0, mode=2, epoch=3, expires_s=1) == APPLIED


def test_after_a_restart_the_mode_is_learnt_from_the_same_order() -> None:
    one = orders(epoch=5)
    assert one.mode == 0
    assert judge(one, mode=3, epoch=5) == APPLIED
    assert one.mode == 3
