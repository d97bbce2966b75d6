# SPDX-License-Identifier: Apache-2.0
"""Whole frames that the real Meshtastic firmware accepted, in both directions."""

import json

from kiezbox.protocol.channel import Channel, counter_block
from kiezbox.protocol.frame import HEADER_LENGTH, Header, decode_header, encode_header
from kiezbox.protocol.packet import Data, decode_data, encode_data

FILE = "../vectors/ota_vectors.json"  # MicroPython runs in the folder of the tests
if "/" in __file__ and not __file__.endswith(".mpy"):
    FILE = __file__.rsplit("/", 1)[0] + "/" + FILE


def vectors():
    with open(FILE) as file:
        return json.load(file)["vectors"]


def channel_of(vector):
    channel = vector["channel"]
    return Channel(channel["channel_name"], bytes.fromhex(channel["psk_hex"]))


def test_every_header_decodes_to_its_fields_and_back():
    for vector in vectors():
        frame = bytes.fromhex(vector["frame_hex"])
        wanted = vector["header"]
        header = decode_header(frame)
        assert header.to_node == wanted["to"]
        assert header.from_node == wanted["from"]
        assert header.packet_id == wanted["id"]
        for name in ("hop_limit", "hop_start", "want_ack", "via_mqtt", "next_hop", "relay_node", "channel_hash"):
            assert getattr(header, name) == wanted[name], (vector["name"], name)
        assert encode_header(header) == frame[:HEADER_LENGTH]


def test_every_channel_frame_decrypts_and_decodes():
    seen = 0
    for vector in vectors():
        if vector["channel"]["encryption"] != "channel-psk":
            continue
        seen += 1
        frame = bytes.fromhex(vector["frame_hex"])
        header = decode_header(frame)
        channel = channel_of(vector)
        assert channel.hash == header.channel_hash
        assert channel.key == bytes.fromhex(vector["channel"]["key_hex"])
        assert counter_block(header.from_node, header.packet_id) == bytes.fromhex(vector["nonce_hex"])
        body = channel.crypt(header.from_node, header.packet_id, frame[HEADER_LENGTH:])
        assert body == bytes.fromhex(vector["data_pb_hex"])
        data = decode_data(body)
        assert data.portnum == vector["data"]["portnum"]
        assert data.payload == bytes.fromhex(vector["data"]["payload_hex"])
        assert data.bitfield == vector["data"]["bitfield"]
        assert data.request_id == vector["data"].get("request_id", 0)
    assert seen == 5


def test_every_channel_frame_is_encoded_byte_for_byte():
    for vector in vectors():
        if vector["channel"]["encryption"] != "channel-psk":
            continue
        wanted = vector["header"]
        fields = vector["data"]
        data = Data(
            fields["portnum"],
            bytes.fromhex(fields["payload_hex"]),
            request_id=fields.get("request_id", 0),
            bitfield=fields["bitfield"],
        )
        header = Header(
            wanted["to"],
            wanted["from"],
            wanted["id"],
            wanted["hop_limit"],
            wanted["hop_start"],
            wanted["want_ack"],
            wanted["via_mqtt"],
            wanted["channel_hash"],
            wanted["next_hop"],
            wanted["relay_node"],
        )
        body = channel_of(vector).crypt(wanted["from"], wanted["id"], encode_data(data))
        assert encode_header(header) + body == bytes.fromhex(vector["frame_hex"]), vector["name"]
