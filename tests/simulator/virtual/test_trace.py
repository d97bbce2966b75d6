# SPDX-License-Identifier: Apache-2.0
"""The trace: what is written is what is hashed, and the first difference is found."""

import hashlib

import pytest

from kiezbox_simulator.virtual.schedule import Schedule
from kiezbox_simulator.virtual.trace import Trace, first_difference, read_header


def fill(trace, schedule, count=5):
    for number in range(count):
        schedule.now_us = number * 10
        trace.add("event", f"n{number % 3}", f"detail ü {number}")


def test_the_file_holds_a_header_and_the_hashed_lines(tmp_path):
    schedule = Schedule()
    trace = Trace(schedule, tmp_path / "trace", {"scenario": {"title": "Köpenick"}, "seed": 3})
    fill(trace, schedule)
    digest = trace.sha256
    trace.close()
    header, *lines = (tmp_path / "trace").read_text(encoding="utf-8").splitlines(keepends=True)
    assert lines[1] == "10 event n1 detail ü 1\n"
    assert hashlib.sha256("".join(lines).encode()).hexdigest() == digest
    assert read_header(tmp_path / "trace") == {"scenario": {"title": "Köpenick"}, "seed": 3}
    assert "Köpenick" in header
    assert trace.count == 5


def test_hash_without_a_file_over_many_buffers_and_after_closing():
    digests = []
    for ask_between in (False, True):
        schedule = Schedule()
        trace = Trace(schedule)
        fill(trace, schedule, 2500)
        if ask_between:
            assert len(trace.sha256) == 64
        fill(trace, schedule, 2500)
        trace.close()
        digests.append(trace.sha256)
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    "lines, expected",
    [
        (["1 a\n", "2 b\n"], None),
        (["1 a\n", "2 c\n"], (2, "2 b", "2 c")),
        (["1 a\n"], (2, "2 b", "")),
        (["1 a\n", "2 b\n", "3 c\n"], (3, "", "3 c")),
    ],
)
def test_the_first_difference(tmp_path, lines, expected):
    (tmp_path / "one").write_text("{}\n1 a\n2 b\n")
    (tmp_path / "other").write_text("".join(["{}\n", *lines]))
    assert first_difference(tmp_path / "one", tmp_path / "other") == expected


@pytest.mark.parametrize("text", ["", "1 a\n", "[]\n", '{"seed": 1}\n'])
def test_what_is_no_trace_is_said(tmp_path, text):
    (tmp_path / "x").write_text(text)
    with pytest.raises(ValueError, match="is not a trace"):
        read_header(tmp_path / "x")
