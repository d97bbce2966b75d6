# SPDX-License-Identifier: Apache-2.0
"""`kiezbox frame` on frames that the real firmware made or accepted."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiezbox.protocol.channel import Channel
from kiezbox_gateway.command import CommandError
from kiezbox_gateway.command.frame import decode_frame, encode_frame
from tests.gateway.command.test_root import kiezbox

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "ota_vectors.json").read_text())["vectors"]
CHANNEL_VECTORS = [vector for vector in VECTORS if vector["channel"]["encryption"] == "channel-psk"]
HELLO = "ffffffffa4513e7c4c3d2e1f630800a4e5c26cd8127b7c49e8d5dd80af5f7f7eb36096ddb6ff"
FIELDS = [
    "to", "from", "id", "hop_limit", "hop_start", "want_ack", "via_mqtt", "channel_hash", "next_hop", "relay_node",
    "portnum", "payload_hex",
]  # fmt: skip


def key_of(vector: dict[str, Any]) -> tuple[str, str]:
    channel = vector["channel"]
    return channel["channel_name"], base64.b64encode(bytes.fromhex(channel["psk_hex"])).decode()


@pytest.mark.parametrize("vector", CHANNEL_VECTORS, ids=lambda vector: vector["name"])
def test_vectors_decode_and_encode(vector: dict[str, Any]) -> None:
    name, key = key_of(vector)
    channel = Channel(name, base64.b64decode(key))
    fields = decode_frame(bytes.fromhex(vector["frame_hex"]), channel, everything=True)
    header = vector["header"]
    for field in FIELDS[:10]:
        assert fields[field] == header[field], field
    assert fields["portnum"] == vector["data"]["portnum"]
    assert fields["payload_hex"] == vector["data"].get("payload_hex", "")
    assert encode_frame(fields, channel).hex() == vector["frame_hex"]


def test_decode_as_a_user_does() -> None:
    result = kiezbox("frame", "decode", HELLO, "--channel", "LongFast", "--key", "AQ==")
    assert result.returncode == 0
    fields = json.loads(result.stdout)
    assert list(fields) == FIELDS
    assert bytes.fromhex(fields["payload_hex"]).decode() == "Hallo Kiez! 👋"
    back = kiezbox("frame", "encode", "-", "--channel", "LongFast", "--key", "AQ==", given=result.stdout)
    assert back.stdout.strip() == HELLO
    same = kiezbox(
        "frame", "encode", "--channel", "LongFast", "--key", "AQ==", "--from", "!7c3e51a4", "--id", str(fields["id"]),
        "--hop-limit", "3", "--portnum", "1", "--payload-hex", fields["payload_hex"],
    )  # fmt: skip
    assert same.stdout.strip() == HELLO


@pytest.mark.parametrize(("name", "key"), [("LongFast", "Ag=="), ("Other", "AQ=="), ("LongFast", "")])
def test_key_that_does_not_fit_gives_nulls(name: str, key: str) -> None:
    fields = json.loads(kiezbox("frame", "decode", HELLO, "--channel", name, "--key", key).stdout)
    assert (fields["portnum"], fields["payload_hex"]) == (None, None)
    assert fields["from"] == 0x7C3E51A4


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("decode", "xyz"), "not hexadecimal"),
        (("decode", "abc"), "not hexadecimal"),
        (("decode", "ab" * 15), "16 to 255 bytes"),
        (("decode", "ab" * 256), "16 to 255 bytes"),
        (("decode", ""), "16 to 255 bytes"),
        (("decode", HELLO, "--key", "%%%"), "not base64"),
        (("decode", HELLO, "--key", base64.b64encode(bytes(33)).decode()), "at most 32 bytes"),
        (("encode", "{"), "not JSON"),
        (("encode", "[]"), "JSON object"),
        (("encode", "{}"), "from is missing"),
        (("encode", '{"from": 1, "id": 2, "surprise": 3}'), "unknown field surprise"),
        (("encode", '{"from": 1, "id": 2}'), "portnum and payload_hex"),
        (("encode", '{"from": 1, "id": 2, "portnum": 1, "payload_hex": null}'), "portnum and payload_hex"),
        (("encode", '{"from": 1, "id": 2, "portnum": 0, "payload_hex": ""}'), "portnum is a number from 1"),
        (("encode", '{"from": 1, "id": 2, "portnum": 1, "payload_hex": "zz"}'), "payload_hex is not hexadecimal"),
        (("encode", '{"from": 4294967296, "id": 2, "portnum": 1, "payload_hex": ""}'), "from must be a number"),
        (("encode", '{"from": 1, "id": 2, "hop_limit": 8, "portnum": 1, "payload_hex": ""}'), "hop_limit must be"),
        (("encode", '{"from": 1, "id": 2, "want_ack": 1, "portnum": 1, "payload_hex": ""}'), "true or false"),
        (
            ("encode", '{"from": 1, "id": 2, "channel_hash": 1, "portnum": 1, "payload_hex": ""}'),
            "does not belong to this channel",
        ),
        (("encode", '{"from": 1, "id": 2, "portnum": 1, "payload_hex": "%s"}' % ("00" * 233)), "too long"),
    ],
)
def test_bad_input_is_one_clear_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    result = kiezbox("frame", *arguments)
    assert result.returncode == 1
    assert result.stdout == ""
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr


@settings(deadline=None)
@given(st.binary(min_size=16, max_size=255))
def test_any_bytes_decode_to_fields(raw: bytes) -> None:
    if raw[4:8] in (bytes(4), b"\xff" * 4):
        with pytest.raises(CommandError, match="sender's number"):
            decode_frame(raw, Channel("LongFast", b"\x01"))
    else:
        assert list(decode_frame(raw, Channel("LongFast", b"\x01"))) == FIELDS


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {
            "to": st.integers(0, 0xFFFFFFFF), "from": st.integers(1, 0xFFFFFFFE), "id": st.integers(0, 0xFFFFFFFF),
            "hop_limit": st.integers(0, 7), "hop_start": st.integers(1, 7), "want_ack": st.booleans(),
            "via_mqtt": st.booleans(), "next_hop": st.integers(0, 255), "relay_node": st.integers(0, 255),
            "portnum": st.integers(1, 511), "payload_hex": st.binary(max_size=231).map(bytes.hex),
        }
    )
)  # fmt: skip
def test_fields_survive_the_way_there_and_back(fields: dict[str, Any]) -> None:
    channel = Channel("Kiezbox", bytes(range(32)))
    found = decode_frame(encode_frame(fields, channel), channel)
    assert {name: found[name] for name in fields} == fields


def test_encode_refuses_what_it_cannot_mean() -> None:
    with pytest.raises(CommandError, match="not a number"):
        encode_frame({"from": "me", "id": 1, "portnum": 1, "payload_hex": ""}, Channel("x", b""))
