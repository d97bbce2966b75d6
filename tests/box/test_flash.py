# SPDX-License-Identifier: Apache-2.0
"""The whole firmware on a flash that is full, damaged, or read by somebody else: virtual time, real LittleFS."""

import os
import random
import re
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.box.conftest import MakeBox
from tests.box.lone_box import LoneBox

LONG = bool(os.environ.get("KIEZBOX_LONG"))


def call(box: LoneBox, text: str, mode: str = "emergency", client: str = "192.168.4.20") -> str | None:
    """Post the form as a phone does; the receipt code, None if it was refused."""
    body = urlencode({"text": text, "mode": mode, "category": "1"})
    answer = box.request(
        "POST /de/call HTTP/1.1\r\nHost: 192.168.4.1\r\nOrigin: http://192.168.4.1\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}",
        client,
        5,
    )
    found = re.search(r"<strong>([0-9A-Z]{4})-([0-9A-Z]{4})</strong>", answer)
    return found[1] + found[2] if found else None


def status(box: LoneBox, code: str) -> str:
    body = urlencode({"code": code})
    return box.request(
        "POST /de/status HTTP/1.1\r\nHost: 192.168.4.1\r\nOrigin: http://192.168.4.1\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )


def knows(box: LoneBox, code: str) -> bool:
    return "In dieser Box gespeichert" in status(box, code)


def test_a_full_flash_sheds_readings_and_never_a_call(lone_box: MakeBox) -> None:
    # 80 KiB, of which calls may take all that the file system and a few hundred bytes of state leave.
    box = lone_box(mode="emergency", flash_blocks=20, reading_interval_s=60, samples_per_frame=1)
    box.run(3_600)
    codes = []
    refused = 0
    for number in range(150):
        code = call(box, f"Anruf {number} " + "x" * 400, client=f"192.168.4.{number}")
        if code is None:
            refused += 1
            if refused > 5:
                break
        else:
            codes.append(code)
    assert refused > 5, "the flash should be full by now"
    assert len(codes) > 100
    box.cut_power()
    box.run(60)
    assert all(knows(box, code) for code in (codes[0], codes[len(codes) // 2], codes[-1]))
    assert box.resets == []
    journal = Path(box.folder / "flash.bin").read_bytes()
    assert all(code.encode() in journal for code in codes)


@pytest.mark.parametrize("seed", range(40 if LONG else 3))
def test_files_of_any_content_do_not_keep_a_box_from_starting(lone_box: MakeBox, seed: int) -> None:
    """Whatever stands in any of its files, it starts, takes a call and goes on."""
    box = lone_box(mode="emergency", reading_interval_s=60, samples_per_frame=1)
    box.run(1_200)
    assert call(box, "vorher")
    box.cut_power()
    chance = random.Random(seed)
    raw = bytearray((box.folder / "flash.bin").read_bytes())
    # The files' own blocks, not the file system's: those that hold journals, state or configuration.
    blocks = [
        start
        for start in range(8192, len(raw), 4096)
        if re.search(rb"\xb5.\x00?|\{\"|[0-9a-f]{8} \d+ \{", raw[start : start + 64])
    ]
    assert blocks
    for start in blocks if seed % 2 else chance.sample(blocks, max(1, len(blocks) // 2)):
        for _ in range(chance.randint(1, 30)):
            place = start + chance.randrange(4096)
            length = min(chance.randint(1, 200), start + 4096 - place)
            raw[place : place + length] = chance.randbytes(length)
    (box.folder / "flash.bin").write_bytes(raw)
    box.run(120)
    assert call(box, f"nachher {seed}")
    box.run(600)
    assert box.resets == []
    assert not [line for line in box.log if "failed" in line], box.log
