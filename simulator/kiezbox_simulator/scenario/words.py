# SPDX-License-Identifier: Apache-2.0
"""What reports say, in English and German: sentences by name, numbers and durations as each language writes them.

Texts of events and reasons are made in English by the run; the phrases known here are put into German, others stay.
Used by report.py, compare.py, place_report.py and watch.py. Not here: HTML.
"""

from typing import Any

from kiezbox_simulator.scenario.event_texts import PHRASES
from kiezbox_simulator.scenario.report_texts import TEXTS, TONGUES

LANGUAGES = {"en": "English", "de": "Deutsch"}


class Words:
    """One language. `words("name", key=value)` is a sentence; a name that is missing is a KeyError, which a test
    excludes."""

    def __init__(self, language: str) -> None:
        """Raises ValueError for a language that is neither."""
        if language not in LANGUAGES:
            raise ValueError(f"no such language: {language}; there are {', '.join(LANGUAGES)}")
        self.language = language
        self._column = list(LANGUAGES).index(language)

    def __call__(self, name: str, /, **values: Any) -> str:
        text = TEXTS[name][self._column]
        return text.format(**values) if values else text

    def number(self, value: float | None, digits: int = 0) -> str:
        """A number with separators as the language has them; a dash for None."""
        if value is None:
            return "–"
        text = f"{value:,.{digits}f}"
        return text if self.language == "en" else text.translate(str.maketrans(",.", ".,"))

    def short(self, value: float) -> str:
        """A number without needless zeros."""
        text = f"{value:,.10g}"
        return text if self.language == "en" else text.translate(str.maketrans(",.", ".,"))

    def percent(self, value: float | None, digits: int = 1) -> str:
        """A share of 100 with its sign."""
        return "–" if value is None else f"{self.number(value, digits)} %"

    def duration(self, seconds: float | None) -> str:
        """Seconds as people say them."""
        if seconds is None:
            return "–"
        if seconds < 1:
            return f"{self.number(seconds * 1000)} ms"
        if seconds < 120:
            return f"{self.number(seconds, 1)} s"
        if seconds < 7200:
            return f"{self.number(seconds / 60, 1)} min"
        return f"{self.number(seconds / 3600, 1)} h"

    def clock(self, time_s: float, start_s: float = 0.0) -> str:
        """A moment of the scenario as day and time of day; `start_s`: seconds from midnight to its beginning."""
        moment_s = start_s + time_s
        day = int(moment_s // 86_400) + 1
        return f"{self('day')} {day}, {int(moment_s // 3600 % 24):02d}:{int(moment_s // 60 % 60):02d}"

    def tongue(self, code: str) -> str:
        """The name of a language in which somebody called; its code where it has none here."""
        return TONGUES[code][self._column] if code in TONGUES else code

    def phrase(self, text: str) -> str:
        """A text that the run made, with the phrases that are known in this language."""
        if self.language == "de":
            for english, german in PHRASES:
                text = text.replace(english, german)
        return text
