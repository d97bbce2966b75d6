# SPDX-License-Identifier: Apache-2.0
"""Small SVG drawings for reports: bars, lines, bands. Strings in, strings out; no library, no script, no external
resource.

Colours come from the page's CSS variables, so that a drawing follows light and dark. Every drawing has a title for
screen readers; its table is the page's business. Times are hours after a start at `start_hour` o'clock.
"""

import math
from collections.abc import Sequence
from html import escape

from kiezbox_simulator.scenario.words import Words

WIDTH = 860
DURATION_TICKS_S = (0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 36_000.0, 360_000.0)
LEFT, RIGHT, TOP, BASE = 58.0, WIDTH - 8.0, 10.0, 190.0


def svg(width: float, height: float, title: str, body: str) -> str:
    """A drawing that scales with its column."""
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{body}</svg>"
    )


def text(x: float, y: float, words: str, *, anchor: str = "start", cls: str = "t") -> str:
    """Words at a place."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{cls}">{escape(words)}</text>'


def nice_ceiling(value: float) -> float:
    """The next of 1, 2, 2.5, 5, 10 ... that is not smaller; at least 1e-9."""
    step = 1e-9
    while True:
        for factor in (1.0, 2.0, 2.5, 5.0):
            if step * factor >= value:
                return step * factor
        step *= 10.0


def _axis(words: Words, greatest: float, unit: str) -> str:
    parts = []
    # Counts of calls have no quarters.
    steps = int(greatest) if not unit and greatest <= 5 else 4
    for step in range(steps + 1):
        y = BASE - (BASE - TOP) * step / steps
        parts.append(f'<line x1="{LEFT}" x2="{RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        parts.append(text(LEFT - 6, y + 4, words.short(greatest * step / steps) + unit, anchor="end", cls="s"))
    return "".join(parts)


def hour_ticks(words: Words, hours: float, start_hour: float) -> str:
    """Hours of the day along the bottom: days as soon as there are more than two."""
    parts = []
    step = 1 if hours <= 8 else 3 if hours <= 26 else 6 if hours <= 50 else 24 if hours <= 400 else 168
    hour = -(start_hour % step) + step if start_hour % step else 0.0
    while hour <= hours:
        x = LEFT + (RIGHT - LEFT) * hour / hours
        clock = (start_hour + hour) % 24
        day = int((start_hour + hour) // 24) + 1
        label = f"{words('day')} {day}" if step >= 24 else f"{clock:02.0f}:00"
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{BASE}" y2="{BASE + 4}" class="axis"/>')
        # The last label would stand out of the drawing.
        parts.append(text(min(x, RIGHT - 18), BASE + 17, label, anchor="middle", cls="s"))
        hour += step
    return "".join(parts)


def stacked_bars(
    words: Words,
    title: str,
    rows: Sequence[tuple[float, Sequence[float]]],
    classes: Sequence[str],
    hours: float,
    start_hour: float,
) -> str:
    """Bars of one hour each; `rows` are (hour, parts), drawn from the bottom up in `classes`."""
    greatest = nice_ceiling(max((sum(parts) for _, parts in rows), default=1.0) or 1.0)
    hours = max(hours, 1.0)
    body = _axis(words, greatest, "") + hour_ticks(words, hours, start_hour)
    width = max(1.0, (RIGHT - LEFT) / hours * 0.8)
    for hour, parts in rows:
        x = LEFT + (RIGHT - LEFT) * hour / hours
        y = BASE
        for value, cls in zip(parts, classes, strict=True):
            height = (BASE - TOP) * value / greatest
            y -= height
            if value:
                size = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
                body += f'<rect {size} class="{cls}"/>'
    return svg(WIDTH, BASE + 26, title, body)


def duration_lines(
    words: Words,
    title: str,
    series: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    hours: float,
    start_hour: float,
) -> str:
    """Durations in seconds over hours, from 0.1 s on a scale where ten times as long is one step; `series` are (class,
    points)."""
    longest_s = max((value for _, points in series for _, value in points), default=1.0)
    top_s = next((tick for tick in DURATION_TICKS_S[2:] if tick >= longest_s), DURATION_TICKS_S[-1])

    def y_of(seconds: float) -> float:
        share = math.log10(max(seconds, 0.1) / 0.1) / math.log10(top_s / 0.1)
        return BASE - (BASE - TOP) * min(1.0, share)

    body = hour_ticks(words, hours, start_hour)
    for tick in DURATION_TICKS_S:
        if tick <= top_s:
            y = y_of(tick)
            body += f'<line x1="{LEFT}" x2="{RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
            label = (
                f"{words.short(tick)} s" if tick < 60 else f"{tick / 60:g} min" if tick < 3600 else f"{tick / 3600:g} h"
            )
            body += text(LEFT - 6, y + 4, label, anchor="end", cls="s")
    for cls, points in series:
        places = [(LEFT + (RIGHT - LEFT) * hour / hours, y_of(value)) for hour, value in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        body += f'<polyline points="{path}" class="{cls}"/>'
        body += "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" class="dot {cls}"/>' for x, y in places)
    return svg(WIDTH, BASE + 26, title, body)


def band(
    words: Words,
    title: str,
    points: Sequence[tuple[float, float, float, float]],
    hours: float,
    start_hour: float,
    greatest: float,
    unit: str,
) -> str:
    """A band from least to greatest with the mean as a line; `points` are (hour, least, mean, greatest)."""

    def place(hour: float, value: float) -> str:
        return f"{LEFT + (RIGHT - LEFT) * hour / hours:.1f},{BASE - (BASE - TOP) * min(value, greatest) / greatest:.1f}"

    body = _axis(words, greatest, unit) + hour_ticks(words, hours, start_hour)
    outline = [place(hour, low) for hour, low, _, _ in points] + [
        place(hour, high) for hour, _, _, high in reversed(points)
    ]
    body += f'<polygon points="{" ".join(outline)}" class="band"/>'
    body += f'<polyline points="{" ".join(place(hour, mean) for hour, _, mean, _ in points)}" class="line"/>'
    return svg(WIDTH, BASE + 26, title, body)


def row_bars(
    title: str, rows: Sequence[tuple[str, float, str, str]], greatest: float, limit: float | None = None
) -> str:
    """One horizontal bar a row: (name, value, label, class); `limit` draws a mark."""
    left, right, pitch = 190.0, WIDTH - 110.0, 19.0
    height = pitch * len(rows) + 8
    body = ""
    for number, (name, value, label, cls) in enumerate(rows):
        y = 4 + pitch * number
        body += text(left - 8, y + 13, name, anchor="end", cls="s")
        body += f'<rect x="{left}" y="{y + 3}" width="{right - left:.1f}" height="12" class="empty"/>'
        width = (right - left) * min(1.0, value / greatest)
        body += f'<rect x="{left}" y="{y + 3}" width="{max(0.5, width):.1f}" height="12" class="{cls}"/>'
        body += text(right + 8, y + 13, label, cls="s")
    if limit is not None:
        x = left + (right - left) * limit / greatest
        body += f'<line x1="{x:.1f}" x2="{x:.1f}" y1="2" y2="{height - 2}" class="limit"/>'
    return svg(WIDTH, height, title, body)
