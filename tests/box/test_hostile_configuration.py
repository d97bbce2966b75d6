# SPDX-License-Identifier: Apache-2.0
"""Configurations that nobody should have written, on the real MicroPython: a box starts with what is right, or says in
one sentence why it does not. It never does anything else, and never gets stuck.

What the firmware makes of a file on MicroPython is held against what the same code makes of it on CPython, whose JSON
is strict. A sample here, a hundred thousand in the long run.
"""

import json
import os
import random
import shutil
import subprocess
from binascii import crc32
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kiezbox.box import configuration
from kiezbox.box.twin_file import LENGTH_MAX
from kiezbox.protocol import envelope, messages
from kiezbox_simulator import board
from kiezbox_simulator.firmware_build import FIRMWARE_DIR, build, rom_image
from kiezbox_simulator.virtual.vm_link import VmError
from tests.box.conftest import MakeBox
from tests.box.lone_box import CONFIGURATION, LoneBox

PROGRAM = Path(__file__).resolve().parent / "on_micropython/configuration_fuzz.py"
LONG = bool(os.environ.get("KIEZBOX_LONG"))
BATCH = 2_000 if LONG else 400
BATCHES = 50 if LONG else 2
MESSAGES = 100_000 if LONG else 600
BOXES = 300 if LONG else 8
HEAP_KIB = 72
"""About what a starting box has left for this."""

MESSAGES_HEAP_KIB = 96
"""The program holds two boxes' settings at a time, to compare them."""

HEAP_DRIFT_BYTES = 512
ANSWER_MS = 1_000
"""Virtual time in which a page is whole."""

KEYS = [row[0] for row in configuration.rows()]
TEXTS = [
    "", "x", "\0", "a\0b", "\n", "\x7f", "Müggelsee 😀", "😀" * 9, "👩‍🚒", "مدرسة النور", "\u202eabc", "שלום",
    "\ud800", "a\udfff",
    "<script>alert(1)</script>", '"\\', "\\u0041", "'; --", "e\u0301" * 12, "\ufeff", "\uffff", "ä" * 20, "x" * 39,
    "x" * 200, "x" * 5_000, "00" * 32, "0g" * 32, "CLIENT", "emergency", "MEDIUM_FAST", "300",
]  # fmt: skip
NUMBERS = [
    -1, 0, 1, 2, 5, 7, 8, 11, 60, 300, 3_600, 86_400, 604_801, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63, 10**60,
    0.5, 1e3, -0.0, 1e300, 10**4_000,
]  # fmt: skip
WHOLE_FILES = [
    b"", b" ", b"\0", b"null", b"7", b'"x"', b"[]", b"{}", b"[" * 8_192, b"[" * 9_000, b'{"a":' * 1_600, b"\xff\xfe{}",
    json.dumps(CONFIGURATION).encode("utf-16"), b"\xef\xbb\xbf" + json.dumps(CONFIGURATION).encode(),
    json.dumps(CONFIGURATION).encode() + b" " * (1 << 20), b" " * 8_000 + json.dumps(CONFIGURATION).encode(),
    json.dumps(CONFIGURATION | {f"k{number}": 0 for number in range(600)}).encode(),
    json.dumps(CONFIGURATION | {"colour:red": 1, "x" * 300: 2}).encode(), b"{[]:1}", b'{{"a":1}:1}', b'{1:2,"a"}',
    b'{"a":1}' * 2, json.dumps(CONFIGURATION).replace(":", " ").encode(), json.dumps([CONFIGURATION]).encode(),
    json.dumps(CONFIGURATION).encode()[:-1] + b', "hop_limit": 3, "hop_limit": 2}',
    json.dumps(CONFIGURATION).encode()[:-1] + b', "hop_limit": 2, "hop_limit": 99}',
    json.dumps(CONFIGURATION | {"name": "Kiez 😀 ä"}).encode(),
    json.dumps(CONFIGURATION | {"name": "Kiez 😀 ä"}, ensure_ascii=False).encode(),
    json.dumps(CONFIGURATION | {"router_off_below_mv": 9_000}).encode(),
]  # fmt: skip


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    programs = tmp_path_factory.mktemp("programs")
    shutil.copy(PROGRAM, programs)
    shutil.copy(FIRMWARE_DIR / "kiezbox/box/testing.py", programs / "box_testing.py")
    return rom_image(build(tmp_path_factory.mktemp("firmware")), programs)


def played(image: Path, heap_kib: int, *arguments: str) -> list[Any]:
    result = subprocess.run(
        board.command(image, "configuration_fuzz", *arguments, heap_kib=heap_kib),
        capture_output=True,
        check=False,
        timeout=3_600,
    )
    output = result.stdout.decode("utf-8", "surrogatepass")
    assert result.returncode == 0, output[-3_000:] + result.stderr.decode()
    lines = output.splitlines()
    notes = [line for line in lines if not line.startswith("{")]
    assert notes == [], notes[:3]
    return [json.loads(line) for line in lines]


# What chance makes


def some_value(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.randrange(10)
    if kind < 4:
        return chance.choice(TEXTS)
    if kind < 7 or depth > 3:
        return chance.choice(NUMBERS)
    if kind == 7:
        return chance.choice([None, True, False])
    if kind == 8:
        return [some_value(chance, depth + 1) for _ in range(chance.randrange(4))]
    words = ["name", "address", "kind", "psk_hex", "1", "8", "255", "256"]
    return {chance.choice(words): some_value(chance, depth + 1) for _ in range(chance.randrange(4))}


def fitting_value(chance: random.Random, key: str) -> Any:
    """Mostly right for this key."""
    kind, allowed = next((row[1], row[2]) for row in configuration.rows() if row[0] == key)
    low, _, high = allowed.partition("..")
    if kind in "uz":
        return chance.choice([int(low), int(high), chance.randint(int(low), int(high)), int(low) - 1, int(high) + 1])
    if kind == "o":
        return chance.choice(allowed.split(" "))
    if kind == "h":
        return chance.randbytes(32).hex()
    if kind == "k":
        return {str(chance.randint(1, 256)): chance.randbytes(32).hex() for _ in range(chance.randrange(9))}
    if kind == "c":
        return {"name": chance.choice(TEXTS), "psk_hex": chance.choice(["", "01", "ab" * 16, "cd" * 32, "0"])}
    if kind == "p":
        return [{"name": chance.choice(TEXTS), "kind": "meeting_point"} for _ in range(chance.randrange(14))]
    return chance.choice(TEXTS)


def some_configuration(chance: random.Random) -> dict[str, Any]:
    values: dict[str, Any] = dict(CONFIGURATION)
    for _ in range(chance.randrange(6)):
        key = chance.choice(KEYS)
        what = chance.randrange(8)
        if what < 4:
            values[key] = fitting_value(chance, key)
        elif what < 6:
            values[key] = some_value(chance)
        elif what == 6:
            values.pop(key, None)
        else:
            values[chance.choice(TEXTS)[:50]] = some_value(chance)
    return values


def as_text(chance: random.Random, values: Any) -> bytes:
    text = json.dumps(values, ensure_ascii=chance.random() < 0.5, indent=chance.choice([None, None, 1]))
    return text.encode("utf-8", "surrogatepass")


def damaged(chance: random.Random, raw: bytes) -> bytes:
    found = bytearray(raw)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(found) + 1)
        what = chance.randrange(6)
        if what == 0:
            del found[at:]
        elif what == 1:
            del found[at : at + chance.randrange(20)]
        elif what == 2:
            found[at:at] = chance.choice(
                [b"\0", b'"', b"{", b"[", b"}", b",", b":", b"\\", b"\\ud83d", b"-", b"e9", b"\xff"]
            )
        elif what == 3:
            found[at : at + 1] = chance.randbytes(1)
        elif what == 4:
            found[at:at] = found[: chance.randrange(200)]
        else:
            found[at:at] = b"[" * chance.randrange(2_000)
    return bytes(found)


def twin(number: int, text: bytes) -> bytes:
    body = b"%d " % number + text
    return b"%08x " % crc32(body) + body


def make_case(chance: random.Random, folder: Path) -> None:
    folder.mkdir()
    if chance.random() < 0.7:
        offer = as_text(chance, some_configuration(chance))
        if chance.random() < 0.3:
            offer = damaged(chance, offer)
        (folder / "offer").write_bytes(offer)
    else:
        for number, name in enumerate(chance.choice(["a", "b", "ab"])):
            before = chance.choice([None, some_configuration(chance), some_value(chance)])
            held = {"values": some_configuration(chance), "before": before}
            stored = twin(number + 1, as_text(chance, chance.choice([held, held, held, some_value(chance)])))
            if chance.random() < 0.3:
                stored = damaged(chance, stored)
            (folder / f"config.{name}").write_bytes(stored)
        if chance.random() < 0.3:
            (folder / "offer").write_text(json.dumps(CONFIGURATION))


def strictly(raw: bytes) -> Any:
    """What CPython reads; ValueError for what is no JSON."""

    def refuse(word: str) -> None:
        raise ValueError(word)

    return json.loads(raw.decode("utf-8").lstrip("\ufeff"), parse_constant=refuse)


def judge(folder: Path, found: dict[str, Any]) -> str:
    """The kind of the case; fails if the box did the wrong thing."""
    assert "crash" not in found, (folder, found)
    if "values" in found:
        assert configuration.problems(found["values"]) == [], folder
        assert found.get("values_again") == found["values"], folder
    else:
        assert found["says"].startswith("th"), found
        assert "\n" not in found["says"]
        assert len(found["says"]) < 3_500
    offer = folder / "offer"
    if not (folder / "was_stored").exists():
        raw = offer.read_bytes()
        if len(raw) > configuration.FILE_LENGTH_MAX:
            assert "says" in found, folder
            return "too long"
        try:
            values = strictly(raw)
        except (ValueError, RecursionError):
            return "no JSON"
        problems = configuration.problems(values)
        if problems:
            assert "says" in found, (folder, problems)
            return "wrong"
        assert found.get("values") == configuration.complete(values), folder
        return "right"
    return "stored, runs" if "values" in found else "stored, does not"


def test_a_file_is_right_or_refused_with_a_sentence(image: Path, tmp_path: Path) -> None:
    kinds: Counter[str] = Counter()
    heaps = []
    for batch in range(BATCHES):
        chance = random.Random(batch)
        folder = tmp_path / str(batch)
        folder.mkdir()
        for number in range(BATCH):
            case = folder / str(number)
            if batch == 0 and number < len(WHOLE_FILES):
                case.mkdir()
                (case / "offer").write_bytes(WHOLE_FILES[number])
            else:
                make_case(chance, case)
            if any(case.glob("config.?")):
                (case / "was_stored").touch()
        found = played(image, HEAP_KIB, "files", str(folder), str(BATCH))
        assert len(found) == BATCH
        kinds.update(judge(folder / str(number), one) for number, one in enumerate(found))
        # What one case leaves until the next depends on the case; the least of many does not.
        used = [one["heap"] for one in found]
        heaps.append((min(used[BATCH // 4 : BATCH // 2]), min(used[-BATCH // 4 :])))
        shutil.rmtree(folder)
    print("configuration files:", dict(kinds), "heap in use, bytes:", min(heaps), max(heaps))
    assert min(kinds[kind] for kind in ("right", "wrong", "no JSON", "stored, runs", "stored, does not")) > 10
    assert all(late - early < HEAP_DRIFT_BYTES for early, late in heaps), heaps


def some_message(chance: random.Random) -> bytes:
    fields = messages.FIELDS[envelope.CONFIGURATION].split(" ")
    while True:
        message: dict[str, Any] = {}
        for field in chance.sample(fields, chance.randint(1, 5)):
            name, letter = field[:-2], field[-1]
            if letter == "u":
                message[name] = chance.choice([*NUMBERS, chance.randrange(1 << 32)])
                if name in KEYS and chance.random() < 0.7:
                    message[name] = fitting_value(chance, name)
            elif letter == "p":
                places = [
                    {part: chance.choice(TEXTS) for part in chance.sample(["name", "address", "kind"], 2)}
                    for _ in range(chance.randrange(13))
                ]
                message[name] = chance.choice(
                    [places, [{"name": '"' * 60, "address": "\\" * 60}] * chance.randrange(13)]
                )
            elif letter == "b":
                message[name] = chance.randbytes(chance.choice([0, 1, 16, 31, 32, 64]))
            elif name in KEYS and chance.random() < 0.6:
                message[name] = fitting_value(chance, name)
            else:
                message[name] = chance.choice(TEXTS)
        try:
            body = messages.encode(envelope.CONFIGURATION, message)
        except (messages.MessageError, UnicodeError):
            continue
        return damaged(chance, body)[: messages.BODY_LENGTH_MAX] if chance.random() < 0.1 else body


def test_a_message_changes_all_or_nothing_and_flash_says_the_same(image: Path, tmp_path: Path) -> None:
    chance = random.Random(6)
    (tmp_path / "offer").write_text(json.dumps(CONFIGURATION))
    with (tmp_path / "messages").open("wb") as file:
        for _ in range(MESSAGES):
            body = some_message(chance)
            file.write(len(body).to_bytes(2, "little") + body)
    (told,) = played(image, MESSAGES_HEAP_KIB, "messages", str(tmp_path))
    print("configuration messages:", told)
    assert told["wrong"] == 0
    assert min(told["applied"], told["refused"]) > 20
    assert told["given_back"] > 2
    assert told["heap"] - told["heap_early"] < LENGTH_MAX, "what is configured may be longer than at first; no more"


# The whole box


def test_the_whole_box_runs_with_what_it_took_and_ends_with_a_sentence_otherwise(lone_box: MakeBox) -> None:
    chance = random.Random(9)
    offers = [raw for raw in WHOLE_FILES if len(raw) < 20_000] if LONG else [WHOLE_FILES[22], *WHOLE_FILES[26:29]]
    offers += [as_text(chance, some_configuration(chance)) for _ in range(BOXES)]
    runs = 0
    for offer in offers:
        box = lone_box(parts="button grid router")
        (box.folder / "provision.json").write_bytes(offer)
        right: bool | None
        try:
            values = configuration.complete(strictly(offer))
            right = len(offer) <= configuration.FILE_LENGTH_MAX and configuration.problems(values) == []
        except (ValueError, RecursionError):
            right = None  # No JSON. MicroPython reads some of it, as without colons; then the values were judged.
        except TypeError:
            right = False
        try:
            box.run(60)
        except VmError as error:
            assert not right, offer[:300]
            assert "Unprovisioned: the configuration of this box is wrong: " in str(error)
            box.cut_power()
            continue
        assert right is not False, offer[:300]
        runs += 1
        _runs_as_it_should(box)
    assert runs >= 3
    print("whole boxes:", len(offers), "of which run:", runs)


def _runs_as_it_should(box: LoneBox) -> None:
    box.run(70)
    for path in ("/de/", "/ar/about"):
        page = box.request(f"GET {path} HTTP/1.1\r\nHost: 192.168.4.1\r\n\r\n", wait_s=ANSWER_MS / 1000)
        assert page.startswith("HTTP/1.1 200"), page[:200]
        assert page.endswith("</html>\n")
    assert box.resets == []
    assert [line for line in box.log if "failed" in line or "went on" in line] == []
    box.cut_power()
    box.run(130)
    assert box.resets == []
    box.cut_power()
