# SPDX-License-Identifier: Apache-2.0
"""What staff read, in German or English: the status page, the command line, sentences of errors.

The source holds the English sentence, `languages/de.toml` the German one under it; a test holds both together. The
language is that of the environment for commands (LC_ALL, LC_MESSAGES, LANG) and that of the browser for the page. Logs,
metrics and JSON keys are English. What residents read is the box's own matter.
"""

import functools
import os
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import resources

LANGUAGES = ("en", "de")
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_chosen: ContextVar[str | None] = ContextVar("language", default=None)


@functools.cache
def sentences(language: str) -> dict[str, str]:
    """English sentence -> sentence of this language; empty for English."""
    if language == "en":
        return {}
    folder = resources.files("kiezbox_gateway") / "languages"
    return {
        str(key): str(value) for key, value in tomllib.loads((folder / f"{language}.toml").read_text("utf-8")).items()
    }


def of_environment(environment: Mapping[str, str]) -> str:
    """The language of a terminal, as POSIX has it: the first of LC_ALL, LC_MESSAGES, LANG that is set."""
    value = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    return "de" if value[:2].lower() == "de" else "en"


def of_header(accept_language: str) -> str:
    """The language of a browser (RFC 9110, 12.5.4): of those we have, the one it prefers; English when none."""
    best, best_quality = "en", 0.0
    for entry in accept_language[:500].split(","):
        tag, _, parameter = entry.strip().partition(";")
        language = tag.strip()[:2].lower()
        try:
            quality = float(parameter.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if language in LANGUAGES and best_quality < quality <= 1:
            best, best_quality = language, quality
    return best


def current() -> str:
    """The language now in use."""
    return _chosen.get() or of_environment(os.environ)


@contextmanager
def use(language: str) -> Iterator[None]:
    """Everything inside is said in this language."""
    token = _chosen.set(language)
    try:
        yield
    finally:
        _chosen.reset(token)


def text(sentence: str, /, **values: object) -> str:
    """An English sentence with {placeholders} in the language now in use."""
    found = sentences(current()).get(sentence, sentence)
    return found.format(**values) if values else found


def harmless(value: str) -> str:
    """Without control, formatting and surrogate characters; line breaks stay."""
    return "".join(
        character if character == "\n" or unicodedata.category(character) not in ("Cc", "Cf", "Cs") else REPLACEMENT
        for character in value
    )


class SpokenError(Exception):
    """An error whose sentence is put into the reader's language when it is shown, not when it is raised.

    A sentence without values is taken as it is, so it may hold braces.
    """

    def __init__(self, sentence: str, /, **values: object) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.values = values

    def __str__(self) -> str:
        values = {key: text(value) if isinstance(value, str) else value for key, value in self.values.items()}
        return text(self.sentence, **values)
