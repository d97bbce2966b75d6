# SPDX-License-Identifier: Apache-2.0
"""docs/wire-format.md is complete and true: a decoder that reads its tables from the document, and knows nothing of our
code, decodes the vectors; the tables of fields and of sizes are those of the code."""

import hashlib
import hmac
import json
import math
import re
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs/wire-format.md").read_text()
VECTORS: list[dict[str, Any]] = json.loads((ROOT / "tests/vectors/wire.json").read_text())


def section(title: str) -> str:
    start = TEXT.index(f"\n{'#' * (3 if title.startswith('Kind') else 2)} {title}")
    end = re.compile(r"\n#{2,3} ").search(TEXT, start + 3)
    return TEXT[start : end.start() if end else len(TEXT)]


def rows(text: str) -> list[list[str]]:
    return [
        [cell.strip(" `") for cell in line.strip("| ").split(" | ")] for line in text.split("\n") if line[:2] == "| "
    ]


def of_type(name: str) -> list[dict[str, Any]]:
    found = [vector for vector in VECTORS if vector["type"] == name]
    assert found
    return found


# A decoder of its own


class Bits:
    def __init__(self, raw: bytes, unused: int = 0) -> None:
        self.bits = "".join(f"{byte:08b}" for byte in raw)[: 8 * len(raw) - unused]

    def take(self, count: int) -> int:
        assert len(self.bits) >= count
        value = int(self.bits[:count] or "0", 2)
        self.bits = self.bits[count:]
        return value


VALUES = [(row[1], int(row[3]), int(row[4]), int(row[5])) for row in rows(section("7. Samples"))[2:]]


def decode_samples(raw: bytes) -> list[dict[str, int]]:
    bits = Bits(raw)
    samples: list[dict[str, int]] = [{} for _ in range(bits.take(4))]
    for name, typical, first, following in VALUES:
        presence = bits.take(2)
        parameter = first
        for sample in samples:
            if presence == 0 or (presence == 2 and not bits.take(1)):
                continue
            ones = 0
            while ones < 12 and bits.take(1):
                ones += 1
            number = bits.take(32) if ones == 12 else ones << parameter | bits.take(parameter)
            typical += -(number + 1) // 2 if number % 2 else number // 2
            sample[name] = typical
            parameter = following
    assert len(bits.bits) < 8
    return samples


def text_tables() -> list[dict[str, Any]]:
    found = []
    for block in re.findall(r"Table \d, \w\w\.\n\n```\n(.*?)\n```", TEXT, re.DOTALL):
        letters, capitals, marks, *data = block.split("\n")
        table = {
            "letters": letters[9:],
            "capitals": capitals[9:].replace("(none)", ""),
            "marks": marks[9:].replace("␠", " ").replace("␊", "\n"),
        }
        tones = 5 if len(found) == 7 else 0
        size = len(table["letters"]) + tones + 8 + 3
        halves = [int(half, 16) for half in "".join(data)]
        width = size + size % 2
        assert len(halves) == 13 * width
        table["row_of"] = halves[:size]
        table["codes"] = []
        for row in range(12):
            lengths = halves[(row + 1) * width : (row + 1) * width + size]
            codes = {}
            code = previous = 0
            for length, symbol in sorted((length, symbol) for symbol, length in enumerate(lengths)):
                code <<= length - previous
                codes[f"{code:0{length}b}"] = symbol
                code += 1
                previous = length
            assert code == 1 << previous, "the code is complete"
            table["codes"].append(codes)
        table["first_mark"] = len(table["letters"]) + tones
        found.append(table)
    assert len(found) == 8
    return found


TABLES = text_tables()
TONED = re.search(r"^    (àáảã\S+)$", TEXT, re.MULTILINE)
VOWELS = re.search(r"one of the vowels `(\w+)`", TEXT)


def decode_text(raw: bytes) -> str:
    if raw[0] == 0:
        return raw[1:].decode()
    bits = Bits(raw[1:], raw[0] & 15)
    table = TABLES[(raw[0] >> 4) - 1]
    before = space = table["first_mark"]
    text = ""
    shift = swapped = False
    while bits.bits:
        codes = table["codes"][table["row_of"][before]]
        code = ""
        while code not in codes:
            code += str(bits.take(1))
        symbol = before = codes[code]
        mark = symbol - space
        if symbol < len(table["letters"]):
            text += (table["capitals"] or table["letters"])[symbol] if shift != swapped else table["letters"][symbol]
        elif mark < 0:
            assert TONED
            assert VOWELS
            vowel = text[-1]
            text = text[:-1]
            lower = vowel.lower()
            toned = TONED[1][5 * VOWELS[1].index(lower) + symbol - len(table["letters"])]
            text += toned if lower == vowel else chr(ord(toned) - (32 if ord(toned) < 0x100 else 1))
        elif mark < 8:
            text += table["marks"][mark]
        elif mark == 9:
            text += str(bits.take(4))
        elif mark == 10:
            what = bits.take(3)
            if what < 4:
                text += chr(bits.take((7, 11, 16, 21)[what]))
            elif what == 4:
                table = TABLES[bits.take(4) - 1]
            else:
                assert what == 5
                swapped = not swapped
            before = space = table["first_mark"]
        shift = mark == 8
    return text


def varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (raw[at] & 0x7F) << shift
        at += 1
        if raw[at - 1] < 0x80:
            return value, at
        shift += 7


def fields_of(kind: str) -> list[list[str]]:
    title = {"emergency": "Kinds 3", "exercise": "Kinds 3"}.get(kind)
    if title is None:
        match = re.search(rf"### (Kind \d+ `{kind}`)", TEXT)
        assert match
        title = match[1]
    return rows(section(title))[2:]


def decode_body(kind: str, raw: bytes, fields: list[list[str]] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    at = 0
    while at < len(raw):
        key, at = varint(raw, at)
        number, name, form, *_ = (fields or fields_of(kind))[(key >> 3) - 1]
        assert int(number) == key >> 3
        if key & 7 == 0:
            value, at = varint(raw, at)
            found[name] = (value >> 1) ^ -(value & 1) if form.startswith("sint32") else value
        elif key & 7 == 5:
            found[name] = int.from_bytes(raw[at : at + 4], "little")
            at += 4
        else:
            assert key & 7 == 2
            length, at = varint(raw, at)
            part = raw[at : at + length]
            at += length
            if form.startswith("Neighbour"):
                neighbour = [["1", "node", "fixed32"], ["2", "rssi_dbm", "sint32"], ["3", "snr_db", "sint32"]]
                found.setdefault(name, []).append(decode_body(kind, part, neighbour))
            elif form.startswith("HelpPoint"):
                point = [["1", "name", "string"], ["2", "address", "string"], ["3", "kind", "string"]]
                found.setdefault(name, []).append(decode_body(kind, part, point))
            elif form.startswith("Also"):
                also = [["1", "refers_to", "uint32"], ["2", "later_s", "sint32"]]
                found.setdefault(name, []).append(decode_body(kind, part, also))
            elif "coded samples" in form:
                found[name] = decode_samples(part)
            elif "coded text" in form:
                found[name] = decode_text(part)
            else:
                found[name] = part.decode() if form.startswith("string") else {"hex": part.hex()}
    return found


def key_of(root_key: str, label: bytes, kind: int) -> bytes:
    prk = hmac.digest(b"Kiezbox 1", bytes.fromhex(root_key), "sha256")
    return hmac.digest(prk, label + bytes([kind, 1]), "sha256")


def ctr(key: bytes, block: bytes, raw: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.CTR(block)).decryptor().update(raw)


def decode_proven(vector: dict[str, Any], node: int, header: int) -> bytes:
    parts = {}
    number = 0
    for payload in (bytes.fromhex(payload) for payload in vector["payloads"]):
        number = payload[1]
        tag = hmac.digest(
            key_of(vector["root_key"], b"mac", number), node.to_bytes(4, "little") + payload[:-8], "sha256"
        )
        assert tag[:8] == payload[-8:]
        parts[payload[header - 1] >> 4] = payload[header:-8]
        assert (payload[header - 1] & 15) + 1 == len(vector["payloads"])
    body = b"".join(parts[index] for index in sorted(parts))
    if bytes.fromhex(vector["payloads"][0])[0] != 0x11:
        block = (
            node.to_bytes(4, "little") + vector["counter"].to_bytes(4, "little") + bytes([number, 1, 0, 0, 0, 0, 0, 0])
        )
        body = ctr(key_of(vector["root_key"], b"seal", number), block, body)
    return body


# What it decodes


def test_samples_and_texts() -> None:
    for vector in of_type("samples"):
        assert decode_samples(bytes.fromhex(vector["coded"])) == vector["samples"]
    for vector in of_type("text"):
        assert decode_text(bytes.fromhex(vector["coded"])) == vector["text"]


def test_keys() -> None:
    for vector in of_type("key"):
        for label in ("mac", "seal"):
            assert key_of(vector["root_key"], label.encode(), vector["kind"]).hex() == vector[label]


def test_uplinks_and_downlinks() -> None:
    for vector in of_type("uplink"):
        body = decode_proven(vector, vector["from_node"], 7)
        assert body.hex() == vector["body"]
        assert decode_body(vector["kind"], body) == vector["message"]
    for vector in of_type("downlink"):
        assert decode_body(vector["kind"], decode_proven(vector, vector["box"], 11)) == vector["message"]


def test_broadcasts() -> None:
    for vector in of_type("broadcast"):
        first, *others = (bytes.fromhex(payload) for payload in vector["payloads"])
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(vector["public_key"]))
        key.verify(first[-64:], b"Kiezbox 1 cast" + hashlib.sha256(first[:-64]).digest())
        assert first[2] == vector["key_id"]
        assert int.from_bytes(first[3:7], "little") == vector["counter"]
        body = first[8 + 8 * len(others) : -64]
        for index, other in enumerate(others):
            assert hashlib.sha256(other).digest()[:8] == first[8 + 8 * index : 16 + 8 * index]
            body += other[8:]
        assert decode_body(vector["kind"], body) == vector["message"]


def test_receipts() -> None:
    for vector in of_type("receipts"):
        raw = bytes.fromhex(vector["payloads"][0])
        assert raw[:2] == bytes([0x13, 0x10])
        at = 2
        found: list[Any] = []
        while at < len(raw):
            end = at + 5 + raw[at + 4]
            entry = raw[at:end]
            if int.from_bytes(entry[:4], "little") == vector["box"]:
                assert hmac.digest(key_of(vector["root_key"], b"mac", 16), entry, "sha256")[:8] == raw[end : end + 8]
                found += decode_items(entry[5:])
            at = end + 8
        assert found == vector["items"]


def decode_items(raw: bytes) -> list[Any]:
    found: list[Any] = []
    while raw:
        number = int.from_bytes(raw[1:5], "little")
        if raw[0] >> 4 == 1:
            found.append(["stage", number, raw[0] & 15])
            raw = raw[5:]
        elif raw[0] == 0x30:
            held = int.from_bytes(raw[5:7], "little")
            found.append(["fragments", number, [bit for bit in range(16) if held >> bit & 1]])
            raw = raw[7:]
        else:
            length = raw[5] & 31
            held = int.from_bytes(raw[6 : 6 + length], "little")
            missing = [number - 1 - bit for bit in range(8 * length - 1, -1, -1) if not held >> bit & 1]
            found.append(["readings", {"upto": number, "missing": missing, "below_held": bool(raw[5] & 128)}])
            raw = raw[6 + length :]
    return found


def test_frames() -> None:
    for vector in of_type("frame"):
        frame = bytes.fromhex(vector["frame"])
        key = bytes.fromhex(vector["psk"])
        if len(key) == 1:
            key = bytes.fromhex("d4f1bb3a20290759f0bcffabcf4e69") + bytes([(1 + key[0] - 1) % 256])
        if len(key) > 1:
            key += bytes(-len(key) % 16)
        data = frame[16:]
        if key:
            data = ctr(key, frame[8:12] + bytes(4) + frame[4:8] + bytes(4), data)
        payload = bytes.fromhex(vector["payload"])
        port = "088002" if vector["portnum"] == 256 else "0801"
        assert data == bytes.fromhex(port + "12") + bytes([len(payload)]) + payload + bytes.fromhex("4800")
        check = 0
        for byte in vector["channel_name"].encode() + key:
            check ^= byte
        assert frame[13] == check
        assert frame[:4] == b"\xff" * 4
        assert int.from_bytes(frame[4:8], "little") == vector["from_node"]
        assert int.from_bytes(frame[8:12], "little") == vector["packet_id"]
        assert (frame[12] & 7, frame[12] >> 5) == (vector["hop_limit"], vector["hop_start"])
        if vector["portnum"] == 1:
            assert payload.decode().startswith("Hallo")


KIND_SCHEMES = {
    int(number): {int(scheme) for scheme in schemes.split(" or ")}
    for number, schemes in re.findall(r"\| (\d+) \| `\w+` \| (\d(?: or \d)?) \|", section("2. Envelope"))
}


CONFIGURATION = 20


def is_refused(vector: dict[str, Any]) -> bool:
    """Whether the rules of the document refuse a payload."""
    raw = bytes.fromhex(vector["payload"])
    if not 2 <= len(raw) <= 231 or raw[0] >> 4 != 1:
        return True
    scheme, kind = raw[0] & 15, raw[1]
    if scheme not in KIND_SCHEMES.get(kind, set()):
        return True
    if (scheme in (1, 2)) != (vector["direction"] == "up"):
        return True

    def is_false(part: bytes, tag: bytes, number: int) -> bool:
        return hmac.digest(key_of(vector["root_key"], b"mac", number), part, "sha256")[:8] != tag

    if scheme == 3:
        at = 2
        while at + 5 <= len(raw):
            end = at + 5 + raw[at + 4]
            if end + 8 > len(raw):
                return True
            if int.from_bytes(raw[at : at + 4], "little") == vector["box"] and is_false(
                raw[at:end], raw[end : end + 8], 16
            ):
                return True
            at = end + 8
        return at != len(raw)
    header = {1: 7, 2: 7, 4: 11, 5: 8}[scheme]
    if len(raw) < header or raw[header - 1] >> 4 > raw[header - 1] & 15 or raw[header - 5 : header - 1] == bytes(4):
        return True
    if scheme == 5:
        if raw[2] != vector["key_id"]:
            return True
        index = raw[7] >> 4
        if index:
            first = bytes.fromhex(vector["after"][0])
            return hashlib.sha256(raw).digest()[:8] != first[8 * index : 8 * index + 8]
        if len(raw) < header + 64:
            return True
        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(vector["public_key"]))
            key.verify(raw[-64:], b"Kiezbox 1 cast" + hashlib.sha256(raw[:-64]).digest())
        except InvalidSignature:
            return True
        secret = {"root_key", "key_id", "public_key", "revoked_key_id", "channel_psk"}
        return kind == CONFIGURATION and bool(secret & set(decode_body("configuration", raw[8:-64])))
    node = vector["from_node"] if scheme < 3 else vector["box"]
    return len(raw) < header + 8 or is_false(node.to_bytes(4, "little") + raw[:-8], raw[-8:], kind)


def test_what_is_wrong_is_refused_by_the_rules_of_the_document() -> None:
    vectors = of_type("refused")
    assert len({vector["reason"] for vector in vectors}) >= 12
    for vector in vectors:
        assert is_refused(vector), vector["name"]


def test_what_is_right_is_not_refused_by_them() -> None:
    context = {"key_id": 1, "public_key": of_type("broadcast")[0]["public_key"]}
    for vector in (*of_type("uplink"), *of_type("downlink"), *of_type("broadcast"), *of_type("receipts")):
        for payload in vector["payloads"]:
            whole = {**context, **vector, "payload": payload, "after": vector["payloads"][:1]}
            whole["direction"] = "up" if vector["type"] == "uplink" else "down"
            assert not is_refused(whole), vector["name"]


def test_every_kind_and_table_has_vectors() -> None:
    kinds = {vector["kind"] for vector in VECTORS if vector["type"] in ("uplink", "downlink", "broadcast")}
    documented = set(re.findall(r"^### Kinds? \d+ `(\w+)`", TEXT, re.MULTILINE)) | {"exercise"}
    assert kinds == documented
    assert {vector["kind"] for vector in of_type("key")} == set(KIND_SCHEMES)
    for kind in documented:
        used: set[str] = set()
        for vector in VECTORS:
            if vector.get("kind") == kind and "message" in vector:
                used |= set(vector["message"])
        assert used == {row[1] for row in fields_of(kind)}, f"every field of {kind} is in some vector"
    assert {bytes.fromhex(vector["coded"])[0] >> 4 for vector in of_type("text")} == set(range(9))


def test_fields_are_those_of_the_code() -> None:
    from kiezbox.protocol import envelope, messages

    for kind, fields in messages.FIELDS.items():
        documented = [row[1] for row in fields_of(envelope.KIND_NAMES[kind])]
        assert documented == [field[:-2] for field in fields.split(" ")]


def time_on_air_ms(preset: str, length: int) -> float:
    """The formula of section 13 with the table of section 1."""
    row = next(row for row in rows(section("1. LoRa")) if row[0].split(" ")[0] == preset)
    factor, bandwidth_khz, denominator = int(row[1]), int(row[2].split(" ")[0]), int(row[3][2:])
    symbol_ms = 2**factor / bandwidth_khz
    optimised = 1 if symbol_ms >= 16 else 0
    blocks = math.ceil(max(8 * length - 4 * factor + 44, 0) / (4 * (factor - 2 * optimised)))
    return (16 + 4.25 + 8 + denominator * blocks) * symbol_ms


def test_presets_and_time_on_air_are_those_of_the_code() -> None:
    from kiezbox.protocol.airtime import PRESETS, frequency_hz, time_on_air_us

    documented = [row for row in rows(section("1. LoRa")) if row[0].split(" ")[0] in PRESETS]
    assert [row[0].split(" ")[0] for row in documented] == list(PRESETS)
    for name, preset in PRESETS.items():
        for length in range(256):
            assert abs(time_on_air_ms(name, length) - time_on_air_us(preset, length) / 1000) < 0.01
        where = next(row[4] for row in documented if row[0].split(" ")[0] == name)
        for channel in ("Kiezbox", "LongMod", "LongSlow"):
            assert f"{frequency_hz(preset, channel) / 1e6:g}" in where


def test_sizes_are_those_of_the_vectors() -> None:
    from kiezbox.protocol.packet import Data, encode_data

    table = rows(section("13. Bytes"))
    presets = table[0][4:]
    measured = {row[0]: row[1:] for row in table}
    for vector in VECTORS:
        if "payloads" in vector:
            payloads = [len(payload) // 2 for payload in vector["payloads"]]
            frames = [16 + len(encode_data(Data(256, bytes(length)))) for length in payloads]
            row = measured[vector["name"]]
            assert row[1] == "+".join(map(str, payloads))
            assert row[2] == "+".join(map(str, frames))
            for preset, milliseconds in zip(presets, row[3:], strict=True):
                airtime_ms = sum(time_on_air_ms(preset, length) for length in frames)
                assert abs(int(milliseconds) - airtime_ms) <= 0.51
    ours = [int(value) for value in measured["reading"][3:]]
    theirs = [int(value) for value in measured["three samples as Meshtastic telemetry, 9 packets"][3:]]
    assert all(3 * mine <= other for mine, other in zip(ours, theirs, strict=True)), "at most a third of the airtime"
