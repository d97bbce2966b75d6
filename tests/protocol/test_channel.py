# SPDX-License-Identifier: Apache-2.0
from kiezbox.protocol.channel import DEFAULT_KEY, Channel, counter_block, expand_key

HASHES = {
    # display name: hash with the default key, as firmware 2.7 computes it
    "LongFast": 0x08,
    "MediumFast": 0x1F,
    "MediumSlow": 0x18,
    "ShortFast": 0x70,
    "ShortSlow": 0x77,
    "ShortTurbo": 0x0E,
    "LongSlow": 0x0F,
    "LongMod": 0x6E,
    "LongTurbo": 0x76,
}


def test_hash_of_every_preset_with_the_default_key():
    for name, value in HASHES.items():
        assert Channel("", b"\x01", name).hash == value
        assert Channel(name, b"\x01").hash == value
    assert Channel("", b"\x01").name == "LongFast"


def test_stored_keys_of_every_length_are_expanded():
    assert expand_key(b"") == b""
    assert expand_key(b"\x00") == b""
    assert expand_key(b"\x01") == DEFAULT_KEY
    assert expand_key(b"\x02") == DEFAULT_KEY[:15] + b"\x02"
    assert expand_key(b"\xff") == DEFAULT_KEY[:15] + b"\xff"
    for length in range(2, 33):
        key = expand_key(bytes(range(1, length + 1)))
        assert len(key) == (16 if length <= 16 else 32)
        assert key[:length] == bytes(range(1, length + 1))
        assert key[length:] == bytes(len(key) - length)


def test_a_key_that_is_too_long_is_refused():
    try:
        Channel("x", bytes(33))
    except ValueError:
        return
    raise AssertionError("a key of 33 bytes was taken")


def test_without_a_key_nothing_is_encrypted():
    channel = Channel("Open", b"")
    assert channel.hash == ord("O") ^ ord("p") ^ ord("e") ^ ord("n")
    assert channel.crypt(1, 2, b"clear") == b"clear"
    assert channel.open(bytes(16) + b"clear") == b"clear"


def test_a_frame_is_opened_by_its_own_bytes():
    for key in (b"\x01", bytes(range(32))):
        channel = Channel("Kiezbox", key)
        for length in (0, 1, 15, 16, 17, 239):
            text = bytes(range(length))
            frame = b"\xff" * 4 + b"\x44\x33\x22\xf1" + b"\x0d\xf0\xad\xfb" + bytes(4)
            frame += channel.crypt(0xF1223344, 0xFBADF00D, text)
            assert channel.open(frame) == text
            assert length == 0 or frame[16:] != text


def test_counter_block():
    assert counter_block(0x7C3E51A4, 0x1F2E3D4C) == bytes.fromhex("4c3d2e1f00000000a4513e7c00000000")
