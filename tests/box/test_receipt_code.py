# SPDX-License-Identifier: Apache-2.0
from hypothesis import given
from hypothesis import strategies as st

from kiezbox.box import receipt_code

ALPHABET = receipt_code.ALPHABET.decode()


@given(st.binary(min_size=5, max_size=5))
def test_a_code_is_eight_characters_and_reads_back(entropy: bytes) -> None:
    code = receipt_code.make(entropy)
    assert len(code) == receipt_code.LENGTH
    assert receipt_code.clean(code) == code


@given(st.binary(min_size=5, max_size=5), st.integers(0, 7), st.integers(1, 31))
def test_one_wrong_character_is_noticed(entropy: bytes, place: int, step: int) -> None:
    code = receipt_code.make(entropy)
    index = ALPHABET.index(code[place])
    # Weights are below 31, so only a step by the whole modulus could hide.
    wrong = ALPHABET[(index + step) % 32]
    typed = code[:place] + wrong + code[place + 1 :]
    difference = ALPHABET.index(wrong) - index
    assert receipt_code.clean(typed) is None or difference % 31 == 0


@given(st.text())
def test_anything_typed_is_read_or_refused(typed: str) -> None:
    code = receipt_code.clean(typed)
    assert code is None or receipt_code.clean(code) == code


def test_what_people_write_for_it_is_understood() -> None:
    code = receipt_code.make(b"\x01\x02\x03\x04\x05")
    assert receipt_code.clean(f" {code[:4].lower()}-{code[4:]} ") == code
    with_zero = next(
        code
        for code in (receipt_code.make(bytes([number, 7, 9, 11, 3])) for number in range(256))
        if "0" in code and "1" in code
    )
    assert receipt_code.clean(with_zero.replace("0", "O").replace("1", "l")) == with_zero


def test_different_entropy_gives_different_codes() -> None:
    codes = {receipt_code.make(number.to_bytes(5, "little")) for number in range(5_000)}
    assert len(codes) == 5_000
