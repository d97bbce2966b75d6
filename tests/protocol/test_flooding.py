# SPDX-License-Identifier: Apache-2.0
from kiezbox.protocol import priority
from kiezbox.protocol.airtime import PRESETS
from kiezbox.protocol.contention import Contention
from kiezbox.protocol.flooding import Flooding
from kiezbox.protocol.frame import BROADCAST, Header, decode_header, encode_header
from kiezbox.protocol.history import OTHER_CONTENT
from kiezbox.protocol.packet import Data
from kiezbox.protocol.random_bits import RandomBits
from kiezbox.protocol.transmit_queue import TransmitQueue

US, SOURCE, OTHER = 0x7C000012, 0x7C000011, 0x7C000013
SLOT_MS = 12
SNR_DB = -20  # a window of 8 slots
AIRTIME_US = 100_000
EMERGENCY = Data(256, b"\x12\x03" + bytes(20))
READING = Data(256, b"\x11\x01" + bytes(20))


def frame(
    hop_limit=3, hop_start=3, to_node=BROADCAST, packet_id=77, next_hop=0, relay_node=0x11, body=b"body", source=SOURCE
):
    header = Header(to_node, source, packet_id, hop_limit, hop_start, False, False, 8, next_hop, relay_node)
    return encode_header(header) + body


class Bench:
    def __init__(self, role="CLIENT"):
        self.counted = []
        self.queue = TransmitQueue()
        contention = Contention(PRESETS["MEDIUM_FAST"], RandomBits(b"seed", b"test"))
        self.one = Flooding(US, role, contention, self.queue, 360_000, self.counted.append, b"secret")

    def first(self, raw, data=None, snr_db=SNR_DB, now_ms=0):
        self.one.remember(raw[4:12], self.one.digest(raw), decode_header(raw))
        return self.relay(raw, data, snr_db, now_ms)

    def relay(self, raw, data=None, snr_db=SNR_DB, now_ms=0):
        item = self.one.relay(raw, decode_header(raw), data, AIRTIME_US, snr_db, now_ms)
        if item is not None:
            assert self.queue.add(item) is None
        return item

    def again(self, raw, now_ms=0, on_air=None, snr_db=SNR_DB):
        place = self.one.place(raw[4:12], self.one.digest(raw))
        assert place >= 0
        return self.one.heard_again(place, raw, snr_db, now_ms, on_air)

    def waiting(self):
        return [item.frame for item in self.queue.items]


def test_a_copy_differs_in_hop_limit_next_hop_and_relay_node_only():
    raw = frame(3, 5, next_hop=0x12)
    copy = Bench().first(raw).frame
    assert [index for index in range(len(raw)) if raw[index] != copy[index]] == [12, 14, 15]
    assert copy[12] == (5 << 5 | 2)
    assert (copy[14], copy[15]) == (0, 0x12)
    flags = bytearray(frame(7, 7))
    flags[12] |= 0x18
    assert Bench().first(bytes(flags)).frame[12] == 7 << 5 | 0x18 | 6


def test_what_is_not_relayed():
    for raw in (
        frame(hop_limit=0),
        frame(to_node=US),
        frame(packet_id=0),
        frame(next_hop=0x99),
    ):
        assert Bench().one.relay(raw, decode_header(raw), None, AIRTIME_US, SNR_DB, 0) is None
    assert Bench("CLIENT_MUTE").first(frame()) is None
    # Before firmware 2.3 the byte of next_hop meant nothing.
    old = bytearray(frame(3, 3, next_hop=0x99))
    old[12] = 3
    assert Bench().first(bytes(old)) is not None


def test_an_unknown_role_is_refused():
    try:
        Bench("REPEATER")
    except ValueError:
        return
    raise AssertionError


def test_routers_go_before_clients():
    for role, slots in (("CLIENT", range(16, 24)), ("ROUTER_LATE", range(16, 24)), ("ROUTER", range(6))):
        bench = Bench(role)
        raw = frame()
        header = decode_header(raw)
        due = {bench.one.relay(raw, header, None, AIRTIME_US, SNR_DB, 0).due_ms for _ in range(200)}
        assert sorted(due) == [slot * SLOT_MS for slot in slots], role


def test_a_client_gives_up_when_it_hears_another_and_a_router_does_not():
    for role, left in (("CLIENT", 0), ("ROUTER", 1), ("ROUTER_LATE", 1)):
        bench = Bench(role)
        bench.first(frame())
        assert bench.again(frame(2, relay_node=0x44)) is False
        assert len(bench.queue) == left, role
        if not left:
            # Of a packet that does not wait any more a further copy changes nothing.
            assert bench.again(frame(2, relay_node=0x45)) is None
        assert bench.counted == (["relay_cancelled"] if not left else [])


def test_router_late_moves_behind_everybody_once():
    bench = Bench("ROUTER_LATE")
    item = bench.first(frame())
    bench.again(frame(2, relay_node=0x44), now_ms=100)
    assert item.late
    assert item.due_ms == 100 + (16 + 8) * SLOT_MS
    bench.again(frame(2, relay_node=0x45), now_ms=200)
    assert item.due_ms == 100 + (16 + 8) * SLOT_MS


def test_a_client_asked_by_name_does_not_give_up():
    bench = Bench()
    bench.first(frame(next_hop=0x12, to_node=OTHER))
    bench.again(frame(2, next_hop=0x12, relay_node=0x44, to_node=OTHER))
    assert len(bench.queue) == 1


def test_a_copy_with_more_hops_left_takes_its_place():
    bench = Bench()
    item = bench.first(frame(2, 5, relay_node=0x44))
    bench.again(frame(4, 5, relay_node=0x45), now_ms=500)
    assert bench.counted == ["better_copy"]
    assert item.frame[12] == 5 << 5 | 3
    assert item.due_ms >= 500 + 16 * SLOT_MS
    # The next one with no more hops than that is a duplicate as any other.
    bench.again(frame(4, 5, relay_node=0x46), now_ms=510)
    assert bench.waiting() == []


def test_a_better_copy_after_the_relay_changes_nothing():
    bench = Bench()
    item = bench.first(frame(2, 5, relay_node=0x44))
    bench.queue.remove(item)
    bench.one.sent(item, 0)
    assert not bench.again(frame(4, 5, relay_node=0x45))


def test_a_copy_with_another_content_neither_cancels_nor_replaces():
    bench = Bench()
    first, second = frame(2, 5, relay_node=0x44), frame(2, 5, relay_node=0x44, body=b"evil")
    bench.first(first)
    assert bench.one.place(second[4:12], bench.one.digest(second)) == OTHER_CONTENT
    bench.first(second)
    assert [raw[16:] for raw in bench.waiting()] == [b"body", b"evil"]
    bench.again(frame(4, 5, relay_node=0x45, body=b"evil"))
    assert [raw[12] & 7 for raw in bench.waiting()] == [1, 3]
    bench.again(frame(1, 5, relay_node=0x45))
    assert [raw[16:] for raw in bench.waiting()] == [b"evil"]


def test_digests_of_two_nodes_differ():
    first, second = Bench(), Bench()
    second.one = Flooding(US, "CLIENT", None, second.queue, 1, second.counted.append, b"other")
    digests = {
        (first.one.digest(frame(body=bytes((n,)))), second.one.digest(frame(body=bytes((n,))))) for n in range(8)
    }
    assert all(len(one) == 2 and one != two for one, two in digests)
    assert len({one for one, _ in digests}) == 8


def test_while_the_copy_is_on_the_air_a_duplicate_only_ends_further_tries():
    bench = Bench()
    item = bench.first(frame())
    bench.queue.remove(item)
    before = item.frame
    assert not bench.again(frame(), on_air=item)
    assert not item.given_up
    assert not bench.again(frame(2, relay_node=0x44), on_air=item)
    assert item.given_up
    assert item.frame == before


def test_the_originator_repeating_itself_is_relayed_again_if_nothing_waits():
    bench = Bench()
    item = bench.first(frame())
    assert not bench.again(frame())
    assert bench.waiting() == [item.frame]
    bench.queue.remove(item)
    bench.one.sent(item, 0)
    assert bench.again(frame())
    assert not bench.again(frame(2))


def test_what_was_for_another_to_relay_is_relayed_once_everybody_is_asked():
    asked_another = frame(2, 5, to_node=OTHER, next_hop=0x99, relay_node=0x44)
    flooded = frame(2, 5, to_node=OTHER, relay_node=0x44)
    bench = Bench()
    assert bench.first(asked_another) is None
    # Somebody else relaying it on is no call for us.
    assert not bench.again(frame(1, 5, to_node=OTHER, relay_node=0x99))
    assert bench.again(flooded)
    item = bench.relay(flooded)
    assert item is not None
    bench.queue.remove(item)
    bench.one.sent(item, 0)
    assert not bench.again(flooded)


def test_an_overheard_answer_ends_the_relay_of_the_private_packet():
    bench = Bench()
    bench.first(frame(to_node=OTHER))
    answer = frame(source=OTHER, to_node=SOURCE, packet_id=5)
    bench.one.overheard_answer(frame(source=0x7C000099, to_node=SOURCE, packet_id=5), 77)
    bench.one.overheard_answer(answer, 78)
    assert len(bench.queue) == 1
    bench.one.overheard_answer(answer, 77)
    assert bench.waiting() == []
    assert bench.counted == ["relay_answered"]


def test_no_answer_ends_the_relay_of_a_call_to_everybody():
    bench = Bench()
    bench.first(frame(), EMERGENCY)
    bench.one.overheard_answer(frame(source=OTHER, to_node=SOURCE, packet_id=5), 77)
    bench.one.overheard_answer(frame(source=OTHER, packet_id=5), 77)
    assert len(bench.queue) == 1


def test_rank_is_what_the_packet_claims():
    assert Bench().first(frame(), EMERGENCY).rank == priority.RELAYED_EMERGENCY
    assert Bench().first(frame(), READING).rank == priority.READING
    assert Bench().first(frame(), None).rank == priority.STRANGER


def test_one_origin_cannot_fill_the_hour_with_emergencies():
    bench = Bench()
    ranks = []
    for number in range(1, 400):
        raw = frame(packet_id=number)
        bench.one.remember(raw[4:12], bench.one.digest(raw), decode_header(raw))
        item = bench.one.relay(raw, decode_header(raw), EMERGENCY, AIRTIME_US, SNR_DB, 0)
        ranks.append(item.rank)
        bench.one.sent(item, 0)
    # A tenth of the hour's 360 s.
    assert ranks.count(priority.RELAYED_EMERGENCY) == 360
    assert set(ranks[360:]) == {priority.STRANGER}
    assert bench.counted == ["origin_cap"] * 39
    assert bench.first(frame(source=OTHER), EMERGENCY).rank == priority.RELAYED_EMERGENCY


def test_what_was_given_up_does_not_count_against_the_origin():
    bench = Bench()
    for number in range(1, 1_000):
        bench.first(frame(packet_id=number), EMERGENCY)
        bench.again(frame(2, packet_id=number, relay_node=0x44))
    assert bench.first(frame(packet_id=5_000), EMERGENCY).rank == priority.RELAYED_EMERGENCY


def test_of_an_old_sender_no_copy_counts_as_the_first():
    old = bytearray(frame(1, 0))
    bench = Bench()
    bench.first(bytes(old))
    old[12] = 0
    assert not bench.again(bytes(old))
    assert bench.waiting() == []
