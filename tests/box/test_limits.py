# SPDX-License-Identifier: Apache-2.0
from kiezbox.box.limits import BOX_BURST, BOX_REFILL_MS, CLIENT_PAUSE_MS, CLIENTS_MAX, SAME_MS, Limits

DIGEST = b"8 bytes."


def test_a_first_message_is_never_refused() -> None:
    limits = Limits()
    for number in range(10 * BOX_BURST):
        client = f"10.0.{number // 250}.{number % 250}"
        assert limits.refusal(client, 1_000) == ""
        limits.taken(client, DIGEST, "CODE0000", 1_000)


def test_the_same_phone_waits_between_two_calls() -> None:
    limits = Limits()
    limits.taken("a", DIGEST, "CODE0001", 1_000)
    assert limits.refusal("a", 1_000 + CLIENT_PAUSE_MS - 1) == "rate_client"
    assert limits.refusal("a", 1_000 + CLIENT_PAUSE_MS) == ""


def test_a_flood_empties_the_box_for_those_who_had_their_turn() -> None:
    limits = Limits()
    now_ms = 0
    for _ in range(BOX_BURST):
        limits.taken("a", DIGEST, "CODE0000", now_ms)
    now_ms += CLIENT_PAUSE_MS
    assert limits.refusal("a", now_ms) == "rate_box"
    assert limits.refusal("b", now_ms) == ""
    now_ms += BOX_REFILL_MS
    assert limits.refusal("a", now_ms) == ""


def test_the_same_text_from_the_same_phone_is_the_same_call() -> None:
    limits = Limits()
    limits.taken("a", DIGEST, "CODE0000", 0)
    assert limits.same("a", DIGEST, SAME_MS - 1) == "CODE0000"
    assert limits.same("a", b"another.", 0) is None
    assert limits.same("b", DIGEST, 0) is None
    assert limits.same("a", DIGEST, SAME_MS) is None


def test_the_phone_that_was_here_longest_ago_is_forgotten() -> None:
    limits = Limits()
    length = len(limits._entries)
    for number in range(1_000):
        limits.taken(f"phone {number}", DIGEST, f"{number:08d}", (1 << 40) + number)
    assert len(limits._entries) == length
    for number in range(1_000):
        known = limits.same(f"phone {number}", DIGEST, (1 << 40) + 1_000)
        assert known == (f"{number:08d}" if number >= 1_000 - CLIENTS_MAX else None)
    limits.taken("phone 980", DIGEST, "CODE0000", (1 << 40) + 2_000)
    assert limits.same("phone 980", DIGEST, (1 << 40) + 2_000) == "CODE0000"
    assert limits.same("phone 981", DIGEST, (1 << 40) + 2_000) == "00000981"
