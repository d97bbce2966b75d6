# SPDX-License-Identifier: Apache-2.0
from kiezbox.box.limits import BOX_BURST, BOX_REFILL_MS, CLIENT_PAUSE_MS, CLIENTS_MAX, SAME_MS, Limits


def test_a_first_message_is_never_refused() -> None:
    limits = Limits()
    for number in range(10 * BOX_BURST):
        client = f"10.0.{number // 250}.{number % 250}"
        assert limits.refusal(client, 1_000) == ""
        limits.taken(client, b"x", "CODE", 1_000)


def test_the_same_phone_waits_between_two_calls() -> None:
    limits = Limits()
    limits.taken("a", b"1", "CODE1", 1_000)
    assert limits.refusal("a", 1_000 + CLIENT_PAUSE_MS - 1) == "rate_client"
    assert limits.refusal("a", 1_000 + CLIENT_PAUSE_MS) == ""


def test_a_flood_empties_the_box_for_those_who_had_their_turn() -> None:
    limits = Limits()
    now_ms = 0
    for _ in range(BOX_BURST):
        limits.taken("a", b"1", "CODE", now_ms)
    now_ms += CLIENT_PAUSE_MS
    assert limits.refusal("a", now_ms) == "rate_box"
    assert limits.refusal("b", now_ms) == ""
    now_ms += BOX_REFILL_MS
    assert limits.refusal("a", now_ms) == ""


def test_the_same_text_from_the_same_phone_is_the_same_call() -> None:
    limits = Limits()
    limits.taken("a", b"digest", "CODE", 0)
    assert limits.same("a", b"digest", SAME_MS - 1) == "CODE"
    assert limits.same("a", b"other", 0) is None
    assert limits.same("b", b"digest", 0) is None
    assert limits.same("a", b"digest", SAME_MS) is None


def test_memory_is_bounded() -> None:
    limits = Limits()
    for number in range(1_000):
        limits.taken(str(number), b"1", "CODE", number)
    assert len(limits._clients) == CLIENTS_MAX
