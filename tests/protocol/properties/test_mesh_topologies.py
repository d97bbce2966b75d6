# SPDX-License-Identifier: Apache-2.0
"""One packet in towns of any shape: nobody hears it twice, nobody relays it twice, and its hops are counted right."""

from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st

from kiezbox.protocol import priority
from kiezbox.protocol.airtime import PRESETS
from kiezbox.protocol.channel import Channel
from kiezbox.protocol.frame import BROADCAST, HEADER_LENGTH, decode_header
from kiezbox.protocol.mesh import MeshNode, PacketReceived, Transmit
from kiezbox.protocol.packet import Data

CHANNEL = Channel("Kiezbox", bytes(range(32)))
PRESET = PRESETS["MEDIUM_FAST"]
Links = dict[int, dict[int, int]]


@st.composite
def towns(draw: st.DrawFn) -> Links:
    """Node -> who hears it -> signal in dB. Links work both ways, each with its own signal; node 1 is the origin."""
    count = draw(st.integers(2, 12))
    links: Links = {node: {} for node in range(1, count + 1)}
    for node in range(2, count + 1):
        # At least one link to an earlier node, so that the town hangs together.
        for peer in draw(st.sets(st.integers(1, node - 1), min_size=1, max_size=4)):
            links[node][peer] = draw(st.integers(-20, 12))
            links[peer][node] = draw(st.integers(-20, 12))
    return links


def distances(links: Links) -> dict[int, int]:
    found = {1: 0}
    queue = deque([1])
    while queue:
        node = queue.popleft()
        for peer in links[node]:
            if peer not in found:
                found[peer] = found[node] + 1
                queue.append(peer)
    return found


def flood(
    links: Links, roles: dict[int, str], hop_limit: int
) -> tuple[dict[int, list[PacketReceived]], list[tuple[int, bytes]]]:
    """Ideal radios: no frame is lost. Returns what each node was handed, and what went out by whom."""
    nodes = {number: MeshNode(number, [CHANNEL], PRESET, roles[number], hop_limit, b"%d" % number) for number in links}
    received: dict[int, list[PacketReceived]] = {number: [] for number in links}
    sent: list[tuple[int, bytes]] = []
    nodes[1].send(Data(256, b"\x12\x03 help"), BROADCAST, priority.OWN_EMERGENCY, 0)
    now_ms = 0
    while True:
        wakeups_ms = [node.next_wakeup_ms(now_ms) for node in nodes.values()]
        due_ms = [wakeup_ms for wakeup_ms in wakeups_ms if wakeup_ms is not None]
        if not due_ms:
            return received, sent
        now_ms = max(min(due_ms), now_ms + 1)
        for number, node in nodes.items():
            for action in node.poll(now_ms):
                assert isinstance(action, Transmit)
                sent.append((number, action.frame))
                node.transmitted(now_ms)
                for peer, snr_db in links[number].items():
                    for event in nodes[peer].receive(action.frame, -90, snr_db, now_ms):
                        assert isinstance(event, PacketReceived)
                        received[peer].append(event)


@given(towns(), st.integers(1, 7), st.data())
@settings(deadline=None, max_examples=150)
def test_once_for_each(links: Links, hop_limit: int, data: st.DataObject) -> None:
    roles = {number: data.draw(st.sampled_from(["CLIENT", "CLIENT_MUTE", "ROUTER", "ROUTER_LATE"])) for number in links}
    received, sent = flood(links, roles, hop_limit)
    steps = distances(links)
    assert received[1] == []
    for number, events in received.items():
        assert len(events) <= 1
        for event in events:
            hops = event.header.hop_start - event.header.hop_limit
            assert steps[number] - 1 <= hops <= hop_limit
            assert event.data.payload == b"\x12\x03 help"
    senders = [number for number, _ in sent]
    assert senders[0] == 1
    assert len(set(senders)) == len(senders)
    assert not any(roles[number] == "CLIENT_MUTE" for number in senders[1:])
    for number, frame in sent:
        header = decode_header(frame)
        assert (header.from_node, header.hop_start, header.relay_node) == (1, hop_limit, number)
        assert frame[HEADER_LENGTH:] == sent[0][1][HEADER_LENGTH:]


@given(towns(), st.integers(1, 7), st.sampled_from(["ROUTER", "ROUTER_LATE"]))
@settings(deadline=None, max_examples=100)
def test_routers_reach_everybody_within_the_hop_limit(links: Links, hop_limit: int, role: str) -> None:
    received, _ = flood(links, dict.fromkeys(links, role), hop_limit)
    for number, steps in distances(links).items():
        if number != 1 and steps <= 2:
            assert len(received[number]) == 1
        if steps > hop_limit + 1:
            assert received[number] == []


@given(st.integers(1, 7), st.integers(3, 12))
@settings(deadline=None)
def test_a_line_of_clients_carries_it_as_far_as_the_hop_limit(hop_limit: int, count: int) -> None:
    links: Links = {n: {m: 0 for m in (n - 1, n + 1) if 1 <= m <= count} for n in range(1, count + 1)}
    received, _ = flood(links, dict.fromkeys(links, "CLIENT"), hop_limit)
    for number in range(2, count + 1):
        assert len(received[number]) == (1 if number - 1 <= hop_limit + 1 else 0)
