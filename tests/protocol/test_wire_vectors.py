# SPDX-License-Identifier: Apache-2.0
"""tests/vectors/wire.json on both interpreters: decoded by the code, and made again byte for byte."""

import json

from kiezbox.protocol import envelope, messages, reading, receipt, text_coding
from kiezbox.protocol.box_endpoint import BoxEndpoint
from kiezbox.protocol.box_keys import BoxKeys
from kiezbox.protocol.broadcast_inbox import BroadcastInbox
from kiezbox.protocol.channel import Channel
from kiezbox.protocol.envelope import Envelope
from kiezbox.protocol.fragment import Assembler, split
from kiezbox.protocol.frame import decode_header
from kiezbox.protocol.gateway_endpoint import GatewayEndpoint, Rejected
from kiezbox.protocol.hkdf import Hmac
from kiezbox.protocol.packet import decode_data


def vectors(wanted: str):
    """One line at a time, because the board's heap does not hold the whole file."""
    for place in ("tests/vectors/wire.json", "../vectors/wire.json"):
        try:
            file = open(place)
            break
        except OSError:
            continue
    count = 0
    with file:
        for line in file:
            line = line.strip().rstrip(",")
            if len(line) > 1 and '"type":"' + wanted + '"' in line:
                count += 1
                yield json.loads(line)
    assert count


def expected(value):
    """Bytes stand in JSON as {"hex": ...}."""
    if isinstance(value, dict):
        if "hex" in value:
            return bytes.fromhex(value["hex"])
        return {key: expected(item) for key, item in value.items()}
    return [expected(item) for item in value] if isinstance(value, list) else value


def payloads_of(vector) -> list:
    return [bytes.fromhex(payload) for payload in vector["payloads"]]


def test_keys() -> None:
    for vector in vectors("key"):
        keys = BoxKeys(bytes.fromhex(vector["root_key"]))
        assert keys.seal(vector["kind"]).hex() == vector["seal"]
        mac = Hmac(bytes.fromhex(vector["mac"]))
        assert keys.mac(vector["kind"]).digest(b"x") == mac.digest(b"x")


def test_samples() -> None:
    for vector in vectors("samples"):
        assert reading.encode(vector["samples"]).hex() == vector["coded"]
        assert reading.decode(bytes.fromhex(vector["coded"])) == vector["samples"]


def test_texts() -> None:
    for vector in vectors("text"):
        assert text_coding.encode(vector["text"], vector["language"]).hex() == vector["coded"]
        assert text_coding.decode(bytes.fromhex(vector["coded"])) == vector["text"]


def check_whole(vector, keys, node_num: int, part_max: int) -> None:
    assembler = Assembler(1, 4000, 1000)
    whole = None
    sealed = False
    for payload in reversed(payloads_of(vector)):
        received = Envelope(payload)
        assert received.counter == vector["counter"]
        assert envelope.KIND_NAMES[received.kind] == vector["kind"]
        assert envelope.authentic(keys, node_num, received)
        sealed = received.scheme != envelope.UPLINK
        whole = assembler.add(0, received.index, received.count, received.body, 0)
    kind = envelope.kind_number(vector["kind"])
    body = envelope.seal(keys, node_num, kind, vector["counter"], whole) if sealed else whole
    assert body.hex() == vector["body"]
    assert messages.decode(kind, body) == expected(vector["message"])
    assert messages.encode(kind, expected(vector["message"])) == body
    assert len(split(whole, part_max)) == len(vector["payloads"])


def test_uplinks() -> None:
    for vector in vectors("uplink"):
        keys = BoxKeys(bytes.fromhex(vector["root_key"]))
        check_whole(vector, keys, vector["from_node"], envelope.UPLINK_PART_MAX)


def test_downlinks() -> None:
    for vector in vectors("downlink"):
        assert Envelope(payloads_of(vector)[0]).box == vector["box"]
        keys = BoxKeys(bytes.fromhex(vector["root_key"]))
        check_whole(vector, keys, vector["box"], envelope.DOWNLINK_PART_MAX)


def test_broadcasts_in_any_order() -> None:
    for vector in vectors("broadcast"):
        for order in (1, -1):
            inbox = BroadcastInbox({vector["key_id"]: bytes.fromhex(vector["public_key"])}, {})
            bodies = []
            for payload in payloads_of(vector)[::order]:
                received = Envelope(payload)
                body = inbox.receive(received, 0)
                if body is not None:
                    bodies.append(body)
                    assert inbox.accept(received).value == vector["counter"]
            assert [body.hex() for body in bodies] == [vector["body"]]
            kind = envelope.kind_number(vector["kind"])
            assert messages.decode(kind, bodies[0]) == expected(vector["message"])
            assert inbox.receive(Envelope(payloads_of(vector)[0]), 0) is None
            assert inbox.repeated


def test_receipts() -> None:
    for vector in vectors("receipts"):
        keys = BoxKeys(bytes.fromhex(vector["root_key"]))
        [payload] = payloads_of(vector)
        [items] = receipt.own_items([keys], vector["box"], Envelope(payload).body)
        found = receipt.decode_items(items)
        assert len(found) == len(vector["items"])
        for item, want in zip(found, vector["items"]):
            assert item[0] == want[0]
            if want[0] == "stage":
                assert list(item) == want
            elif want[0] == "fragments":
                assert [index for index in range(16) if item[2] >> index & 1] == want[2]
            else:
                assert item[1] == want[1]["upto"]
                assert item[2].missing() == want[1]["missing"]
                assert (1 in item[2]) == want[1]["below_held"]


def test_frames() -> None:
    for vector in vectors("frame"):
        channel = Channel(vector["channel_name"], bytes.fromhex(vector["psk"]))
        frame = bytes.fromhex(vector["frame"])
        header = decode_header(frame)
        data = decode_data(channel.crypt(header.from_node, header.packet_id, frame[16:]))
        assert header.from_node == vector["from_node"]
        assert header.packet_id == vector["packet_id"]
        assert data.portnum == vector["portnum"]
        assert (header.hop_limit, header.hop_start) == (vector["hop_limit"], vector["hop_start"])
        assert header.channel_hash == channel.hash
        assert data.payload.hex() == vector["payload"]


def test_what_is_wrong_is_refused_for_the_reason_that_is_named() -> None:
    for vector in vectors("refused"):
        payload = bytes.fromhex(vector["payload"])
        root_key = bytes.fromhex(vector["root_key"])
        if vector["direction"] == "up":
            gateway = GatewayEndpoint(b"gateway")
            gateway.add_box(vector["from_node"], root_key)
            assert gateway.receive(vector["from_node"], payload, 0) == Rejected(vector["reason"]), vector["name"]
            continue
        box = BoxEndpoint(vector["box"], root_key, {vector["key_id"]: bytes.fromhex(vector["public_key"])}, b"box", {})
        for before in vector.get("after", ()):
            assert box.receive(bytes.fromhex(before), 0) == []
        assert box.receive(payload, 0) == [], vector["name"]
        assert box.counters == {vector["reason"]: 1}, vector["name"]


def test_malformed_bodies_are_refused() -> None:
    found = list(vectors("malformed"))
    assert len(found) >= 25
    for vector in found:
        try:
            messages.decode(envelope.kind_number(vector["kind"]), bytes.fromhex(vector["body"]))
        except messages.MessageError:
            continue
        raise AssertionError(vector["name"])
