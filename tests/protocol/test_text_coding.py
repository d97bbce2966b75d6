# SPDX-License-Identifier: Apache-2.0
"""Texts come back as they were, in any script, and never more than one byte longer than UTF-8."""

from kiezbox.protocol.text_coding import decode, encode

SENTENCES = (
    (
        "de",
        "Meine Oma liegt seit gestern im Flur und kann nicht aufstehen, bitte kommen Sie schnell! Tel. 030 1234567",
        60,
    ),
    ("en", "There is a strong smell of gas on the stairs and two old people on the top floor cannot walk.", 55),
    ("tr", "Asansörde kaldık, üç kişiyiz, biri şeker hastası ve ilacı yok. Lütfen çabuk gelin!", 55),
    ("ar", "جدتي وحدها في الطابق الثالث ولا يوجد عندها دواء، نحتاج إلى طبيب", 40),
    ("ru", "Бабушка одна на третьем этаже, ей плохо, лекарства закончились вчера.", 40),
    ("uk", "Бабуся сама на третьому поверсі, їй погано, ліки закінчилися вчора.", 40),
    ("pl", "Babcia leży w łazience i nie może wstać, drzwi są zamknięte od środka.", 55),
    ("vi", "Bà tôi bị ngã trong bếp và không đứng dậy được, xin hãy gửi người đến nhanh.", 50),
)

ODD = (
    "",
    " ",
    "A",
    "ß ẞ ÄÖÜ äöü",
    "HILFE! FEUER IM KELLER, BITTE KOMMEN",
    "iPhone ABC def GHIJ kLMNOp",
    "Привет, Hauptstraße 12, 2. этаж, квартира 7",
    "أنا في شارع Hauptstraße 45 الطابق 2",
    "İstanbul IĞDIR ıi Iİ",
    "Đường ĂẮ ệ Ỷ ỵ Ẵ ẴẴẴẴẴ ự",
    "e\u0301 a\u0300 \u0323 x\u0309",
    "日本語 한국어 ελληνικά हिन्दी",
    "\U0001f525\U0001f692 Feuer \U0001f525",
    "\x00\x01\x7f\x80\xff\r\n\t",
    "0123456789 +49 (30) 90 / 110",
    "https://example.org/?a=b&c=%20",
    "'''''''''",
    "؟،؛ ؟",
)


def test_sentences_shrink_and_come_back() -> None:
    for language, text, most_pct in SENTENCES:
        coded = encode(text, language)
        assert decode(coded) == text
        assert 100 * len(coded) <= most_pct * len(text.encode()), (language, len(coded), len(text.encode()))


def test_language_is_only_a_hint() -> None:
    for _, text, _ in SENTENCES:
        for hint in ("", "de", "ar", "vi", "xx", "de-LS"):
            coded = encode(text, hint)
            assert decode(coded) == text
            assert len(coded) <= len(text.encode()) + 1
        assert len(encode(text)) <= len(text.encode()) // 3 * 2


def test_odd_texts_come_back() -> None:
    for text in ODD:
        for hint in ("", "de", "tr", "ar", "ru", "vi"):
            coded = encode(text, hint)
            assert decode(coded) == text, (hint, text)
            assert len(coded) <= len(text.encode()) + 1


def utf8(code_point: int) -> bytes:
    """Without chr(): MicroPython would keep each of these letters for ever."""
    if code_point < 0x80:
        return bytes((code_point,))
    size = 1 if code_point < 0x800 else 2 if code_point < 0x10000 else 3
    raw = bytearray([(0xC0, 0xE0, 0xF0)[size - 1] | code_point >> 6 * size])
    for place in range(size - 1, -1, -1):
        raw.append(0x80 | code_point >> 6 * place & 0x3F)
    return bytes(raw)


def test_every_script_block_comes_back() -> None:
    for start in range(0, 0x11000, 0x331):
        text = b"".join([utf8(c) for c in range(start, start + 24) if not 0xD800 <= c < 0xE000]).decode()
        for hint in ("de", "ar", "uk", "vi"):
            assert decode(encode(text, hint)) == text


def test_500_bytes_of_each_language() -> None:
    for language, text, _ in SENTENCES:
        raw = (text * 10).encode()[:500]
        while True:
            try:
                long_text = raw.decode()
                break
            except ValueError:
                raw = raw[:-1]
        assert decode(encode(long_text, language)) == long_text


def test_rubbish_gives_a_text_or_a_value_error() -> None:
    value = 1
    errors = 0
    for _ in range(300):
        rubbish = bytearray()
        value = value * 1103515245 + 12345 & 0x3FFFFFFF
        for _ in range(value >> 8 & 15):
            value = value * 1103515245 + 12345 & 0x3FFFFFFF
            rubbish.append(value >> 12 & 0xFF)
        try:
            assert isinstance(decode(bytes(rubbish)), str)
        except ValueError:
            errors += 1
    assert errors > 100
    for coded in (b"", b"\x90", b"\xf0abc", b"\x00\xff", b"\x17"):
        try:
            decode(coded)
        except ValueError:
            continue
        raise AssertionError(coded)
