# SPDX-License-Identifier: Apache-2.0
"""Make firmware/kiezbox/protocol/text_tables.py: the static code tables of text_coding.py.

Letter statistics come from the unigram and bigram models that the package lingua-language-detector ships (Apache-2.0),
word starts, word ends, capitals and punctuation from text_coding_corpus.py. Letters that foretell the same next
letters share one row, twelve rows a language: a quarter of the memory for 3 % more bits (measured on texts that the
tables were not made from).

    pip install --no-deps lingua-language-detector==1.3.5 brotli==1.2.1
    python tools/text_coding_tables.py > firmware/kiezbox/protocol/text_tables.py

A new table changes the code on the air: it needs a new table number, never a changed old one.
"""

import heapq
import importlib.util
import json
import math
import unicodedata
from pathlib import Path

import brotli
from text_coding_corpus import SENTENCES

ROWS = 12
LENGTH_MAX = 15
LETTERS = {
    "de": "abcdefghijklmnopqrstuvwxyzäöüß",
    "en": "abcdefghijklmnopqrstuvwxyz'",
    "tr": "abcdefghijklmnopqrstuvwxyzçğıöşü'",
    "ar": "ابتثجحخدذرزسشصضطظعغفقكلمنهويءآأؤإئةى",
    "ru": "абвгдежзийклмнопрстуфхцчшщъыьэюяё",
    "uk": "абвгдежзийклмнопрстуфхцчшщьюяєіїґ'",
    "pl": "abcdefghijklmnopqrstuvwxyząćęłńóśźż",
    "vi": "abcdefghijklmnopqrstuvwxyzăâđêôơư",
}
"""The order is the table number on the air, from 1."""

CAPITALS = {
    "de": "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÜẞ",
    "en": "ABCDEFGHIJKLMNOPQRSTUVWXYZ'",
    "tr": "ABCDEFGHİJKLMNOPQRSTUVWXYZÇĞIÖŞÜ'",
    "ar": "",
    "ru": "АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯЁ",
    "uk": "АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЬЮЯЄІЇҐ'",
    "pl": "ABCDEFGHIJKLMNOPQRSTUVWXYZĄĆĘŁŃÓŚŹŻ",
    "vi": "ABCDEFGHIJKLMNOPQRSTUVWXYZĂÂĐÊÔƠƯ",
}
TONES = "\u0300\u0301\u0309\u0303\u0323"
PUNCTUATION = " .,?!-:\n"
ARABIC_PUNCTUATION = " .،؟!-:\n"
SHIFT, DIGIT, ESCAPE = "SHIFT", "DIGIT", "ESCAPE"

Counts = dict[str, dict[str, float]]


def symbols(language: str) -> list[str]:
    """All symbols of a table in their order."""
    tones = list(TONES) if language == "vi" else []
    return [*LETTERS[language], *tones, *punctuation(language), SHIFT, DIGIT, ESCAPE]


def punctuation(language: str) -> str:
    """Space and the marks that have a symbol of their own."""
    return ARABIC_PUNCTUATION if language == "ar" else PUNCTUATION


def split_tone(letter: str, language: str) -> tuple[str, str]:
    """A Vietnamese letter without its tone, and the tone; any other letter as it is."""
    if language == "vi":
        decomposed = unicodedata.normalize("NFD", letter)
        tone = "".join(mark for mark in decomposed if mark in TONES)
        if tone:
            return unicodedata.normalize("NFC", "".join(mark for mark in decomposed if mark not in TONES)), tone
    return letter, ""


def symbols_of(text: str, language: str) -> list[str]:
    """A text as symbols."""
    found: list[str] = []
    for letter in text:
        if letter in "0123456789":
            found.append(DIGIT)
            continue
        place = CAPITALS[language].find(letter)
        small = LETTERS[language][place] if place >= 0 else letter.lower() if language == "vi" else letter
        base, tone = split_tone(small, language)
        if base in LETTERS[language]:
            found += [SHIFT] * (small != letter) + [base] + [tone] * bool(tone)
        else:
            found.append(letter if letter in punctuation(language) else ESCAPE)
    return found


def model(language: str, order: str) -> dict[str, float]:
    """Relative frequencies of letters, or of a letter after another one."""
    spec = importlib.util.find_spec("lingua")
    if spec is None or spec.origin is None:
        raise SystemExit("lingua-language-detector is not installed")
    path = Path(spec.origin).parent / "language-models" / language / f"{order}.json.br"
    frequencies = {}
    for fraction, ngrams in json.loads(brotli.decompress(path.read_bytes()))["ngrams"].items():
        over, under = fraction.split("/")
        for ngram in ngrams.split(" "):
            frequencies[ngram] = int(over) / int(under)
    return frequencies


def count(language: str, letters_in_model: float = 4000) -> Counts:
    """How often each symbol follows each."""
    known = symbols(language)
    counts = {before: dict.fromkeys(known, 0.0) for before in known}
    before = " "
    for symbol in symbols_of(SENTENCES[language], language):
        counts[before][symbol] += 1
        before = symbol if symbol != ESCAPE else " "
    written = {name: dict(row) for name, row in counts.items()}
    marks = punctuation(language)

    def end_share(letter: str) -> float:
        row = written[letter]
        return (sum(row[mark] for mark in marks) + 1.7) / (sum(row.values()) + 10)

    ends = {mark: sum(written[letter][mark] for letter in LETTERS[language]) + 0.5 for mark in marks}
    all_ends = sum(ends.values())
    single = model(language, "unigrams")
    total = sum(single.values())
    for letter, share in single.items():
        base, tone = split_tone(letter, language)
        if base not in LETTERS[language]:
            continue
        amount = letters_in_model * share / total
        if tone:
            counts[base][tone] += amount
        for mark in marks:
            counts[tone or base][mark] += amount * end_share(tone or base) * ends[mark] / all_ends
        for start, weight in ((" ", 120.0), (SHIFT, 40.0)):
            counts[start][base] += weight * share
    for pair, share in model(language, "bigrams").items():
        base, tone = split_tone(pair[0], language)
        following, _ = split_tone(pair[1], language)
        if pair[0] in single and base in LETTERS[language] and following in LETTERS[language]:
            amount = letters_in_model * single[pair[0]] / total
            counts[tone or base][following] += amount * (1 - end_share(tone or base)) * share
    rare = {ESCAPE: 0.32, DIGIT: 0.12, " ": 0.32, SHIFT: 0.17, "\n": 0.07}
    for row in counts.values():
        for symbol in known:
            row[symbol] += rare.get(symbol, 0.02)
    for symbol in known[len(LETTERS[language]) :]:
        counts[SHIFT][symbol] = 0.3 if symbol == ESCAPE else 0.0005
    return counts


def share_rows(counts: Counts, known: list[str]) -> tuple[list[int], list[list[float]]]:
    """The row of each symbol, and the rows: the two whose union costs least are joined until ROWS are left."""

    def cost(row: list[float]) -> float:
        total = sum(row)
        return -sum(value * math.log2(value / total) for value in row if value > 0)

    groups = [[index] for index in range(len(known))]
    rows = [[counts[before][symbol] for symbol in known] for before in known]
    costs = [cost(row) for row in rows]
    while len(groups) > ROWS:
        best = (math.inf, 0, 0)
        for one in range(len(groups)):
            for other in range(one + 1, len(groups)):
                joined = cost([a + b for a, b in zip(rows[one], rows[other], strict=True)])
                best = min(best, (joined - costs[one] - costs[other], one, other))
        _, one, other = best
        rows[one] = [a + b for a, b in zip(rows[one], rows[other], strict=True)]
        costs[one] = cost(rows[one])
        groups[one] += groups[other]
        del groups[other], rows[other], costs[other]
    row_of = [0] * len(known)
    for number, group in enumerate(groups):
        for index in group:
            row_of[index] = number
    return row_of, rows


def code_lengths(weights: list[float]) -> list[int]:
    """Bits per symbol of a Huffman code with at most LENGTH_MAX bits."""
    while True:
        heap = [(weight, index, (index,)) for index, weight in enumerate(weights)]
        lengths = [0] * len(weights)
        heapq.heapify(heap)
        serial = len(weights)
        while len(heap) > 1:
            left, right = heapq.heappop(heap), heapq.heappop(heap)
            for index in left[2] + right[2]:
                lengths[index] += 1
            heapq.heappush(heap, (left[0] + right[0], serial, left[2] + right[2]))
            serial += 1
        if max(lengths) <= LENGTH_MAX:
            return lengths
        weights = [weight + max(weights) * 1e-5 for weight in weights]


def nibbles(values: list[int]) -> bytes:
    """Two values a byte, the first in the high half."""
    padded = values + [0] * (len(values) % 2)
    return bytes(high << 4 | low for high, low in zip(padded[::2], padded[1::2], strict=True))


def literal(data: bytes) -> str:
    """A bytes literal over several lines."""
    lines = []
    for start in range(0, len(data), 25):
        lines.append('            b"' + "".join(f"\\x{byte:02x}" for byte in data[start : start + 25]) + '"')
    return "        (\n" + "\n".join(lines) + "\n        ),"


HEAD = '''# SPDX-License-Identifier: Apache-2.0
"""Code tables of text_coding.py, made by tools/text_coding_tables.py. Data only.

TABLES, in the order of their numbers on the air from 1: small letters, capitals in the same order, marks, then in half
bytes, high half first: for each symbol the row that holds after it, and row by row the code length in bits of each
symbol. Each of these lists begins at a whole byte.
"""
'''


def main() -> None:
    """Print the module."""
    vowels = "aăâeêioôơuưy"
    toned = "".join(unicodedata.normalize("NFC", vowel + tone) for vowel in vowels for tone in TONES)
    print(HEAD)
    print(f'LANGUAGES = "{"".join(LETTERS)}"')
    print('"""Two letters for each table."""')
    print()
    print(f'VOWELS = "{vowels}"')
    print(f'TONED = "{toned}"')
    print(
        '"""Each of VOWELS with grave, acute, hook, tilde and dot below: the tone symbols of table 8, in this order."""'
    )
    print()
    print("# fmt: off")
    print("TABLES = (")
    for language in LETTERS:
        known = symbols(language)
        row_of, rows = share_rows(count(language), known)
        data = nibbles(row_of) + b"".join(nibbles(code_lengths(row)) for row in rows)
        marks = punctuation(language).replace("\n", "\\n")
        print(f'    (\n        "{LETTERS[language]}",\n        "{CAPITALS[language]}",\n        "{marks}",')
        print(literal(data) + "\n    ),")
    print(")")
    print("# fmt: on")


if __name__ == "__main__":
    main()
