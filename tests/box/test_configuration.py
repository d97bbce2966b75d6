# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiezbox.box import configuration
from kiezbox.portal.help_points import KINDS
from kiezbox.protocol import envelope, messages
from kiezbox.protocol.airtime import PRESETS
from kiezbox.protocol.flooding import ROLES
from tests.box.lone_box import CONFIGURATION
from tools import box_configuration

KEYS = [row[0] for row in configuration.rows()]
OWN_KEYS = {"root_key", "key_id", "public_key", "revoked_key_id"}
"""Parts of a configuration message that the protocol deals with itself."""


def test_the_page_is_what_the_schema_makes_of_it() -> None:
    page = Path(__file__).resolve().parents[2] / box_configuration.PAGE
    assert page.read_text(encoding="utf-8") == box_configuration.page(), "run: python -m tools.box_configuration"


def test_every_key_has_what_a_reader_needs() -> None:
    assert len(set(KEYS)) == len(KEYS)
    assert list(box_configuration.MEANINGS) == KEYS
    for row in configuration.rows():
        key, kind, allowed, _, default, effect = row
        assert kind in "utzhokcp", key
        assert effect in ("at once", "restart", "trial", "never"), key
        assert len(box_configuration.MEANINGS[key]) > 10, key
        if kind in "uzthkp":
            low, high = map(int, allowed.split(".."))
            assert low <= high, key
        if default not in ("!", ""):
            assert configuration._wrong(kind, allowed, "", int(default) if kind in "uz" else default) == "", key


def test_what_can_be_changed_travels_in_a_message_and_the_reverse() -> None:
    fields = {field[:-2] for field in messages.FIELDS[envelope.CONFIGURATION].split(" ")}
    changeable = {row[0] for row in configuration.rows() if row[5] != "never"}
    others = set(configuration.MESSAGE_KEYS.split(" "))
    assert fields - OWN_KEYS == changeable - {"channel"} | others


def test_choices_are_those_of_the_protocol() -> None:
    allowed = {row[0]: row[2] for row in configuration.rows() if row[1] == "o"}
    assert allowed["preset"].split(" ") == sorted(PRESETS)
    assert set(allowed["role"].split(" ")) == set(ROLES)


def test_a_right_configuration_is_right_and_complete() -> None:
    assert configuration.problems(CONFIGURATION) == []
    values = configuration.complete(CONFIGURATION)
    assert set(values) == set(KEYS)
    assert configuration.problems(values) == []
    assert values["grid_lost_after_s"] == 120
    assert values["help_points"] == []


def test_all_that_is_wrong_is_said_at_once() -> None:
    wrong = {
        "hop_limit": 8,
        "preset": "FAST",
        "name": "",
        "root_key_hex": "zz" * 32,
        "channel": {"name": "x"},
        "district_public_keys": {"a": "00"},
        "reading_interval_s": "300",
        "samples_per_frame": True,
        "help_points": [{"kind": "police"}],
        "colour": "red",
    }
    values = {key: value for key, value in (CONFIGURATION | wrong).items() if key != "node_num"}
    found = configuration.problems(values)
    assert sorted(sentence.split(":")[0] for sentence in found) == sorted([*wrong, "node_num"])
    assert "colour: no such key" in found
    assert "node_num: must be given" in found
    assert "hop_limit: must be a whole number, 1 to 7 hops" in found


@pytest.mark.parametrize("rubbish", [None, [], "", 7, {}])
def test_what_is_no_object_is_a_problem(rubbish: object) -> None:
    assert configuration.problems(rubbish)


def test_voltages_are_judged_together() -> None:
    assert configuration.problems(CONFIGURATION | {"router_off_below_mv": 3_800}) == [
        "router_on_above_mv: must be above router_off_below_mv"
    ]
    assert configuration.problems(CONFIGURATION | {"router_off_below_mv": 11_000, "router_on_above_mv": 12_000}) == []


@pytest.mark.parametrize(
    ("message", "effect"),
    [
        ({"place": "Neue Straße 5"}, "at once"),
        ({"long_name": "Kiezbox 7"}, "at once"),
        ({"short_name": "K7"}, "restart"),
        ({"hop_limit": 3}, "trial"),
        ({"channel_name": "Neu", "channel_psk": b"\1" * 16}, "trial"),
        ({"hop_limit": 3, "short_name": "K7", "place": ""}, "trial"),
        ({"hop_limit": 5}, "at once"),
        ({"telemetry_interval_s": 0}, "restart"),
        ({"help_points": [{"name": "Rathaus", "kind": KINDS[0]}]}, "at once"),
    ],
)
def test_a_message_changes_what_it_names(message: dict[str, Any], effect: str) -> None:
    before = json.dumps(CONFIGURATION)
    changed, found, when = configuration.change(CONFIGURATION, message)
    assert (found, when) == ([], effect)
    assert json.dumps(CONFIGURATION) == before
    untouched = set(CONFIGURATION) - set(message) - {"name", "channel"}
    assert all(changed[key] == CONFIGURATION[key] for key in untouched)


def test_the_two_halves_of_a_channel_travel_alone() -> None:
    changed, _, _ = configuration.change(CONFIGURATION, {"channel_name": "Neu"})
    assert changed["channel"] == {"name": "Neu", "psk_hex": CONFIGURATION["channel"]["psk_hex"]}
    changed, _, _ = configuration.change(CONFIGURATION, {"channel_psk": b""})
    assert changed["channel"] == {"name": "Kiezbox", "psk_hex": ""}


@pytest.mark.parametrize(
    ("message", "keys"),
    [
        ({"node_num": 7}, ["node_num"]),
        ({"root_key_hex": "00" * 32}, ["root_key_hex"]),
        ({"colour": "red", "hop_limit": 99}, ["colour", "hop_limit"]),
        ({"channel_psk": b"abc"}, ["channel"]),
        ({"router_on_above_mv": 3_000}, ["router_on_above_mv"]),
    ],
)
def test_a_refused_message_names_the_keys(message: dict[str, Any], keys: list[str]) -> None:
    _, found, _ = configuration.change(CONFIGURATION, message)
    assert configuration.detail(found).split(" ") == keys


def test_the_detail_of_a_refusal_fits_into_its_message() -> None:
    detail = configuration.detail([key + ": wrong" for key in KEYS])
    assert detail.endswith(" +")
    messages.encode(envelope.COMMAND_RESULT, {"detail": detail})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=12), json_values, max_size=12))
def test_no_configuration_whatever_can_break_the_judge(changes: dict[str, Any]) -> None:
    values = CONFIGURATION | changes
    found = configuration.problems(values)
    assert all(isinstance(sentence, str) for sentence in found)
    for key in changes:
        if key not in KEYS:
            assert f"{key[:40] if configuration._is_text(key) else '?'}: no such key" in found
    if not found:
        assert configuration.problems(configuration.complete(values)) == []
